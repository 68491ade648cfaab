"""Reports as schema 1 of `report.json` spelled them: lines and golden answers in a field a task."""

import json
from typing import Any

from pydantic import ValidationError

from mobile_sdk.contract import Task
from mobile_sdk.document import parse_json
from mobile_sdk.program.earlier_documents import EarlierRecord
from mobile_sdk.tasks.registry import TASKS
from mobile_sdk.verification.earlier_verdicts import quality_of, upgraded_comparison

_LINES: dict[Task, str] = {"classification": "accuracies", "detection": "precisions", "segmentation": "overlaps"}
_ANSWERS = ("predictions", "detections", "masks")


def upgraded(data: bytes) -> bytes:
    """Returns a `report.json` of schema 1 as schema 2 spells it; any other file is returned unchanged."""
    try:
        return json.dumps(_upgraded(parse_json(data))).encode()
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError, ValidationError):
        return data


def _upgraded(report: dict[str, Any]) -> dict[str, Any]:
    task: Task = next((name for name, field in _LINES.items() if report.get(field)), "classification")
    rest = {name: each for name, each in report.items() if name not in _LINES.values()}
    record = report.get("record")
    return {
        **rest,
        "schema_number": 2,
        "task": task,
        "qualities": [_line(task, line) for line in report.get(_LINES[task], ())],
        "record": _record(record, TASKS[task].measure) if record else None,
        "bundles": [
            {**bundle, "distance": upgraded_comparison(bundle["distance"])} for bundle in report.get("bundles", ())
        ],
        "golden": [_golden(picture) for picture in report.get("golden", ())],
    }


def _line(task: str, line: dict[str, Any]) -> dict[str, Any]:
    quality = quality_of(*(line if name == task else None for name in _LINES))
    return {"computed_by": line["computed_by"], "quality": quality}


def _record(record: dict[str, Any], measure: str) -> dict[str, Any]:
    return EarlierRecord.model_validate_json(json.dumps(record)).read(measure).model_dump(mode="json")


def _golden(picture: dict[str, Any]) -> dict[str, Any]:
    rest = {name: each for name, each in picture.items() if name not in _ANSWERS}
    return {**rest, "answers": [answer for name in _ANSWERS for answer in picture.get(name, ())]}
