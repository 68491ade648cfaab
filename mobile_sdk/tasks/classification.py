"""Defines classification: an output is one score a label, and its quality is top-1 accuracy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.comparison import top1
from mobile_sdk.contract import Contract
from mobile_sdk.preprocess import LabelledPictures
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.tasks.task import Outputs, Task

MEASURE = "top-1 accuracy"


class Classification(Task):
    """Implements the deployment half of classification."""

    measure = MEASURE
    short_measure = "top-1 %"
    check_name = "accuracy"
    counts_images = True
    truth = "labels"
    known_pictures = "labelled pictures"
    truth_hint = "lay them out as FOLDER/<label>/*.jpg"
    has_scores = True
    answer = "label"
    output_description = "One score a label, in the order of the metadata's labels; no softmax"
    output_dtypes = ("int8", "float32")
    golden_file = None

    def fits(self, shape: Sequence[int], contract: Contract) -> bool:
        """Tells whether there is one score a label."""
        return tuple(shape) == (1, contract.output_columns)

    def expected_shape(self, contract: Contract) -> str:
        """Returns that shape in words."""
        return f"(1, {contract.output_columns}), one score a label"

    def top_classes(self, outputs: Outputs, contract: Contract) -> NDArray[np.int64]:
        """Returns the index of each image's largest score, the lowest of equal ones.

        It is -1 if there is a NaN or an infinity.
        """
        return top1(outputs.reshape(len(outputs), -1))

    def truths_of(
        self, pictures: LabelledPictures, labels: NDArray[np.int64], contract: Contract
    ) -> NDArray[np.int64] | None:
        """Returns the label indices; None if no picture has a label."""
        return labels if labels.max(initial=-1) >= 0 else None

    def quality(self, outputs: Outputs, truths: NDArray[np.int64], contract: Contract) -> Quality:
        """Measures the share of images whose label has the largest score."""
        is_right = self.top_classes(outputs, contract) == truths
        return Quality(measure=MEASURE, value=float(is_right.mean()), images=len(truths))
