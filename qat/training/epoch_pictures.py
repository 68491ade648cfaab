"""Provides an epoch's pictures with boxes or masks: fixed ones, or pictures composed anew for each epoch."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from mobile_sdk.contract import ImageSpec
from qat.data.annotated_set import AnnotatedSet

Pictures = TypeVar("Pictures", bound=AnnotatedSet[Any])


class TrainingPictures(Generic[Pictures]):
    """Returns the training pictures of a 0-based epoch, equal ones at every call.

    Fixed pictures that are augmented are made no larger than crops of them need, once a run. Of composed pictures only
    the first epoch's enter the run's fingerprint: they come from a function, whose later results are not known. So they
    are composed before a run begins, and kept until it takes them.
    """

    def __init__(
        self, fixed: Pictures, compose: Callable[[int], Pictures] | None, spec: ImageSpec, *, are_augmented: bool
    ) -> None:
        self._fixed, self._spec, self._are_augmented = fixed, spec, are_augmented
        self.compose = compose
        self._first: Pictures | None = None  # composed pictures that are not taken yet
        self._ready: Pictures | None = None  # fixed pictures that are small enough

    def before_the_run(self) -> Pictures:
        """Returns the pictures known before the first step: the fixed ones as they are, or the first epoch's."""
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
