"""Draws the report's section of detection: the boxes on golden pictures."""

from collections.abc import Iterator

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.prediction.predictions import BoxPrediction
from mobile_sdk.report.data import Box, Boxes
from mobile_sdk.report.sections.golden import Golden, TaskSection


def golden_boxes(golden: Golden) -> Iterator[Boxes]:
    """Yields every bundle's expectation for a golden picture; bundles that expect the same boxes share one."""
    together: dict[tuple[Box, ...], list[str]] = {}
    for bundle in golden.bundles:
        boxes = tuple(_boxes(bundle, golden.index))
        together.setdefault(boxes, []).append(bundle.path.name)
    for boxes, names in together.items():
        yield Boxes(computed_by=", ".join(names), boxes=boxes)


def _boxes(bundle: Bundle, index: int) -> Iterator[Box]:
    prediction = bundle.golden_prediction(index)
    assert isinstance(prediction, BoxPrediction)
    for thing in prediction.objects:
        left, top, right, bottom = (round(edge, 4) for edge in thing.area)
        share = round(min(thing.score, 1.0), 4)
        yield Box(label=thing.label, share=share, left=left, top=top, right=right, bottom=bottom)


SECTION = TaskSection(
    title="Average precision",
    quality_template="precision.html.j2",
    golden_template="boxes.html.j2",
    glance_template="boxes.html.j2",
    glanced=1,
    golden_note="Boxes are what the golden outputs give.",
    answers=golden_boxes,
)
