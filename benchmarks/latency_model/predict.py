"""Compares predicted latencies with published ones that the model was not fitted to.

Run: python -m benchmarks.latency_model.predict

Nets are left out one by one, and family by family (V1, V2, V3), on all devices and in both precisions at once; the
others predict them. The tables' sources are in mobile_sdk/latency/data/published_rows.csv.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import eq
from typing import Any

from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from mobile_sdk.latency.cross_validation import (
    Errors,
    mean_error_share,
    unseen_family_errors,
    unseen_net_errors,
    validated_models,
)
from mobile_sdk.latency.extrapolation import BASE, scaled_errors
from mobile_sdk.latency.fit import Sample
from mobile_sdk.latency.published import published_rows, published_samples
from mobile_sdk.latency.work import Work
from mobile_sdk.system.environment import installed_versions

DEVICES = ("pixel-1", "pixel-2", "pixel-3")
NET_BOUND, FAMILY_BOUND = 6.0, 12.0  # percent


def rows() -> Iterator[dict[str, Any]]:
    """Yields a line for every setup."""
    samples = published_samples()
    scaled = scaled_errors(samples)
    for setup, model in sorted(validated_models(samples).items(), key=lambda item: str(item[0])):
        own = [sample for sample in samples if sample.setup == setup]
        yield {
            "device": setup.device,
            "runtime": setup.runtime,
            "threads": setup.threads,
            "precision": setup.precision,
            "latencies": model.rows,
            "families": len({sample.family for sample in own}),
            "fit error %": _percent(_fit_error(own, model.predict_ms)),
            "unseen net error %": _percent(model.unseen_net_share),
            "unseen family error %": _percent(model.unseen_family_share),
            f"scaled from {BASE}, error %": _percent(mean_error_share(scaled, partial(eq, setup))),
        }


def targets(nets: Errors, families: Errors) -> Iterator[Target]:
    """Yields both bounds for every device's TensorFlow Lite rows."""
    for device in DEVICES:
        for errors, what, bound in ((nets, "net", NET_BOUND), (families, "family", FAMILY_BOUND)):
            share = mean_error_share(
                errors, lambda setup, device=device: setup.device == device and setup.runtime.startswith("tflite")
            )
            assert share is not None, f"{device} has rows"
            yield Target(
                work=f"{device}, TensorFlow Lite rows, {what} left out everywhere",
                unit="% mean absolute error",
                stock=None,
                ours=100 * share,
                judged="ours",
                figure=100 * share,
                bound=bound,
                sense="at most",
            )


def main() -> None:
    """Cross-validates, in a second."""
    samples = published_samples()
    left_out = [row for row in published_rows() if row.left_out]
    write_result(
        "predict",
        list(rows()),
        installed_versions(["scipy"]),
        list(targets(unseen_net_errors(samples), unseen_family_errors(samples))),
    )
    print(f"\n{len(samples)} latencies, {len(left_out)} more of nets already there are left out.")


def _fit_error(samples: Sequence[Sample], predict_ms: Callable[[Work], float]) -> float:
    return sum(abs(predict_ms(sample.work) / sample.latency_ms - 1) for sample in samples) / len(samples)


def _percent(share: float | None) -> float | str:
    return "–" if share is None else round(100 * share, 1)


if __name__ == "__main__":
    main()
