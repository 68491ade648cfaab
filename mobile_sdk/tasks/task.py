"""Defines the protocol of a task: the meaning of a net's output, as a bundle, a verdict and a report need it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.contract import Contract
from mobile_sdk.preprocess import LabelledPictures
from mobile_sdk.tasks.quality import Quality

Outputs = NDArray[np.generic]


class GoldenFile(ABC):
    """Reads and writes a file of a bundle with the meaning of a golden picture's expected output."""

    kind: ClassVar[str]  # the end of the file's name: `golden/0.<kind>`

    @abstractmethod
    def sizes(self, contract: Contract) -> tuple[int, int]:
        """Returns the smallest and the largest size, in bytes, that a reader takes."""

    @abstractmethod
    def encode(self, output: Outputs, contract: Contract) -> bytes:
        """Returns the file's bytes for a flat output."""

    @abstractmethod
    def refusal(self, written: bytes, output: Outputs, contract: Contract) -> str | None:
        """Returns the reason why the bytes are not the output's, or None if they are.

        It is "" if they are readable but differ.
        """


class Task(ABC):
    """Defines the deployment half of a task.

    Outputs come as (images, …), flattened or not, as codes or as real scores; several in one row an image.
    """

    measure: ClassVar[str]  # of quality, by its full name, as a manifest and a report have it
    short_measure: ClassVar[str]  # the head of a table's column
    check_name: ClassVar[str]  # the measure as the checks of a verdict name it
    counts_images: ClassVar[bool]  # quality is the share of images that are right; else it is a mean over all of them
    truth: ClassVar[str]  # what quality is measured by, for errors: "labels"
    known_pictures: ClassVar[str]  # those with that truth, as an error asks for them: "labelled pictures"
    truth_hint: ClassVar[str]  # how to get pictures with such a truth
    is_judged: ClassVar[bool] = True  # something says what is right, so that there is a quality
    has_one_output: ClassVar[bool] = True
    answer: ClassVar[Literal["label", "boxes", "mask", "outputs"]]  # what an app shows of a picture
    has_scores: ClassVar[bool]  # the output is few enough scores to be shown as they are
    output_description: ClassVar[str]  # for people who open a model file in their tools
    output_dtypes: ClassVar[tuple[str, ...]]  # those that the output may have
    golden_file: ClassVar[GoldenFile | None]  # the file with a golden output's meaning

    @abstractmethod
    def fits(self, shape: Sequence[int], contract: Contract) -> bool:
        """Tells whether an output of one image has a shape that the contract allows."""

    @abstractmethod
    def expected_shape(self, contract: Contract) -> str:
        """Returns the shape that `fits` asks for, in words."""

    def fits_together(self, shapes: Mapping[str, Sequence[int]], contract: Contract) -> bool:
        """Tells whether several outputs, by their names, stand for the one that the task has."""
        return False

    def as_one(self, outputs: Outputs, contract: Contract) -> Outputs:
        """Returns outputs (images, …) in the task's own form: a record's fields that stand for the one are joined."""
        return outputs

    @abstractmethod
    def top_classes(self, outputs: Outputs, contract: Contract) -> NDArray[np.int64]:
        """Returns the label index that each output is most certain of, or that most of it has.

        It is -1 if the output has a NaN or an infinity: nothing follows from such an output.
        """

    @abstractmethod
    def truths_of(
        self, pictures: LabelledPictures, labels: NDArray[np.int64], contract: Contract
    ) -> Any:  # of the task's own kind
        """Returns the truth of the pictures, whose label indices are `labels`; None if it is not known."""

    @abstractmethod
    def quality(self, outputs: Outputs, truths: Any, contract: Contract) -> Quality:
        """Measures outputs against the truth that `truths_of` returned."""
