"""Damaged bundles of detectors: every way in which the rule, the boxes and the golden detections can be wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from damage import Change, Content, Damage, flip, list_file, replace_listed, sealed_again, unlist_file

DETECTIONS = "golden/0.detections.json"


def _rule(**numbers: Any) -> Change:
    return lambda content: content["detection"].update(numbers)


def _output(**fields: Any) -> Change:
    return lambda content: content["interface"]["output"].update(fields)


def _shape(change: Callable[[list[int]], list[int]]) -> Change:
    return lambda content: content["interface"]["output"].update(shape=change(content["interface"]["output"]["shape"]))


DETECTOR_CHANGES: dict[str, Change] = {
    "no rule": lambda content: content.pop("detection"),
    "a rule that is null": lambda content: content.update(detection=None),
    "a rule that is a list": lambda content: content.update(detection=[0.5, 0.5, 100]),
    "a classification with a rule": lambda content: content.update(task="classification"),
    "an unknown task": lambda content: content.update(task="telepathy"),
    "an unknown number of the rule": _rule(colour=1),
    "a missing number of the rule": lambda content: content["detection"].pop("most"),
    "a missing share of the rule": lambda content: content["detection"].pop("overlap_share"),
    "a number of the rule as text": _rule(most="100"),
    "a fraction of detections": _rule(most=100.0),
    "a least share of nothing": _rule(least_score_share=0),
    "a least share of everything": _rule(least_score_share=1.0),
    "an overlap of nothing": _rule(overlap_share=0.0),
    "an overlap of everything": _rule(overlap_share=1),
    "none kept": _rule(most=0),
    "too many kept": _rule(most=1001),
    "columns of other labels": _shape(lambda shape: [*shape[:2], shape[2] + 1]),
    "a flat output": _shape(lambda shape: [1, shape[1] * shape[2]]),
    "two pictures' output": _shape(lambda shape: [2, *shape[1:]]),
    "no anchors": _shape(lambda shape: [1, 0, shape[2]]),
    "fewer anchors": _shape(lambda shape: [1, shape[1] - 1, shape[2]]),
    "boxes in codes": _output(dtype="int8", scale=0.5, zero_point=0),
    "boxes with a scale": _output(scale=0.5, zero_point=0),
    "a label of a thing that is none": lambda content: content["golden"]["pictures"][0].update(label_index=3),
    "a thing that does not win": lambda content: content["golden"]["pictures"][0].update(top1_index=99),
    "a rule of less": _rule(least_score_share=0.01),
    "a rule of fewer": _rule(most=1),
    "a rule of other overlaps": _rule(overlap_share=0.01),
}
"""What makes a detector's sealed manifest contradict its bundle."""


def detector_damages() -> dict[str, Damage]:
    """Every damage that only a detector's bundle can have, by its name."""
    return _DETECTOR_FILES | sealed_again(DETECTOR_CHANGES)


def moved_scores(folder: Path, *, by: float) -> None:
    """Adds to every score of the first golden detections."""
    _redetect(folder, lambda found: [{**each, "score": each["score"] + by} for each in found])


def _redetect(folder: Path, change: Callable[[list[Content]], list[Any]]) -> None:
    found = json.loads((folder / DETECTIONS).read_bytes())["detections"]
    replace_listed(folder, DETECTIONS, json.dumps({"detections": change(found)}).encode())


def _first(**fields: Any) -> Damage:
    """Changes fields of the surest golden detection."""
    return lambda folder: _redetect(folder, lambda found: [{**found[0], **fields}, *found[1:]])


def _detections(data: bytes) -> Damage:
    return lambda folder: replace_listed(folder, DETECTIONS, data)


def _spoil_output(folder: Path) -> None:
    data = (folder / "golden/0.output.bin").read_bytes()
    replace_listed(folder, "golden/0.output.bin", b"\0\0\xc0\x7f" + data[4:])  # a NaN


_DETECTOR_FILES: dict[str, Damage] = {
    "detections that are missing": lambda folder: (folder / DETECTIONS).unlink(),
    "detections that are not listed": lambda folder: unlist_file(folder, DETECTIONS),
    "detections of no picture": lambda folder: list_file(folder, "golden/3.detections.json"),
    "a flipped byte of detections": lambda folder: flip(folder, DETECTIONS),
    "detections that are no JSON": _detections(b'{"detections": ['),
    "detections that are no object": _detections(b"[]"),
    "detections that are no list": _detections(b'{"detections": {}}'),
    "detections that are no UTF-8": _detections(b'{"detections": ["\xff"]}'),
    "detections with NaN": _detections(b'{"detections": [NaN]}'),
    "no detections at all": _detections(b"{}"),
    "nothing detected": _detections(b'{"detections": []}'),
    "detections with a field too many": _detections(b'{"detections": [], "colour": "red"}'),
    "too many bytes of detections": _detections(b" " * 2**20 + b'{"detections": []}'),
    "a detection less": lambda folder: _redetect(folder, lambda found: found[:-1]),
    "a detection twice": lambda folder: _redetect(folder, lambda found: [*found, found[-1]]),
    "detections in another order": lambda folder: _redetect(folder, lambda found: [found[1], found[0], *found[2:]]),
    "a detection that is a list": lambda folder: _redetect(folder, lambda found: [[], *found[1:]]),
    "a detection of another label": lambda folder: _redetect(
        folder, lambda found: [{**found[0], "label_index": (found[0]["label_index"] + 1) % 3}, *found[1:]]
    ),
    "a detection of no label": _first(label_index=-1),
    "a detection's label as text": _first(label_index="1"),
    "a detection's label as a fraction": _first(label_index=1.0),
    "a detection's score as text": _first(score="0.9"),
    "a detection's score as truth": _first(score=True),
    "a detection with a field too many": _first(colour="red"),
    "a box of three sides": _first(box_px=[1.0, 2.0, 3.0]),
    "a box of five sides": _first(box_px=[1.0, 2.0, 3.0, 4.0, 5.0]),
    "another box": _first(box_px=[1.0, 2.0, 3.0, 4.0]),
    "scores a little off": lambda folder: moved_scores(folder, by=1e-5),
    "an output with a NaN": _spoil_output,
}
