"""The pictures with boxes or masks that an epoch learns from: the same ones always, or composed anew for each."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from mobile_sdk.contract import ImageSpec
from qat.data.annotated_set import AnnotatedSet

Pictures = TypeVar("Pictures", bound=AnnotatedSet[Any])


class TrainingPictures(Generic[Pictures]):
    """Gives the training pictures of a 0-based epoch, the same ones whenever it is asked for them.

    Fixed ones that are augmented are made none larger than crops of them need, once a run. Of composed ones the first
    epoch's stand for all where runs are told apart: what composes is a function, and how it would compose later epochs
    is not known. So they are made before a run begins, and kept until it takes them.
    """

    def __init__(
        self, fixed: Pictures, compose: Callable[[int], Pictures] | None, spec: ImageSpec, *, are_augmented: bool
    ) -> None:
        self._fixed, self._spec, self._are_augmented = fixed, spec, are_augmented
        self.compose = compose
        self._first: Pictures | None = None  # composed, and not taken yet
        self._ready: Pictures | None = None  # fixed, and small enough

    def before_the_run(self) -> Pictures:
        """Returns what is known before the first step: the fixed ones as they are, or the first epoch's."""
        if self.compose is None:
            return self._fixed
        self._first = self.compose(0)
        return self._first

    def of_epoch(self, epoch: int) -> Pictures:
        """Returns the pictures that the epoch learns from."""
        if self.compose is not None:
            first, self._first = self._first, None
            return first if first is not None and epoch == 0 else self.compose(epoch)
        if self._ready is None:
            self._ready = self._fixed.for_crops(self._spec) if self._are_augmented else self._fixed
        return self._ready
