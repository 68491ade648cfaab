"""Outputs of detectors with what must be detected in them, for the languages that repeat `mobile_sdk.tasks.detection`.

Beside random outputs there are those on which an implementation goes wrong: exact ties, overlaps of exactly the share
that is allowed, boxes beyond the edges or turned inside out, nothing found, one pile of boxes, and `most` reached.

No case is decided by an exponential's last bit, which differs between languages: scores are equal or well apart.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.contract import DetectionSpec
from mobile_sdk.tasks.detection import BOX_COLUMNS, Detections, detect, label_shares

ROUNDS = 30
_SEED = 20261125
_APART = 1e-9
_SATURATED = 60.0  # a logit whose share is 1 in double precision

Output = NDArray[np.float32]
Random = np.random.Generator


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectionCase:
    """One output (anchors, 4 + 1 + labels) with the rule's numbers."""

    name: str
    output: Output
    rule: DetectionSpec
    size_px: int

    @property
    def expected(self) -> Detections:
        """What Python detects."""
        return detect(self.output, self.rule, self.size_px)


def detection_cases() -> Iterator[DetectionCase]:
    """A few hundred; the same every time."""
    yield from _exact_cases()
    random = np.random.default_rng(_SEED)
    for name, make in _KINDS.items():
        made = 0
        while made < ROUNDS:
            case = make(f"{name} {made}", random)
            if _is_decided_alike_everywhere(case):
                made += 1
                yield case


def _is_decided_alike_everywhere(case: DetectionCase) -> bool:
    scores = np.append(label_shares(case.output).ravel(), case.rule.least_score_share)
    gaps = np.diff(np.sort(scores))
    return bool(((gaps == 0) | (gaps > _APART)).all())


def _exact_cases() -> Iterator[DetectionCase]:
    """Shares and overlaps that are exactly what the rule allows."""
    half = np.array([[0, 0, 8, 8, 0, 0]], np.float32)  # exp(0) / (exp(0) + exp(0))
    yield DetectionCase(name="a share of exactly the least", output=half, rule=DetectionSpec(), size_px=16)
    boxes = np.array([[0, 0, 8, 4], [0, 0, 4, 4], [0, 0, 5, 4], [4, 0, 8, 4]], np.float32)
    logits = np.array([[0, 9], [0, 8], [0, 7], [0, 6]], np.float32)
    output = np.concatenate([boxes, logits], axis=1)
    yield DetectionCase(name="overlaps of exactly the share", output=output, rule=DetectionSpec(), size_px=16)
    nothing = np.array([[0, 0, 8, 8, 9, 0, 0]] * 5, np.float32)
    yield DetectionCase(name="nothing in it", output=nothing, rule=DetectionSpec(), size_px=16)


def _any(name: str, random: Random) -> DetectionCase:
    output, size_px = _output(random)
    return DetectionCase(name=name, output=output, rule=_rule(random), size_px=size_px)


def _tied(name: str, random: Random) -> DetectionCase:
    """Rows that occur many times with boxes of their own, and labels that are equal in a row."""
    output, size_px = _output(random)
    few = random.integers(0, max(1, len(output) // 8), len(output))
    output[:, BOX_COLUMNS:] = output[few, BOX_COLUMNS:]
    output[:, -1] = output[:, BOX_COLUMNS + 1]
    return DetectionCase(name=name, output=output, rule=_rule(random), size_px=size_px)


def _saturated(name: str, random: Random) -> DetectionCase:
    """Shares of exactly 1, so that labels and anchors alone decide."""
    output, size_px = _output(random)
    output[:, BOX_COLUMNS:] = 0
    output[np.arange(len(output)), random.integers(BOX_COLUMNS, output.shape[1], len(output))] = _SATURATED
    return DetectionCase(name=name, output=output, rule=_rule(random), size_px=size_px)


def _piled(name: str, random: Random) -> DetectionCase:
    """Every box over every other."""
    output, size_px = _output(random)
    output[:, :BOX_COLUMNS] = output[0, :BOX_COLUMNS] + random.normal(0, 0.02 * size_px, (len(output), BOX_COLUMNS))
    return DetectionCase(name=name, output=output, rule=_rule(random), size_px=size_px)


def _whole(name: str, random: Random) -> DetectionCase:
    """Boxes on whole pixels, where equal overlaps and empty boxes are frequent."""
    output, size_px = _output(random)
    output[:, :BOX_COLUMNS] = random.integers(-2, 8, (len(output), BOX_COLUMNS))
    rule = _rule(random).model_copy(update={"overlap_share": float(random.choice([0.25, 0.5, 1 / 3]))})
    return DetectionCase(name=name, output=output, rule=rule, size_px=size_px)


def _beyond(name: str, random: Random) -> DetectionCase:
    """Boxes that leave the picture, lie outside of it or are turned inside out."""
    output, size_px = _output(random)
    output[:, :BOX_COLUMNS] = random.uniform(-2 * size_px, 3 * size_px, (len(output), BOX_COLUMNS))
    return DetectionCase(name=name, output=output, rule=_rule(random), size_px=size_px)


def _few(name: str, random: Random) -> DetectionCase:
    """Fewer are kept than are there."""
    output, size_px = _output(random)
    rule = DetectionSpec(least_score_share=0.05, overlap_share=0.95, most=int(random.integers(1, 6)))
    return DetectionCase(name=name, output=output, rule=rule, size_px=size_px)


def _unsure(name: str, random: Random) -> DetectionCase:
    """Nothing, or next to nothing, is found."""
    output, size_px = _output(random)
    output[:, BOX_COLUMNS] += random.uniform(4, 20)
    return DetectionCase(name=name, output=output, rule=_rule(random), size_px=size_px)


_KINDS: dict[str, Callable[[str, Random], DetectionCase]] = {
    "any": _any,
    "tied": _tied,
    "saturated": _saturated,
    "piled": _piled,
    "whole pixels": _whole,
    "beyond the edges": _beyond,
    "most reached": _few,
    "unsure": _unsure,
}


def _output(random: Random) -> tuple[Output, int]:
    anchors, labels, size_px = (int(each) for each in random.integers((1, 1, 16), (90, 12, 320)))
    starts = random.uniform(0, 0.8 * size_px, (anchors, 2))
    sides = random.uniform(0, 0.6 * size_px, (anchors, 2))
    logits = random.normal(0, 2.5, (anchors, 1 + labels))
    return np.concatenate([starts, starts + sides, logits], axis=1).astype(np.float32), size_px


def _rule(random: Random) -> DetectionSpec:
    least, overlap = (float(each) for each in random.uniform(0.05, 0.6, 2))
    return DetectionSpec(least_score_share=least, overlap_share=overlap, most=int(random.choice([5, 20, 100])))
