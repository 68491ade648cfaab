"""Defines a task's section: how its quality is shown, and every way's result for a golden picture."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.preprocess import LabelledPictures
from mobile_sdk.report.data import Boxes, GoldenPicture, MaskDrawing, OutputRanges, Prediction
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
class Opinion:
    """Holds the label that several ways put first for a picture, with the first one's probability."""

    label: str
    share: float
    computed_by: tuple[str, ...]
    is_right: bool | None  # None if the true label is not known


def opinions(picture: GoldenPicture) -> list[Opinion]:
    """Returns the labels that are put first for a picture, each once, the reference's before others."""
    together: dict[str, list[Prediction]] = {}
    for each in picture.answers:
        if isinstance(each, Prediction) and each.scores:
            together.setdefault(each.scores[0].label, []).append(each)
    return [
        Opinion(
            label=label,
            share=predictions[0].scores[0].share,
            computed_by=tuple(each.computed_by for each in predictions),
            is_right=None if picture.label is None else label == picture.label,
        )
        for label, predictions in together.items()
    ]


@dataclass(frozen=True, kw_only=True)
class TaskSection:
    """Holds a task's part of the page: its templates, a sentence on golden pictures, and every way's result for one.

    `glance_template` shows a golden picture at the head of the page, which has the first `glanced` of them.
    """

    title: str
    quality_template: str
    golden_template: str
    glance_template: str
    glanced: int
    golden_note: str
    answers: Callable[[Golden], Iterator[Prediction | Boxes | MaskDrawing | OutputRanges]]
