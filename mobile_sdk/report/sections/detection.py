"""What a report says of a detector: its average precision, and the boxes on its golden pictures."""

from collections.abc import Iterator, Sequence

import numpy as np

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.contract import Contract
from mobile_sdk.report.data import Box, Boxes, PrecisionLine
from mobile_sdk.report.lines import in_order, reference_of
from mobile_sdk.tasks.detection import detect
from mobile_sdk.verification.verdict import Verdict


def precisions(verdicts: Sequence[Verdict], titles: Sequence[str]) -> Iterator[PrecisionLine]:
    """The float net and the reference, then every runtime; `titles` are the verdicts'."""
    return in_order(
        PrecisionLine(computed_by=computed_by, **precision.model_dump(exclude={"by_label"}))
        for verdict, title in zip(verdicts, titles, strict=True)
        for computed_by, precision in (
            (reference_of(verdict), verdict.reference_precision_of_boxes),
            (title, verdict.precision_of_boxes),
        )
        if precision
    )


def golden_boxes(bundles: Sequence[Bundle], titles: Sequence[str], index: int) -> Iterator[Boxes]:
    """What each bundle expects in its golden picture `index`, those that expect the same boxes together."""
    together: dict[tuple[Box, ...], list[str]] = {}
    for bundle, title in zip(bundles, titles, strict=True):
        boxes = tuple(_boxes(bundle.golden_output(index), bundle.manifest.contract))
        together.setdefault(boxes, []).append(title)
    for boxes, names in together.items():
        yield Boxes(computed_by=", ".join(names), boxes=boxes)


def _boxes(output: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]", contract: Contract) -> Iterator[Box]:
    assert contract.detection is not None
    size = contract.image.size_px
    found = detect(output.reshape(-1, contract.output_columns), contract.detection, size)
    for box, label, score in zip(found.boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True):
        left, top, right, bottom = (round(side / size, 4) for side in box)
        share = round(min(score, 1.0), 4)
        yield Box(label=contract.labels[label], share=share, left=left, top=top, right=right, bottom=bottom)
