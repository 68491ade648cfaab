"""`mobile-sdk predict` says how long a net would take on a phone that is not here."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.tables import show_table, show_text
from mobile_sdk.cli.terminal import is_verbose, quiet, show_json
from mobile_sdk.errors import SettingError

if TYPE_CHECKING:
    from mobile_sdk.latency.measured import Refit
    from mobile_sdk.latency.model import Estimate, LatencyModel

COLUMNS = ("device", "runtime", "threads", "predicted ms", "nine of ten within ms")
ERRORS = ("error, known family %", "error, other family %")  # with --verbose
RESTS_ON = "rests on"


@dataclass(frozen=True, kw_only=True)
class FormOptions:
    """Says the form of a net that is only named."""

    precision: Annotated[
        str | None, typer.Option("--precision", metavar="NAME", help="A named net in int8 (default) or float32.")
    ] = None
    width: Annotated[
        float | None, typer.Option("--width", help="A named net's width multiplier α: 0.75, 0.5 … Default: 1.")
    ] = None
    size: options.Size = None
    classes: Annotated[
        int | None, typer.Option("--classes", min=2, max=100_000, help="A named net's outputs. Default: 1000.")
    ] = None


def predict(
    net: Annotated[
        str,
        typer.Argument(
            metavar="PROGRAM|NET",
            help="A program.pt2; the name of one of `mobile-sdk nets`; or a net.safetensors of train or search.",
        ),
    ],
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="NAME|FILE",
            help="pixel-1, pixel-2 …, or a file that calibrate wrote. Default: every device with published latencies.",
        ),
    ] = None,
    runtime: Annotated[
        str | None, typer.Option("--runtime", metavar="NAME", help="One of the table's: tflite-2019 …. Default: all.")
    ] = None,
    *,
    form: FormOptions,
    measured: Annotated[
        list[Path] | None,
        typer.Option(
            "--measured",
            metavar="FILE",
            help="A bench.json of whole nets that you measured, and another, and so on: the model is refitted to them, "
            "and says how much better it became. --device names the phone, if it is a known one.",
        ),
    ] = None,
    extrapolate: Annotated[
        bool,
        typer.Option(
            "--extrapolate",
            help="For a device without latencies: scale another's by clock, vector width and dot product. Unverified.",
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """Predict the latency on one big core of a phone, with the error that cross-validation found.

    Kinds of operators that the latencies say nothing of are named, and widen the interval.
    """
    quiet()
    from mobile_sdk.cli.insight.predicted_graph import graph_of
    from mobile_sdk.latency.choice import choose_models, of_runtime, scaling_error_share

    graph = graph_of(net, **vars(form))
    of_graph = graph.precision
    if of_graph == "mixed":
        raise SettingError(
            "expected a program that is int8 or float32 throughout, found one with layers kept in float32",
            hint="predict its int8 form and measure the difference with bench",
        )
    refits: list[Refit] = []
    if measured:
        from mobile_sdk.latency.measured import check_device, measured_samples, refit

        samples = measured_samples(measured, of_graph, None if device is None else check_device(device))
        refits = refit(samples)
        models = of_runtime([each.model for each in refits], runtime)
    else:
        models = choose_models(device, of_graph, runtime=runtime, may_extrapolate=extrapolate)
    if extrapolate and not any(model.scaled_from for model in models):
        raise SettingError(
            "expected no --extrapolate where latencies are known, found it", hint="leave it out, or name another device"
        )
    estimates = [model.estimate(graph) for model in models]
    if json:
        told = [_estimate(*pair) for pair in zip(models, estimates, strict=True)]
        refitted = {"refitted": [_refitted(each) for each in refits]} if refits else {}
        show_json({"net": net, "precision": of_graph, "estimates": told, **refitted})
        return
    errors = ERRORS if is_verbose() else ()
    rows = [_row(*pair, errors) for pair in zip(models, estimates, strict=True)]
    show_table((*COLUMNS, *errors, RESTS_ON), rows, numbers=(*COLUMNS[2:], *errors), prose=RESTS_ON)
    for each in refits:
        show_text(each.line)
    if line := _unmeasured(estimates):
        show_text(line)
    if four := max(estimate.four_bit_share for estimate in estimates):
        show_text(
            f"4-bit weights: up to {100 * four:.0f} % of the latency, predicted like 8-bit ones on dot products; with"
            " i8mm (phones since about 2022) XNNPACK has faster kernels for 8 bits alone: bench there"
        )
    if any(model.scaled_from for model in models) and (share := scaling_error_share(of_graph)):
        show_text(
            f"unverified: the same scaling is {100 * share:.0f} % off, on average, on the phones that have latencies"
        )


def _unmeasured(estimates: "list[Estimate]") -> str:
    """Returns a line with the kinds of work that no latency speaks of, the largest share of any estimate first."""
    from mobile_sdk.latency.model import line_of_shares

    most: dict[str, float] = {}
    for estimate in estimates:
        for name, share in estimate.unmeasured.items():
            most[name] = max(share, most.get(name, 0.0))
    line = line_of_shares(most)
    return line and f"not measured, and the interval is wider for it: {line} of the latency"


def _estimate(model: "LatencyModel", estimate: "Estimate") -> dict[str, Any]:
    from mobile_sdk.latency.work import WORDS

    setup = model.setup
    return {
        "device": setup.device,
        "runtime": setup.runtime,
        "threads": setup.threads,
        "latency_ms": round(estimate.latency_ms, 3),
        "low_ms": round(estimate.low_ms, 3),
        "high_ms": round(estimate.high_ms, 3),
        "four_bit_share": round(estimate.four_bit_share, 4),
        "unmeasured": {WORDS[name]: round(share, 4) for name, share in estimate.unmeasured.items()},
        "error_share": model.unseen_net_share,
        "other_family_error_share": model.unseen_family_share,
        "operator_error_share": model.unseen_operator_share,
        "latencies": model.rows,
        "scaled_from": model.scaled_from,
    }


def _refitted(refit: "Refit") -> dict[str, Any]:
    setup = refit.model.setup
    return {
        "device": setup.device,
        "runtime": setup.runtime,
        "threads": setup.threads,
        "nets": refit.nets,
        "latencies": refit.model.rows,
        "error_share": refit.model.unseen_net_share,
        "before": refit.before,
        "before_error_share": refit.before_share,
    }


def _row(model: "LatencyModel", estimate: "Estimate", errors: tuple[str, ...]) -> tuple[str, ...]:
    setup, shares = model.setup, (model.unseen_net_share, model.unseen_family_share)
    return (
        setup.device,
        setup.runtime,
        str(setup.threads),
        f"{estimate.latency_ms:.3g}",
        f"{estimate.low_ms:.3g} to {estimate.high_ms:.3g}",
        *(_percent(share) for share in shares[: len(errors)]),
        model.rests_on,
    )


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.1f}"
