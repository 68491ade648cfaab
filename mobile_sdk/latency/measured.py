"""Learns from users' own runs of whole nets: `bench` writes the work of each net, and a model is refitted to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from mobile_sdk.benchmarking.measurements import Measurement, Numbers, read_numbers
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.errors import DataError, SdkError, SettingError
from mobile_sdk.latency.cross_validation import Errors, mean_error_share, spread_share, unseen_net_errors
from mobile_sdk.latency.extrapolation import base_of, extrapolate
from mobile_sdk.latency.fit import Sample, fit_models
from mobile_sdk.latency.model import UNKNOWN_SPREAD, LatencyModel, Precision, Setup
from mobile_sdk.latency.processors import processors
from mobile_sdk.latency.published import published_models, published_samples
from mobile_sdk.latency.work import AMOUNTS, Work, count_work
from mobile_sdk.memory.limit import executed
from mobile_sdk.program.program import Program

_PROGRAMS = ("program.pt2", "float.pt2")
_ENOUGH_NETS = 5  # for a spread of their own
_LIKE = "pixel-6"  # whose prices an unknown device's are compared with, at its own speed


@dataclass(frozen=True, kw_only=True)
class Refit:
    """Holds a model that was refitted to measured nets, and its error before: mean absolute shares of a latency.

    `before_share` is that of the prices of `before`, a phone with published latencies, on the same nets. Where those
    are of another device, its speed is fitted to the nets that are not left out. Both are None if all nets are one.
    """

    model: LatencyModel
    nets: int
    before: str
    before_share: float | None

    @property
    def line(self) -> str:
        """Returns a line that says how much better it became."""
        setup, after_share = self.model.setup, self.model.unseen_net_share
        where = f"{setup.device}, {setup.runtime}, {setup.threads} thread{'s' * (setup.threads > 1)}"
        if after_share is None or self.before_share is None:
            return f"{where}: one measured net, so none can be left out: the error is unknown"
        said = f"{where}: {100 * after_share:.1f} % off a net left out of {self.nets}, {100 * self.before_share:.1f} %"
        better = "" if after_share < self.before_share else ": measuring these nets has not made it better"
        return f"{said} before (by the prices of {self.before}){better}"


def with_work(numbers: Numbers, bundles: Sequence[Bundle], programs: Sequence[Path] = ()) -> Numbers:
    """Returns the numbers with the work of each bundle's net, where its program lies beside it or is in `programs`.

    A bundle lies beside `program.pt2` and `float.pt2`, or in a folder beside them.
    """
    measurements = tuple(
        measured.model_copy(update={"work": _work_of(bundle, programs)})
        for bundle, measured in zip(bundles, numbers.measurements, strict=True)
    )
    return numbers.model_copy(update={"measurements": measurements})


def _work_of(bundle: Bundle, programs: Sequence[Path]) -> Mapping[str, float] | None:
    folder = bundle.path.resolve().parent
    for file in (*programs, *(place / name for place in (folder, folder.parent) for name in _PROGRAMS)):
        try:
            graph = Program.load(file).graph if file.is_file() else None
        except SdkError:
            continue  # whatever it is, the bundle was measured without it
        if graph is not None and graph.digest() == bundle.manifest.graph_sha256:
            work = count_work(executed(graph, bundle.manifest.activation_limit_kib))
            return dict(zip(AMOUNTS, work.amounts().tolist(), strict=True))
    return None


def measured_samples(files: Sequence[Path], precision: Precision, device: str | None = None) -> tuple[Sample, ...]:
    """Reads the measured nets of that precision from files of `bench`; they are `device`'s, if that is named.

    Nets of equal work are one net. Raises DataError for a file that is something else or has no work of such nets.
    """
    return tuple(sample for file in files for sample in _samples_of(file, precision, device))


def _samples_of(file: Path, precision: Precision, device: str | None) -> list[Sample]:
    numbers = read_numbers(file)
    timed = [each for each in numbers.measurements if each.precision == precision and each.summary is not None]
    if not timed:
        raise DataError(
            f"expected {precision} nets with their times in {file}, found none",
            hint=f"bench a bundle in {precision}, or predict in the other precision",
        )
    if without := [each.bundle for each in timed if each.work is None]:
        raise DataError(
            f"expected the work of every net in {file}, found none of {', '.join(without)}",
            hint="bench again with the bundles beside their program.pt2 and float.pt2, or with --layers PROGRAM",
        )
    return [_sample(file, numbers, each, device) for each in timed]


def _sample(file: Path, numbers: Numbers, measured: Measurement, device: str | None) -> Sample:
    work = dict(measured.work or {})
    if set(work) != set(AMOUNTS):
        unknown = sorted(set(work) ^ set(AMOUNTS))
        raise DataError(
            f"expected the kinds of work that are known here in {file}, found other ones: {', '.join(unknown)}",
            hint="bench again with this version",
        )
    assert measured.summary is not None, "samples are made of what was timed"
    place = device or numbers.device
    net = f"{hash(tuple(work[name] for name in AMOUNTS)):x}"  # users' nets may all be called alike
    return Sample(
        setup=Setup(
            device=place,
            runtime=f"xnnpack-{measured.runtime}" if place in processors() else measured.runtime,
            precision="int8" if measured.precision == "int8" else "float32",
            threads=numbers.plan.threads,
        ),
        net=net,
        family=net,
        work=Work(**work),
        latency_ms=measured.summary.median_ms,
    )


def refit(measured: Sequence[Sample]) -> list[Refit]:
    """Returns a model for every setup of the measured nets, with its error on nets left out and the error before.

    On a device with a known processor they join the published latencies of today's kernels; others stand alone.
    """
    samples = [*measured, *(published_samples() if any(_is_known(sample) for sample in measured) else ())]
    own = {sample.setup for sample in measured}
    errors = unseen_net_errors(samples)
    before, names = _errors_before(measured)
    return [
        _refit(model, [sample for sample in measured if sample.setup == setup], errors, before, names[setup])
        for setup, model in fit_models(samples).items()
        if setup in own
    ]


def _refit(model: LatencyModel, own: Sequence[Sample], errors: Errors, before: Errors, name: str) -> Refit:
    nets = len({sample.net for sample in own})
    chosen = {sample: errors[sample] for sample in own if sample in errors}
    spread = spread_share(chosen) if nets >= _ENOUGH_NETS else None
    share = mean_error_share(chosen, lambda setup: True)
    update = {"unseen_net_share": share, "spread_share": spread or UNKNOWN_SPREAD, "is_contributed": True}
    return Refit(
        model=model.model_copy(update=update),
        nets=nets,
        before=name,
        before_share=mean_error_share(before, lambda setup: setup == model.setup) if nets > 1 else None,
    )


def _errors_before(measured: Sequence[Sample]) -> tuple[Errors, dict[Setup, str]]:
    """Returns the errors of the model that `predict` had before on every measured net, and whose prices it has."""
    errors: dict[Sample, float] = {}
    names = {}
    for setup in dict.fromkeys(sample.setup for sample in measured):
        own = [sample for sample in measured if sample.setup == setup]
        model, is_own = _model_before(setup)
        names[setup] = model.setup.device if is_own else f"{model.setup.device} at this device's speed"
        ratios = {sample: model.predict_ms(sample.work) / sample.latency_ms for sample in own}
        for sample in own:
            others = [ratios[other] for other in own if other.net != sample.net]
            if others or is_own:
                errors[sample] = ratios[sample] / (1.0 if is_own else float(np.median(others))) - 1
    return errors, names


def _model_before(setup: Setup) -> tuple[LatencyModel, bool]:
    """Returns the latest published model of the device, or another's scaled to it; and whether it is in its own speed.

    For a device whose processor is not known the prices of another are taken as they are, at no speed of its own.
    """
    core = processors().get(setup.device, processors()[_LIKE])
    models = {model.setup: model for model in published_models()}
    own = [
        model
        for other, model in models.items()
        if (other.device, other.precision, other.threads) == (setup.device, setup.precision, setup.threads)
    ]
    if own:
        return max(own, key=lambda model: ("xnnpack" in model.setup.runtime, model.setup.runtime)), True
    base = models[base_of(core, setup.precision)]
    is_known = setup.device in processors() and setup.threads == 1
    return extrapolate(base, core) if is_known and base.setup.device != core.device else base, is_known


def _is_known(sample: Sample) -> bool:
    return sample.setup.device in processors()


def check_device(device: str) -> str:
    """Returns the name of a device with a known processor that was measured; raises SettingError for another."""
    if device not in processors():
        near = get_close_matches(device, processors(), n=1, cutoff=0.5)
        raise SettingError(
            f"expected the name of a known device beside --measured ({', '.join(processors())}), found {device!r}",
            hint=f"did you mean {near[0]}?" if near else "leave --device out: the files say where they were measured",
        )
    return device
