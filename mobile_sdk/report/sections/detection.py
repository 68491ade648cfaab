"""Draws the report's section of detection: the boxes on golden pictures."""

from collections.abc import Iterator

import numpy as np

from mobile_sdk.contract import Contract
from mobile_sdk.report.data import Box, Boxes
from mobile_sdk.report.sections.golden import Golden, TaskSection
from mobile_sdk.tasks.boxes import detect


def golden_boxes(golden: Golden) -> Iterator[Boxes]:
    """Yields every bundle's expectation for a golden picture; bundles that expect the same boxes share one."""
    together: dict[tuple[Box, ...], list[str]] = {}
    for bundle in golden.bundles:
        boxes = tuple(_boxes(bundle.golden_output(golden.index), bundle.manifest.contract))
        together.setdefault(boxes, []).append(bundle.path.name)
    for boxes, names in together.items():
        yield Boxes(computed_by=", ".join(names), boxes=boxes)


def _boxes(output: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]", contract: Contract) -> Iterator[Box]:
    assert contract.detection is not None
    image = contract.image
    found = detect(output.reshape(-1, contract.output_columns), contract.detection, image.size_px)
    sides = (image.width_px, image.height_px) * 2
    for box, label, score in zip(found.boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True):
        left, top, right, bottom = (round(edge / side, 4) for edge, side in zip(box, sides, strict=True))
        share = round(min(score, 1.0), 4)
        yield Box(label=contract.labels[label], share=share, left=left, top=top, right=right, bottom=bottom)


SECTION = TaskSection(
    title="Average precision",
    quality_template="precision.html.j2",
    golden_template="boxes.html.j2",
    golden_note="Boxes are what the golden outputs give.",
    answers=golden_boxes,
)
