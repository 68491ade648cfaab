"""Measures quality label by label, and names in a line what an average hides."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ByClass = tuple[float | None, ...]
"""These are shares, 0..1, in the order of the labels; None for a label that no held-out picture shows."""

_WORST, _NEVER = 5, 10


def right_counts(winners: "NDArray[Any]", targets: "NDArray[Any]", labels: int) -> "NDArray[np.int64]":
    """Returns the pictures of each label that are right, and all of them, (2, labels); a target of -1 is no label."""
    import numpy as np

    is_asked = targets >= 0
    of_label, is_right = targets[is_asked], (winners == targets)[is_asked]
    return np.stack([np.bincount(each, minlength=labels) for each in (of_label[is_right], of_label)])


def shares_of(counts: "NDArray[Any]") -> ByClass:
    """Returns the shares of counts (2, labels) as above: None if there is no picture."""
    return tuple(float(right / shown) if shown else None for right, shown in zip(*counts, strict=True))


def named(labels: Sequence[str], shares: ByClass | None) -> dict[str, float | None]:
    """Returns all shares by their labels; empty if none are known."""
    return {} if shares is None else dict(zip(labels, shares, strict=True))


def label_lines(labels: Sequence[str], shares: ByClass | None) -> list[str]:
    """Returns lines on the shares: the worst labels, and a warning of those that are never right."""
    return [line for line in (worst_labels(labels, shares), never_right(labels, shares)) if line]


def worst_labels(labels: Sequence[str], shares: ByClass | None) -> str | None:
    """Returns a line of the labels with the smallest shares, the worst first; None if there are none to name."""
    known = _known(labels, shares)
    ranked = sorted(known, key=lambda pair: pair[1])[:_WORST]  # equal ones in the labels' order
    return "worst labels: " + ", ".join(f"{_plain(label)} {share:.1%}" for label, share in ranked) if ranked else None


def never_right(labels: Sequence[str], shares: ByClass | None) -> str | None:
    """Returns a warning that names the labels whose share is 0; None if there is none."""
    never = [_plain(label) for label, share in _known(labels, shares) if share == 0]
    if not never:
        return None
    more = f" and {len(never) - _NEVER} more" if len(never) > _NEVER else ""
    return f"warning: never right on held-out pictures: {', '.join(never[:_NEVER])}{more}"


def _known(labels: Sequence[str], shares: ByClass | None) -> list[tuple[str, float]]:
    return [(label, share) for label, share in named(labels, shares).items() if share is not None]


def _plain(label: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in label)
