"""Draws the report's section of detection: the boxes on golden pictures."""

from collections.abc import Iterator

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.previewing.answer import answer_of
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
    for thing in answer_of(bundle.golden_output(index), bundle.manifest).found:
        left, top, right, bottom = (round(edge, 4) for edge in thing.area)
        share = round(min(thing.what.share, 1.0), 4)
        yield Box(label=thing.what.label, share=share, left=left, top=top, right=right, bottom=bottom)


SECTION = TaskSection(
    title="Average precision",
    quality_template="precision.html.j2",
    golden_template="boxes.html.j2",
    golden_note="Boxes are what the golden outputs give.",
    answers=golden_boxes,
)
