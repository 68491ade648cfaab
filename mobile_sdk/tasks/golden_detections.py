"""`golden/N.detections.json`: what non-maximum suppression must make of a golden output, in every language."""

import json

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mobile_sdk.contract import Contract
from mobile_sdk.document import Document
from mobile_sdk.tasks.detection import detect

TOLERANCE = 1e-6  # of a score or a pixel: an exponential's last bit differs between languages


class GoldenDetection(Document):
    """One detection; `box_px` is left, top, right, bottom in pixels of the net's picture."""

    label_index: int = Field(ge=0)
    score: float
    box_px: tuple[float, float, float, float]

    def is_near(self, other: "GoldenDetection") -> bool:
        """Whether both have one label, and numbers that differ by less than a language may."""
        numbers = [np.array([each.score, *each.box_px]) for each in (self, other)]
        return self.label_index == other.label_index and bool(np.abs(numbers[0] - numbers[1]).max() <= TOLERANCE)


class GoldenDetections(Document):
    """The whole file: the detections of one golden picture by the contract's rule, best first."""

    detections: tuple[GoldenDetection, ...]

    def is_near(self, other: "GoldenDetections") -> bool:
        """Whether both are the same detections in the same order."""
        if len(self.detections) != len(other.detections):
            return False
        return all(one.is_near(another) for one, another in zip(self.detections, other.detections, strict=True))


def golden_detections(output: NDArray[np.generic], contract: Contract) -> GoldenDetections:
    """What a flat output says, by the contract's rule."""
    assert contract.detection is not None
    rows = output.reshape(-1, contract.output_columns)
    found = detect(rows, contract.detection, contract.image.size_px)
    return GoldenDetections(
        detections=tuple(
            GoldenDetection(label_index=int(label), score=float(score), box_px=(box[0], box[1], box[2], box[3]))
            for box, label, score in zip(found.boxes.tolist(), found.labels, found.scores, strict=True)
        )
    )


def encode(detections: GoldenDetections) -> bytes:
    """The file's bytes."""
    return (json.dumps(detections.model_dump(mode="json"), indent=1) + "\n").encode()
