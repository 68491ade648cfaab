"""Reports both trainings of a net, in float and in int8: their settings, and their curves, each on its own axes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mobile_sdk.report.data import Report

_TITLES = {"float": "Training in float", "qat": "Quantization-aware training", "": "Training"}
_FLOAT_SETTINGS, _CALIBRATION = "float_training", "calibration"
_STAGE = {"stage", "sqnr_db", "is_kept"}
_AXES = {"loss": ("loss", 1.0), "accuracy": ("accuracy (%)", 100.0), "agreement": ("agreement (%)", 100.0)}

Series = dict[str, list[tuple[float, float]]]
"""Points (epoch, value) by the name of their line."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Holds one training: its title, settings, stages of a calibration, and curves by the name of their axis."""

    title: str
    settings: list[tuple[str, Any]]
    calibration: list[dict[str, Any]] = field(default_factory=list)
    curves: dict[str, Series] = field(default_factory=dict)


def trainings(report: Report) -> Iterator[Training]:
    """Yields the float training, then that in int8 or the calibration, as far as the record holds them."""
    record = report.record
    if record is None:
        return
    settings = {name: value for name, value in record.settings.items() if name != _FLOAT_SETTINGS}
    given: Any = record.settings.get(_FLOAT_SETTINGS)
    of_float = given if isinstance(given, dict) else {}
    own = {"float": of_float, "qat": settings} if record.quantized == "qat" else {"float": of_float or settings}
    for stage in dict.fromkeys(_stage(epoch) for epoch in record.history):
        curves = _curves([epoch for epoch in record.history if _stage(epoch) == stage])
        yield _training(_TITLES.get(stage, stage), own.pop(stage, {}), curves)
    if settings in own.values() or record.quantized == "calibrated":
        yield _training("Calibration" if record.quantized == "calibrated" else "Settings", settings, {})


def _training(title: str, settings: Mapping[str, Any], curves: dict[str, Series]) -> Training:
    stages: Any = settings.get(_CALIBRATION)
    is_table = isinstance(stages, list) and all(map(_is_stage, stages))
    rows = [(name, value) for name, value in settings.items() if not (is_table and name == _CALIBRATION)]
    return Training(title=title, settings=rows, calibration=stages if is_table else [], curves=curves)


def _is_stage(value: Any) -> bool:
    is_row = isinstance(value, dict) and value.keys() >= _STAGE
    return is_row and isinstance(value["sqnr_db"], float | None)


def _stage(epoch: dict[str, Any]) -> str:
    return str(epoch.get("stage", ""))


def _curves(history: list[dict[str, Any]]) -> dict[str, Series]:
    """Returns curves of the history by their axis: every number of an epoch for loss, accuracy or agreement."""
    axes: dict[str, Series] = {}
    for index, epoch in enumerate(history, start=1):
        for name, value in epoch.items():
            axis = next((_AXES[word] for word in _AXES if word in name), None)
            if axis is None or isinstance(value, bool) or not isinstance(value, int | float):
                continue
            title = name.removesuffix("_share").replace("_", " ")
            axes.setdefault(axis[0], {}).setdefault(title, []).append((float(index), axis[1] * value))
    return axes
