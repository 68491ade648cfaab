"""Defines detection: an output is a box and logits an anchor, and its quality is COCO's average precision."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from mobile_sdk.contract import Contract, DetectionSpec
from mobile_sdk.document import Document
from mobile_sdk.preprocess import LabelledPictures
from mobile_sdk.tasks.average_precision import MEASURE, average_precision
from mobile_sdk.tasks.boxes import BOX_COLUMNS, PicturesWithBoxes, Truth, best_labels, detect
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.tasks.task import GoldenFile, Outputs, Task

SCORE_THRESHOLD = 0.01  # detections below it move the average by less than it is printed with
TOLERANCE = 1e-6  # of a score or a pixel: earlier versions took a library's exponential
LOCATION, SCORE = "location", "score"
"""A detector that gives probabilities has these two outputs, as MediaPipe calls them: every anchor's box (vertical and
horizontal centre, height, width, as shares of the picture), and its labels' shares."""
_LEAST_SHARE = 1e-300  # a share of zero has no logit
_MOST_BYTES = 2**20  # a thousand detections take a fifth of it


class GoldenDetection(Document):
    """Holds one detection; `box_px` is left, top, right, bottom in pixels of the net's picture."""

    label_index: int = Field(ge=0, le=2**31 - 1)
    score: float
    box_px: tuple[float, float, float, float]

    def is_near(self, other: "GoldenDetection") -> bool:
        """Tells whether both have one label, and numbers that differ by less than a language may."""
        numbers = [np.array([each.score, *each.box_px]) for each in (self, other)]
        return self.label_index == other.label_index and bool(np.abs(numbers[0] - numbers[1]).max() <= TOLERANCE)


class GoldenDetections(Document):
    """Holds the detections of one golden picture by the contract's rule, best first: a `golden/N.detections.json`."""

    detections: tuple[GoldenDetection, ...]

    def is_near(self, other: "GoldenDetections") -> bool:
        """Tells whether both have near detections in one order."""
        if len(self.detections) != len(other.detections):
            return False
        return all(one.is_near(another) for one, another in zip(self.detections, other.detections, strict=True))


class DetectionsFile(GoldenFile):
    """Reads and writes the file `golden/N.detections.json`."""

    kind = "detections.json"

    def sizes(self, contract: Contract) -> tuple[int, int]:
        """Returns the smallest and the largest size, in bytes, that a reader takes."""
        return 0, _MOST_BYTES

    def encode(self, output: Outputs, contract: Contract) -> bytes:
        """Returns the file's bytes for a flat output."""
        return (json.dumps(golden_detections(output, contract).model_dump(mode="json"), indent=1) + "\n").encode()

    def refusal(self, written: bytes, output: Outputs, contract: Contract) -> str | None:
        """Returns the reason why the bytes are not the output's detections, or None."""
        try:
            found = GoldenDetections.model_validate_json(written, strict=True)
        except ValidationError as error:
            return str(error.errors(include_url=False)[0]["msg"])
        return None if found.is_near(golden_detections(output, contract)) else ""


class Detection(Task):
    """Implements the deployment half of detection."""

    measure = MEASURE
    short_measure = "AP at 0.5 %"
    check_name = "precision"
    counts_images = False
    truth = "boxes"
    known_pictures = "pictures with boxes"
    truth_hint = "load them with their boxes"
    has_scores = False
    answer = "boxes"
    output_description = (
        "A row an anchor: left, top, right, bottom in pixels, then the logits of nothing and of every label"
    )
    output_dtypes = ("float32",)
    golden_file = DetectionsFile()

    def fits(self, shape: Sequence[int], contract: Contract) -> bool:
        """Tells whether there is a row an anchor, with a box and all logits."""
        return len(shape) == 3 and min(shape) > 0 and tuple(shape[::2]) == (1, contract.output_columns)

    def expected_shape(self, contract: Contract) -> str:
        """Returns that shape in words."""
        return f"(1, anchors, {contract.output_columns})"

    def fits_together(self, shapes: Mapping[str, Sequence[int]], contract: Contract) -> bool:
        """Tells whether they are the boxes and the labels' shares of as many anchors."""
        if tuple(shapes) != (LOCATION, SCORE):
            return False
        boxes, shares = (tuple(shape) for shape in shapes.values())
        anchors = boxes[1] if len(boxes) == 3 else 0
        return anchors > 0 and (boxes, shares) == ((1, anchors, BOX_COLUMNS), (1, anchors, len(contract.labels)))

    def as_one(self, outputs: Outputs, contract: Contract) -> Outputs:
        """Returns rows of anchors for boxes and shares: edges in pixels, and logarithms, whose softmax they are."""
        if outputs.dtype.names is None:
            return outputs
        records: Any = outputs.reshape(len(outputs))
        boxes, shares = (records[name].astype(np.float64) for name in (LOCATION, SCORE))
        vertical, horizontal, height, width = np.moveaxis(boxes, -1, 0)
        centres = np.stack([horizontal, vertical, horizontal, vertical], axis=-1)
        halves = np.stack([-width, -height, width, height], axis=-1) / 2
        sides = np.array([contract.image.width_px, contract.image.height_px] * 2)
        nothing = np.maximum(1 - shares.sum(axis=-1, keepdims=True), 0)
        logits = np.log(np.maximum(np.concatenate([nothing, shares], axis=-1), _LEAST_SHARE))
        return np.concatenate([(centres + halves) * sides, logits], axis=-1)

    def top_classes(self, outputs: Outputs, contract: Contract) -> NDArray[np.int64]:
        """Returns the label of each image's most certain anchor; -1 if there is a NaN or an infinity."""
        return best_labels(_rows(outputs, contract))

    def truths_of(
        self, pictures: LabelledPictures, labels: NDArray[np.int64], contract: Contract
    ) -> tuple[Truth, ...] | None:
        """Returns the boxes of each picture; None if they are not known."""
        return pictures.truths_in(contract.image) or None if isinstance(pictures, PicturesWithBoxes) else None

    def quality(self, outputs: Outputs, truths: Sequence[Truth], contract: Contract) -> Quality:
        """Measures the average precision of the detections after non-maximum suppression."""
        asked = contract.detection or DetectionSpec()
        spec = DetectionSpec(score_threshold=SCORE_THRESHOLD, iou_threshold=asked.iou_threshold)
        found = [detect(output, spec, contract.image.size_px) for output in _rows(outputs, contract)]
        return average_precision(found, truths, len(contract.labels))


def golden_detections(output: Outputs, contract: Contract) -> GoldenDetections:
    """Returns the detections in a flat output, by the contract's rule."""
    assert contract.detection is not None
    found = detect(output.reshape(-1, contract.output_columns), contract.detection, contract.image.size_px)
    return GoldenDetections(
        detections=tuple(
            GoldenDetection(label_index=int(label), score=float(score), box_px=(box[0], box[1], box[2], box[3]))
            for box, label, score in zip(found.boxes.tolist(), found.labels, found.scores, strict=True)
        )
    )


def _rows(outputs: Outputs, contract: Contract) -> Outputs:
    return outputs.reshape(len(outputs), -1, contract.output_columns)
