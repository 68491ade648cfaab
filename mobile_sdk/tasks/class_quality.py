"""A measure label by label: what an average hides, told in a line."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ByClass = tuple[float | None, ...]
"""Shares, 0..1, in the order of the labels; None for a label that nothing held out shows."""

_WORST, _NEVER = 5, 10


def right_counts(winners: "NDArray[Any]", targets: "NDArray[Any]", labels: int) -> "NDArray[np.int64]":
    """How many pictures of each label are right, and how many there are, (2, labels); a target of -1 is no label."""
    import numpy as np

    is_asked = targets >= 0
    of_label, is_right = targets[is_asked], (winners == targets)[is_asked]
    return np.stack([np.bincount(each, minlength=labels) for each in (of_label[is_right], of_label)])


def shares_of(counts: "NDArray[Any]") -> ByClass:
    """The shares of counts (2, labels) as above: None where there is no picture."""
    return tuple(float(right / shown) if shown else None for right, shown in zip(*counts, strict=True))


def named(labels: Sequence[str], shares: ByClass | None) -> dict[str, float | None]:
    """All shares by their labels; empty where none are known."""
    return {} if shares is None else dict(zip(labels, shares, strict=True))


def label_lines(labels: Sequence[str], shares: ByClass | None) -> list[str]:
    """The lines that are told of the shares: the worst labels, and a warning of those that are never right."""
    return [line for line in (worst_labels(labels, shares), never_right(labels, shares)) if line]


def worst_labels(labels: Sequence[str], shares: ByClass | None) -> str | None:
    """The labels with the smallest shares, the worst first, in a line; None where there are none to tell."""
    known = _known(labels, shares)
    ranked = sorted(known, key=lambda pair: pair[1])[:_WORST]  # equal ones in the labels' order
    return "worst labels: " + ", ".join(f"{_plain(label)} {share:.1%}" for label, share in ranked) if ranked else None


def never_right(labels: Sequence[str], shares: ByClass | None) -> str | None:
    """A warning that names the labels whose share is 0; None where there is none."""
    never = [_plain(label) for label, share in _known(labels, shares) if share == 0]
    if not never:
        return None
    more = f" and {len(never) - _NEVER} more" if len(never) > _NEVER else ""
    return f"warning: never right on held-out pictures: {', '.join(never[:_NEVER])}{more}"


def _known(labels: Sequence[str], shares: ByClass | None) -> list[tuple[str, float]]:
    return [(label, share) for label, share in named(labels, shares).items() if share is not None]


def _plain(label: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in label)
