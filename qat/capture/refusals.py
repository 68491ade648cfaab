"""Collects what a net computes that no integer operator stands for, so that one error names all of it.

Places are counted by kind: an operator, and what of it is not supported. The error's message is one line; its notes,
which Python's tracebacks and the command line show, are one line a kind.
"""

import operator
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch import fx

from mobile_sdk.errors import CaptureError

SHOWN = 10  # kinds that get a line of their own
_NAMED = 3  # kinds that the summary names
_NUMBERS = re.compile(r"[-\d(){}\[\], .]+")

_NEAREST: Mapping[str, str] = {
    "_to_copy": "float32 from end to end: leave half(), bfloat16 and autocast out of forward()",
    "conv1d": "a Conv2d with a kernel of (1, k) on maps of one row",
    "conv3d": "a Conv2d, frame by frame",
    "lstm": "convolutions over the time axis: no recurrence has an integer form",
    "gru": "convolutions over the time axis: no recurrence has an integer form",
    "topk": "return the scores, and sort them in the app",
    "sort": "return the scores, and sort them in the app",
    "argmax": "return the scores: the app takes the largest",
    "scaled_dot_product_attention": "attention without a boolean or causal mask",
    "rand": "draw in training only (if self.training)",
    "group_norm": "a GroupNorm on a map (N, C, H, W)",
    "layer_norm": "a LayerNorm over one axis",
    "_native_batch_norm_legit": "a batch norm with running statistics (track_running_stats=True)",
}


class UnsupportedError(CaptureError):
    """No integer operator stands for one operator of a net; `why` says what of the operator is not supported."""

    def __init__(self, name: str, spoken: str, path: str, why: str, *, hint: str) -> None:
        super().__init__(f"no integer operator stands for {spoken} at {path}{', ' if why else ''}{why}", hint=hint)
        self.name, self.spoken, self.path, self.why = name, spoken, path, why

    @property
    def kinds(self) -> tuple[str, ...]:
        """Returns what is refused, without its place."""
        return (f"{self.spoken}{', ' if self.why else ''}{self.why}",)


class SeveralRefusedError(CaptureError):
    """Names several things that are refused at once; `kinds` are all of them, without their places."""

    def __init__(self, message: str, *, hint: str, kinds: tuple[str, ...]) -> None:
        super().__init__(message, hint=hint)
        self.kinds = kinds


@dataclass
class _Kind:
    """Holds the first place of a kind, and how many there are."""

    first: UnsupportedError
    count: int = 0

    @property
    def line(self) -> str:
        first, nearest = self.first, _NEAREST.get(self.first.name)
        why = f", {first.why}" if first.why else ""
        places = f" ({self.count} places)" if self.count > 1 else ""
        return f"{first.spoken} at {first.path}{places}{why}{f'; instead: {nearest}' if nearest else ''}"


@dataclass
class Refusals:
    """Counts what is refused while a net is read; other errors pass."""

    _kinds: dict[tuple[str, str], _Kind] = field(default_factory=dict)
    _others: list[CaptureError] = field(default_factory=list)
    _nodes: set[fx.Node] = field(default_factory=set)

    def __bool__(self) -> bool:
        """Returns whether a node was refused."""
        return bool(self._nodes)

    @contextmanager
    def collecting(self, node: fx.Node) -> Iterator[None]:
        """Counts the node, once, if an UnsupportedError is raised inside; parts of a refused node are not counted."""
        try:
            yield
        except UnsupportedError as error:
            is_part = node.target is operator.getitem and node.args[0] in self._nodes
            if node not in self._nodes and not is_part:
                kind = error.name, _NUMBERS.sub(" ", error.why)
                self._kinds.setdefault(kind, _Kind(error)).count += 1
            self._nodes.add(node)
        except Exception:
            if not self._nodes:  # a reader may stumble over what a refused node before it left behind
                raise
            self._nodes.add(node)

    @contextmanager
    def collecting_last(self) -> Iterator[None]:
        """Keeps any CaptureError that is raised inside, once the net has been read."""
        try:
            yield
        except CaptureError as error:
            self._others.append(error)

    def check(self) -> None:
        """Raises CaptureError for all that was refused; a single reason is its own error."""
        kinds = sorted(self._kinds.values(), key=lambda kind: -kind.count)
        if len(kinds) + len(self._others) > 1:
            raise _joined(kinds, self._others)
        for kind in kinds:
            first = kind.first
            places = f" ({kind.count} places)" if kind.count > 1 else ""
            nearest = _NEAREST.get(first.name)
            first.message += places
            first.hint = f"instead: {nearest}; or {first.hint}" if nearest else first.hint
            raise first
        for other in self._others:
            raise other


def _joined(kinds: list[_Kind], others: list[CaptureError]) -> CaptureError:
    lines = [*(kind.line for kind in kinds), *(other.message for other in others)]
    places = ", ".join(f"{kind.first.spoken} at {kind.first.path}" for kind in kinds[:_NAMED])
    more = f" and {len(kinds) - _NAMED} more" if len(kinds) > _NAMED else ""
    count = f"{len(kinds)} kind{'s' if len(kinds) > 1 else ''} of operators"
    found = [f"{count} that no integer operator stands for: {places}{more}", *(other.message for other in others)]
    error = SeveralRefusedError(
        f"expected operators with an integer form, found {'; '.join(found)}",
        hint=kinds[0].first.hint,
        kinds=(*(name for kind in kinds for name in kind.first.kinds), *(other.message for other in others)),
    )
    for line in lines if len(lines) <= SHOWN else [*lines[: SHOWN - 1], f"{len(lines) - SHOWN + 1} more kinds"]:
        error.add_note(line)
    return error
