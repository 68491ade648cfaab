"""Judges int8 beside the float net on pictures that were kept away: on crops of them too where they are few."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.comparison import compare, top1
from mobile_sdk.contract import NetInput
from mobile_sdk.program.agreement import Agreement, ChangedWinners, ShareInterval
from mobile_sdk.tasks.softmax import softmax
from mobile_sdk.workflow.tasks.clustered_share import clustered_interval
from qat.data.crops import with_crops
from qat.data.picture_set import PictureSet
from qat.data.sources import by_whole

LEAST_IMAGES = 100
"""With fewer, one changed winner more or less would move the agreement by more than a point."""

CLEAR_MARGIN_SHARE = 0.1
"""A smaller margin between the first two probabilities is nearly a tie, which other noise than int8's turns as well."""

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


def margins(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the probability of each row's first label less that of its second, 0 to 1; NaN where a logit is none."""
    shares = np.sort(softmax(logits.astype(np.float64)), axis=1)
    first, second = shares[:, -1], shares[:, -2]
    difference: NDArray[np.float64] = first - second
    return difference
