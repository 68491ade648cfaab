"""Defines the protocol of a task: the meaning of a net's output, as a bundle, a verdict and a report need it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.contract import Contract
from mobile_sdk.contract import Task as Name
from mobile_sdk.preprocess import LabelledPictures
from mobile_sdk.tasks.quality import Quality

Outputs = NDArray[np.generic]


class GoldenFile(Protocol):
    """Defines a file of a bundle with the meaning of a golden picture's expected output; `kind` ends its name."""

    @property
    def kind(self) -> str:
        """Returns the end of the file's name: `golden/0.<kind>`."""
        ...

    def sizes(self, contract: Contract) -> tuple[int, int]:
        """Returns the smallest and the largest size, in bytes, that a reader takes."""
        ...

    def encode(self, output: Outputs, contract: Contract) -> bytes:
        """Returns the file's bytes for a flat output."""
        ...

    def refusal(self, written: bytes, output: Outputs, contract: Contract) -> str | None:
        """Returns the reason why the bytes are not the output's, or None if they are.

        It is "" if they are readable but differ.
        """
        ...


class Task(Protocol):
    """Defines the deployment half of a task.

    Outputs come as (images, …), flattened or not, as codes or as real scores.
    """

    @property
    def measure(self) -> str:
        """Returns the measure of quality by its full name, as a manifest and a report have it."""
        ...

    @property
    def short_measure(self) -> str:
        """Returns the measure as the head of a table's column."""
        ...

    @property
    def check_name(self) -> str:
        """Returns the measure as the checks of a verdict name it."""
        ...

    @property
    def counts_images(self) -> bool:
        """Tells whether the quality is the share of images that are right; else it is a mean over all of them."""
        ...

    @property
    def truth(self) -> str:
        """Returns the name of the truth that quality is measured by, for errors: "labels"."""
        ...

    @property
    def known_pictures(self) -> str:
        """Pictures with that truth, as an error asks for them: "labelled pictures"."""
        ...

    @property
    def truth_hint(self) -> str:
        """Returns a hint how to get pictures with such a truth."""
        ...

    @property
    def has_scores(self) -> bool:
        """Tells whether the output is few enough scores to be shown as they are."""
        ...

    @property
    def output_description(self) -> str:
        """Returns the output's meaning, for people who open a model file in their tools."""
        ...

    @property
    def output_dtypes(self) -> tuple[str, ...]:
        """Returns the dtypes that the output may have."""
        ...

    @property
    def golden_file(self) -> GoldenFile | None:
        """Returns the file with a golden output's meaning, if there is one."""
        ...

    def fits(self, shape: Sequence[int], contract: Contract) -> bool:
        """Tells whether an output of one image has a shape that the contract allows."""
        ...

    def expected_shape(self, contract: Contract) -> str:
        """Returns the shape that `fits` asks for, in words."""
        ...

    def top_classes(self, outputs: Outputs, contract: Contract) -> NDArray[np.int64]:
        """Returns the label index that each output is most certain of, or that most of it has; -1 if it has a NaN."""
        ...

    def truths_of(
        self, pictures: LabelledPictures, labels: NDArray[np.int64], contract: Contract
    ) -> Any:  # of the task's own kind
        """Returns the truth of the pictures, whose label indices are `labels`; None if it is not known."""
        ...

    def quality(self, outputs: Outputs, truths: Any, contract: Contract) -> Quality:
        """Measures outputs against the truth that `truths_of` returned."""
        ...


Registry = Mapping[Name, Task]
