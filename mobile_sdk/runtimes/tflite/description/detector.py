"""Tells MediaPipe's ObjectDetector how to read boxes that are decoded already: every anchor is the whole picture."""

from functools import cache
from pathlib import Path

from mobile_sdk.contract import Contract
from mobile_sdk.runtimes.flatbuffer.encoding import encode
from mobile_sdk.runtimes.flatbuffer.schema import Schema, read_schema

_WHOLE_PICTURE = {"x_center": 0.0, "y_center": 0.0, "width": 1.0, "height": 1.0}
"""MediaPipe's box is `raw / scale * side + centre` of its anchor: with this anchor and scales of one, `raw` itself."""


def encode_detector(anchors: int, contract: Contract) -> bytes:
    """Returns the content of DETECTOR_METADATA for so many anchors."""
    decoding = {
        "num_classes": len(contract.labels),
        "num_boxes": anchors,
        "num_coords": 4,
        "num_values_per_keypoint": 2,  # MediaPipe ends the process for any other number, without keypoints too
        **dict.fromkeys(("x_scale", "y_scale", "w_scale", "h_scale"), 1.0),
    }
    options = {
        "ssd_anchors_options": {"fixed_anchors_schema": {"anchors": [_WHOLE_PICTURE] * anchors}},
        "tensors_decoding_options": decoding,
    }
    return encode(detector_schema(), options)


@cache
def detector_schema() -> Schema:
    """Returns the schema of MediaPipe's description of a detector."""
    return read_schema(Path(__file__).with_name("detector.fbs"))
