"""Damaged bundles of segmenters: every way in which scores and golden masks can be wrong."""

from collections.abc import Callable
from pathlib import Path

from damage import Change, Damage, flip, list_file, replace_listed, sealed_again, unlist_file

MASK = "golden/0.mask.bin"


def _shape(change: Callable[[list[int]], list[int]]) -> Change:
    return lambda content: content["interface"]["output"].update(shape=change(content["interface"]["output"]["shape"]))


SEGMENTER_CHANGES: dict[str, Change] = {
    "a segmentation with a rule": lambda content: content.update(
        detection={"least_score_share": 0.5, "overlap_share": 0.5, "most": 100}
    ),
    "a segmentation called a classification": lambda content: content.update(task="classification"),
    "a segmentation of one label": lambda content: content.update(labels=["alone"]),
    "a segmentation of too many labels": lambda content: content.update(labels=[str(each) for each in range(256)]),
    "scores of other labels": _shape(lambda shape: [*shape[:3], shape[3] + 1]),
    "labels before pixels": _shape(lambda shape: [1, shape[3], *shape[1:3]]),
    "half of the pixels": _shape(lambda shape: [1, shape[1] // 2, *shape[2:]]),
    "pixels in one row": _shape(lambda shape: [1, shape[1] * shape[2], shape[3]]),
    "two pictures' pixels": _shape(lambda shape: [2, *shape[1:]]),
    "pixels' codes without a scale": lambda content: content["interface"]["output"].update(scale=None),
    "pixels' codes with a tolerance": lambda content: content["golden"].update(tolerance=1.0),
    "another commonest label": lambda content: content["golden"]["pictures"][0].update(top1_index=99),
}
"""What makes a segmenter's sealed manifest contradict its bundle."""


def segmenter_damages() -> dict[str, Damage]:
    """Every damage that only a segmenter's bundle can have, by its name."""
    return _SEGMENTER_FILES | sealed_again(SEGMENTER_CHANGES)


def _replaced(change: Callable[[bytes], bytes]) -> Damage:
    return lambda folder: replace_listed(folder, MASK, change((folder / MASK).read_bytes()))


def _louder(folder: Path) -> None:
    """One pixel's last label gets the largest score there is."""
    data = bytearray((folder / "golden/0.output.bin").read_bytes())
    data[9] = 127
    replace_listed(folder, "golden/0.output.bin", bytes(data))


_SEGMENTER_FILES: dict[str, Damage] = {
    "a mask that is missing": lambda folder: (folder / MASK).unlink(),
    "a mask that is not listed": lambda folder: unlist_file(folder, MASK),
    "a mask of no picture": lambda folder: list_file(folder, "golden/3.mask.bin"),
    "detections in a segmentation": lambda folder: list_file(folder, "golden/0.detections.json"),
    "a flipped byte of a mask": lambda folder: flip(folder, MASK),
    "a mask too short": _replaced(lambda data: data[:-1]),
    "a mask too long": _replaced(lambda data: data + b"\0"),
    "a mask of another label": _replaced(lambda data: bytes([data[0] ^ 1]) + data[1:]),
    "a mask of a label that is none": _replaced(lambda data: data[:-1] + b"\xff"),
    "a mask upside down": _replaced(lambda data: data[::-1]),
    "a mask of another output": _louder,
}
