"""Reads verdicts as schema 1 of `verify.json` spelled them: a field a measure, which schema 2 holds as one quality."""

import json
from typing import Any

from mobile_sdk.document import parse_json
from mobile_sdk.tasks.average_precision import COCO_MEASURE
from mobile_sdk.tasks.registry import TASKS

_CLASSIFICATION, _DETECTION, _SEGMENTATION = (task.measure for task in TASKS.values() if task.is_judged)


def upgraded(data: bytes) -> bytes:
    """Returns a `verify.json` of schema 1 as schema 2 spells it; any other file is returned unchanged."""
    try:
        content = parse_json(data)
        verdicts = [_upgraded(verdict) for verdict in content["verdicts"]]
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):
        return data
    return json.dumps({**content, "schema_number": 2, "verdicts": verdicts}).encode()


def upgraded_comparison(comparison: dict[str, Any] | None) -> dict[str, Any] | None:
    """Returns a comparison of scores as it is spelled now."""
    if comparison is None:
        return None
    return {("top1_agreement" if name == "top1_agreement_share" else name): each for name, each in comparison.items()}


def quality_of(hits: Any, precision: Any, overlap: Any) -> dict[str, Any] | None:
    """Returns the quality that three fields, two of them null, spelled."""
    if precision:
        others = {COCO_MEASURE: precision["coco_share"]}
        return {**_quality(_DETECTION, precision["at_half_share"], precision), "others": others}
    if overlap:
        return _quality(_SEGMENTATION, overlap["share"], overlap)
    return _quality(_CLASSIFICATION, hits["correct"] / hits["pictures"], hits) if hits else None


def _quality(measure: str, value: float, earlier: dict[str, Any]) -> dict[str, Any]:
    quality = {"measure": measure, "value": value, "images": earlier["pictures"]}
    return {**quality, "by_class": earlier["by_label"]} if earlier.get("by_label") else quality


def _upgraded(verdict: dict[str, Any]) -> dict[str, Any]:
    rest = {name: each for name, each in verdict.items() if name.removeprefix("reference_") not in _FIELDS}
    quality = {f"{of}quality": quality_of(*(verdict.get(of + name) for name in _FIELDS)) for of in ("", "reference_")}
    return {**rest, **quality, "schema_number": 2, "comparison": upgraded_comparison(verdict["comparison"])}


_FIELDS = ("accuracy", "precision_of_boxes", "mean_iou")
