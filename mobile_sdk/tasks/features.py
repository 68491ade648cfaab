"""Defines features: a net's raw outputs, any number of them in any shape; nothing says what is right."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.contract import Contract
from mobile_sdk.preprocess import LabelledPictures
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.tasks.task import Outputs, Task

MOST_SIDES = 5  # of an output, its batch included


class Features(Task):
    """Implements the deployment half of features: embeddings, keypoints, heat maps, a detector's raw maps."""

    measure = "agreement with the float net"
    short_measure = "–"
    check_name = "agreement"
    counts_images = False
    truth = "labels"
    known_pictures = "labelled pictures"
    truth_hint = "take another task: features have no labels"
    is_judged = False
    has_one_output = False
    has_scores = False
    answer = "outputs"
    output_description = "Raw values of the net; a map's channels come last"
    output_dtypes = ("int8", "float32")
    golden_file = None

    def fits(self, shape: Sequence[int], contract: Contract) -> bool:
        """Tells whether the output has a batch of one and one to four sides."""
        return 1 < len(shape) <= MOST_SIDES and shape[0] == 1 and min(shape) > 0

    def expected_shape(self, contract: Contract) -> str:
        """Returns that shape in words."""
        return f"(1, …) with one to {MOST_SIDES - 1} sides behind the batch"

    def top_classes(self, outputs: Outputs, contract: Contract) -> NDArray[np.int64]:
        """Returns 0 for every picture, as no label can win; -1 if there is a NaN or an infinity."""
        is_finite = np.isfinite(outputs.reshape(len(outputs), -1)).all(axis=1)
        return np.where(is_finite, 0, -1)

    def truths_of(self, pictures: LabelledPictures, labels: NDArray[np.int64], contract: Contract) -> None:
        """Returns None always."""

    def quality(self, outputs: Outputs, truths: Any, contract: Contract) -> Quality:
        """Is never called: there is no truth."""
        raise TypeError("features have no truth to be measured by")
