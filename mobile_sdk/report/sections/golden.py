"""Defines a task's section: how its quality is shown, and every way's result for a golden picture."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.preprocess import LabelledPictures
from mobile_sdk.report.data import Boxes, MaskDrawing, OutputRanges, Prediction
from mobile_sdk.verification.verdict import Verdict


@dataclass(frozen=True, kw_only=True, eq=False)
class Golden:
    """Holds a golden picture of `bundles`, the verdicts on them, and the pictures that golden ones were chosen of."""

    index: int
    bundles: Sequence[Bundle]
    verdicts: Sequence[Verdict]
    titles: Sequence[str]  # of the verdicts
    pictures: LabelledPictures | None


@dataclass(frozen=True, kw_only=True)
class TaskSection:
    """Holds a task's part of the page: two templates, a sentence on golden pictures, and every way's result for one."""

    title: str
    quality_template: str
    golden_template: str
    golden_note: str
    answers: Callable[[Golden], Iterator[Prediction | Boxes | MaskDrawing | OutputRanges]]
