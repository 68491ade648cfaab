"""Compares predicted latencies with published ones that the model was not fitted to, before and after its last change.

Run: python -m benchmarks.latency_model.predict

Nets are left out one by one, and family by family (V1, V2, V4 …), on all devices and in both precisions at once; the
others predict them. The first table has a line for a device and precision, the second for every setup, the third for
a net of the newer phones. What the model said before stands in predict_before.json beside this file: this command wrote
it then. The tables' sources are in mobile_sdk/latency/data/published_rows.csv. It draws docs/guides/latency.svg, too.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

from benchmarks.core.results_file import markdown, write_result
from benchmarks.core.targets import Target
from benchmarks.latency_model.figure import FIGURE, draw
from mobile_sdk.latency.cross_validation import (
    Errors,
    mean_error_share,
    share_within,
    unseen_family_errors,
    unseen_net_errors,
    validated_models,
)
from mobile_sdk.latency.extrapolation import scaled_errors
from mobile_sdk.latency.fit import Sample
from mobile_sdk.latency.model import Setup
from mobile_sdk.latency.published import published_rows, published_samples
from mobile_sdk.system.environment import installed_versions

EARLIER_DEVICES = ("pixel-1", "pixel-2", "pixel-3")
NEWER_DEVICES = ("pixel-6", "galaxy-s23")
NET_BOUND, FAMILY_BOUND, NEWER_BOUND = 6.0, 12.0, 8.0  # percent
WITHIN = (0.05, 0.1, 0.2)
BEFORE = Path(__file__).with_name("predict_before.json")

Chosen = Callable[[Setup], bool]


def rows(samples: Sequence[Sample], nets: Errors, families: Errors) -> Iterator[dict[str, Any]]:
    """Yields a line for every device and precision, then one for all."""
    kinds = dict.fromkeys((sample.setup.device, sample.setup.precision) for sample in samples)
    for device, precision in sorted(kinds, key=lambda kind: (list(_devices(samples)).index(kind[0]), kind[1])):
        chosen = partial(_is_of, device, precision)
        yield {"device": device, "precision": precision} | _line(samples, nets, families, chosen)
    yield {"device": "all", "precision": "both"} | _line(samples, nets, families, lambda setup: True)


def _line(samples: Sequence[Sample], nets: Errors, families: Errors, chosen: Chosen) -> dict[str, Any]:
    own = [sample for sample in samples if chosen(sample.setup)]
    return {
        "latencies": len(own),
        "nets": len({sample.net for sample in own}),
        "left out": sum(chosen(sample.setup) for sample in nets),
        "error, net left out %": _percent(mean_error_share(nets, chosen)),
        "before %": _percent(_before(chosen)),
        **{f"within ±{100 * bound:g} %": _whole(share_within(nets, bound, chosen)) for bound in WITHIN},
        "error, family left out %": _percent(mean_error_share(families, chosen)),
    }


def setups(samples: Sequence[Sample], nets: Errors, families: Errors) -> Iterator[dict[str, Any]]:
    """Yields a line for every setup."""
    scaled = scaled_errors(samples)
    for setup, model in sorted(validated_models(samples).items(), key=lambda item: _order(samples, item[0])):
        chosen = partial(eq, setup)
        yield {
            "device": setup.device,
            "runtime": setup.runtime,
            "threads": setup.threads,
            "precision": setup.precision,
            "latencies": model.rows,
            "families": len({sample.family for sample in samples if sample.setup == setup}),
            "unseen net error %": _percent(mean_error_share(nets, chosen)),
            "before %": _percent(_before(chosen)),
            "unseen family error %": _percent(mean_error_share(families, chosen)),
            "scaled from another, error %": _percent(mean_error_share(scaled, chosen)),
        }


def newer_nets(errors: Errors) -> Iterator[dict[str, Any]]:
    """Yields a line for every net that the newer phones have, with what was published and how far it was off."""
    newer = {(sample.net, sample.setup.device): sample for sample in errors if sample.setup.device in NEWER_DEVICES}
    for net in dict.fromkeys(net for net, _ in newer):
        line: dict[str, Any] = {"net": net}
        for device in NEWER_DEVICES:
            sample = newer.get((net, device))
            line[f"{device}, published ms"] = "–" if sample is None else sample.latency_ms
            line[f"{device}, off %"] = "–" if sample is None else f"{100 * errors[sample]:+.1f}"
        yield line


def targets(nets: Errors, families: Errors) -> Iterator[Target]:
    """Yields the bounds of the earlier devices' TensorFlow Lite rows, and of the newer devices."""
    for device in EARLIER_DEVICES:
        for errors, what, bound in ((nets, "net", NET_BOUND), (families, "family", FAMILY_BOUND)):
            share = mean_error_share(
                errors, lambda setup, device=device: setup.device == device and setup.runtime.startswith("tflite")
            )
            assert share is not None, f"{device} has rows"
            yield _target(f"{device}, TensorFlow Lite rows, {what} left out everywhere", share, bound)
    for device in NEWER_DEVICES:
        share = mean_error_share(nets, lambda setup, device=device: setup.device == device)
        assert share is not None, f"{device} has rows"
        yield _target(f"{device}, net left out everywhere", share, NEWER_BOUND)


def _target(work: str, share: float, bound: float) -> Target:
    return Target.most(work, "% mean absolute error", ours=100 * share, at_most=bound)


def main() -> None:
    """Cross-validates, in a second, and draws."""
    samples = published_samples()
    nets, families = unseen_net_errors(samples), unseen_family_errors(samples)
    versions = installed_versions(["scipy"])
    write_result("predict", list(rows(samples, nets, families)), versions, list(targets(nets, families)))
    print()
    write_result("predict_setups", list(setups(samples, nets, families)), versions)
    print()
    write_result("predict_nets", list(newer_nets(nets)), versions)
    draw(nets)
    left_out = [row for row in published_rows() if row.left_out]
    print(f"\n{len(samples)} latencies; {len(left_out)} more are in the file with the reason why they are left out.")
    print(f"{FIGURE.name} shows the {len(nets)} that could be left out.\n")
    print(markdown(list(_most_off(nets))))


def _most_off(errors: Errors) -> Iterator[dict[str, Any]]:
    """Yields the nets that were predicted worst when they were left out."""
    for sample, error in sorted(errors.items(), key=lambda item: -abs(item[1]))[:8]:
        where = f"{sample.setup.device} {sample.setup.runtime} {sample.setup.precision}, {sample.setup.threads}"
        yield {"phone": where, "net": sample.net, "published ms": sample.latency_ms, "off %": round(100 * error, 1)}


def _before(chosen: Chosen) -> float | None:
    """Returns the mean error that the model had before over the chosen setups, by the latencies of each."""
    found = [(row["latencies"], row["unseen net error %"]) for row in _rows_before() if chosen(_setup(row))]
    known = [(count, percent) for count, percent in found if not isinstance(percent, str)]
    return sum(count * percent for count, percent in known) / sum(count for count, _ in known) / 100 if known else None


def _rows_before() -> list[dict[str, Any]]:
    content: dict[str, list[dict[str, Any]]] = json.loads(BEFORE.read_text(encoding="utf-8"))
    return content["rows"]


def _setup(row: dict[str, Any]) -> Setup:
    return Setup(**{name: row[name] for name in ("device", "runtime", "precision", "threads")})


def _is_of(device: str, precision: str, setup: Setup) -> bool:
    return (setup.device, setup.precision) == (device, precision)


def _devices(samples: Iterable[Sample]) -> dict[str, None]:
    return dict.fromkeys(sample.setup.device for sample in samples)


def _order(samples: Sequence[Sample], setup: Setup) -> tuple[int, str, str, int]:
    return list(_devices(samples)).index(setup.device), setup.runtime, setup.precision, setup.threads


def _percent(share: float | None) -> float | str:
    return "–" if share is None else round(100 * share, 1)


def _whole(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


if __name__ == "__main__":
    main()
