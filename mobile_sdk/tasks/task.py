"""The protocol of a task: all that a bundle, a verdict and a report ask of what a net's output means."""

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
    """A file of a bundle that says what the expected output of a golden picture means; `kind` ends its name."""

    @property
    def kind(self) -> str:
        """The end of the file's name: `golden/0.<kind>`."""
        ...

    def sizes(self, contract: Contract) -> tuple[int, int]:
        """Returns the smallest and the largest size, in bytes, that a reader takes."""
        ...

    def encode(self, output: Outputs, contract: Contract) -> bytes:
        """Returns the file's bytes for a flat output."""
        ...

    def refusal(self, written: bytes, output: Outputs, contract: Contract) -> str | None:
        """Says why the bytes are not what the output gives: "" where they say something else; None where they are."""
        ...


class Task(Protocol):
    """The deployment half of a task. Outputs come as (images, …), flattened or not, as codes or as real scores."""

    @property
    def measure(self) -> str:
        """The measure of quality by its full name, as a manifest and a report say it."""
        ...

    @property
    def short_measure(self) -> str:
        """The same as the head of a table's column."""
        ...

    @property
    def check_name(self) -> str:
        """The measure as the checks of a verdict name it."""
        ...

    @property
    def counts_images(self) -> bool:
        """Tells whether the quality is the share of images that are right; else it is a mean over all of them."""
        ...

    @property
    def truth(self) -> str:
        """The truth that quality is measured by, as an error names it: "labels"."""
        ...

    @property
    def truth_hint(self) -> str:
        """How pictures with such a truth come about."""
        ...

    @property
    def has_scores(self) -> bool:
        """Tells whether the output is few enough scores to be shown as they are."""
        ...

    @property
    def output_description(self) -> str:
        """The output's meaning, for people who open a model file in their tools."""
        ...

    @property
    def output_dtypes(self) -> tuple[str, ...]:
        """The dtypes that the output may have."""
        ...

    @property
    def golden_file(self) -> GoldenFile | None:
        """The file that says what a golden output means, where there is one."""
        ...

    def fits(self, shape: Sequence[int], contract: Contract) -> bool:
        """Tells whether an output of one image has a shape that the contract allows."""
        ...

    def expected_shape(self, contract: Contract) -> str:
        """Returns the shape that `fits` asks for, in words."""
        ...

    def top_classes(self, outputs: Outputs, contract: Contract) -> NDArray[np.int64]:
        """Returns the label index that each output is surest of, or that most of it has; -1 where it holds a NaN."""
        ...

    def truths_of(
        self, pictures: LabelledPictures, labels: NDArray[np.int64], contract: Contract
    ) -> Any:  # of the task's own kind
        """Returns what is known of the pictures, whose label indices are `labels`; None where nothing is."""
        ...

    def quality(self, outputs: Outputs, truths: Any, contract: Contract) -> Quality:
        """Measures outputs against what `truths_of` returned."""
        ...


Registry = Mapping[Name, Task]
