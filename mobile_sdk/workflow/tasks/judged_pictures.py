"""Judges int8 beside the float net on pictures that were kept away: on crops of them too where they are few."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.comparison import compare, top1
from mobile_sdk.contract import NetInput
from mobile_sdk.program.agreement import (
    Agreement,
    ChangedImage,
    ChangedWinners,
    Confusion,
    Decisions,
    ShareInterval,
)
from mobile_sdk.tasks.softmax import softmax
from mobile_sdk.workflow.tasks.clustered_share import clustered_interval
from qat.data.crops import with_crops
from qat.data.picture_set import PictureSet
from qat.data.sources import by_whole

LEAST_IMAGES = 100
"""With fewer, one changed winner more or less would move the agreement by more than a point."""

CLEAR_MARGIN_SHARE = 0.1
"""A smaller margin between the first two probabilities is nearly a tie, which other noise than int8's turns as well."""

MOST_CONFUSIONS, MOST_CHANGED = 500, 24
"""A record holds no more: all confusions of 22 labels, and as many changed images as a person looks at."""

_SEED = 1  # other crops than those that calibration may have made of the same pictures


def to_judge_on(held_out: PictureSet, spec: NetInput) -> PictureSet:
    """Returns the pictures, whole, and crops of them up to 100 in all; 100 pictures, and arrays, as they are."""
    return with_crops(held_out, spec, LEAST_IMAGES, seed=_SEED)


def agreement_of(found: NDArray[Any], wanted: NDArray[Any], judged: PictureSet, *, whole_images: int) -> Agreement:
    """Returns how near scores (images, classes) of int8 come to the float net's on `judged`.

    The float net's are logits: the margins are those of their softmax. `judged` begins with `whole_images` pictures.
    """
    near, winners = compare(found, wanted), top1(found)
    is_equal = (winners == top1(wanted)) & (winners >= 0)
    interval = clustered_interval([is_equal[rows] for rows in by_whole(judged.sources)])
    clear = int(np.count_nonzero(~is_equal & (margins(wanted) > CLEAR_MARGIN_SHARE)))
    return Agreement(
        top1_agreement=near.top1_agreement,
        sqnr_db=near.sqnr_db,
        images=len(judged),
        whole_images=whole_images,
        interval=ShareInterval(**interval.model_dump()),
        changed=ChangedWinners(images=int(np.count_nonzero(~is_equal)), clear=clear, margin_share=CLEAR_MARGIN_SHARE),
    )


def decisions_of(found: NDArray[Any], wanted: NDArray[Any], targets: NDArray[np.int64], labels: int) -> Decisions:
    """Returns what scores (images, classes) of int8 and of the float net take the images for.

    `targets` (images,) are indices of the labels, or -1 where the label is not known.
    """
    is_known = bool(len(targets)) and bool(targets.min() >= 0)
    winners = {"of_float": top1(wanted), "of_int8": top1(found)}
    confusions = {name: tuple(_confusions(targets, each)) for name, each in winners.items()} if is_known else {}
    return Decisions(
        images=tuple(np.bincount(targets, minlength=labels).tolist()) if is_known else (),
        changed=tuple(_changed(found, wanted, targets)),
        **confusions,
    )


def _confusions(targets: NDArray[np.int64], winners: NDArray[np.int64]) -> Iterator[Confusion]:
    is_wrong = (winners != targets) & (winners >= 0)
    pairs = Counter(zip(targets[is_wrong].tolist(), winners[is_wrong].tolist(), strict=True))
    for (label, other), images in sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_CONFUSIONS]:
        yield Confusion(label=label, found=other, images=images)


def _changed(found: NDArray[Any], wanted: NDArray[Any], targets: NDArray[np.int64]) -> Iterator[ChangedImage]:
    """Yields the images with other winners in int8, the widest margin in float first."""
    in_float, in_int8 = top1(wanted), top1(found)
    positions = np.flatnonzero((in_float != in_int8) & (in_float >= 0) & (in_int8 >= 0))
    widest_first = positions[np.argsort(-margins(wanted[positions]), kind="stable")]
    for position in widest_first[:MOST_CHANGED].tolist():
        label, first, second = int(targets[position]), int(in_float[position]), int(in_int8[position])
        yield ChangedImage(
            position=position,
            label=label if label >= 0 else None,
            float_label=first,
            float_share=_share(wanted[position], first),
            int8_label=second,
            int8_share=_share(found[position], second),
        )


def _share(logits: NDArray[Any], label: int) -> float:
    return min(1.0, float(softmax(logits.astype(np.float64))[label]))


def margins(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the probability of each row's first label less that of its second, 0 to 1; NaN where a logit is none."""
    shares = np.sort(softmax(logits.astype(np.float64)), axis=1)
    first, second = shares[:, -1], shares[:, -2]
    difference: NDArray[np.float64] = first - second
    return difference
