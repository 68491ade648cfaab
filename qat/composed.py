"""Pictures that are composed anew for every epoch, and what is known of them before a run: its first epoch's."""

from collections.abc import Callable
from typing import Generic, TypeVar

from qat.content_hash import Hashed

Composed = TypeVar("Composed", bound=Hashed)


class Composing(Generic[Composed]):
    """Gives the training pictures of a 0-based epoch, the same ones whenever it is asked for them.

    The first epoch's stand for all of them where runs are told apart: what composes is a function, and how it would
    compose later epochs is not known. So they are made before a run begins, and kept until it takes them.
    """

    def __init__(self, compose: Callable[[int], Composed]) -> None:
        self._compose = compose
        self._first: Composed | None = None

    def __call__(self, epoch: int) -> Composed:
        """The pictures of `epoch`."""
        first, self._first = self._first, None
        return first if first is not None and epoch == 0 else self._compose(epoch)

    def first(self) -> Composed:
        """Those of the first epoch, still to be taken."""
        self._first = self._compose(0)
        return self._first
