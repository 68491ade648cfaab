"""Says what a share is worth that was counted in clusters: on several crops of each of a few pictures.

Crops of one picture resemble each other, so that 100 of them say less than 100 pictures. The design effect
`1 + (n - 1) * correlation` says how many times less, for clusters of n images (Kish, Survey Sampling, 1965); for
unequal ones n is `sum(n²) / sum(n)`. The interval is Wilson's for as many times fewer images, which surveys are
advised to take (Dean and Pagano, Journal of Survey Statistics and Methodology 3, 2015; effective sizes as in Korn and
Graubard, Survey Methodology 24, 1998).

The correlation is that of the analysis of variance (Donner, International Statistical Review 54, 1986). A few pictures
cannot show it, least of all where every image agrees, so it is never taken as less than `LEAST_CORRELATION`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.benchmarking.statistics import Interval, wilson_interval
from mobile_sdk.errors import SettingError

LEAST_CORRELATION = 0.1
"""MobileNetV2's winners on crops of photographs had 0.03, 0.06 and 0.24 (docs/project/decisions.md)."""


def clustered_interval(hits: Sequence[NDArray[np.bool_]]) -> Interval:
    """Returns the 95 % interval of a share; each array holds one cluster's hits, of which there are one or more.

    Clusters of one give Wilson's interval. Raises SettingError for an empty cluster, and for none.
    """
    sizes = np.array([each.size for each in hits], np.float64)
    if not sizes.size or not sizes.all():
        raise SettingError("expected clusters of one image or more, found an empty one", hint="leave it out")
    right, count = sum(int(each.sum()) for each in hits), float(sizes.sum())
    least_effect = 1 + (float(sizes @ sizes) / count - 1) * max(LEAST_CORRELATION, correlation(hits))
    return wilson_interval(right / least_effect, count / least_effect)


def correlation(hits: Sequence[NDArray[np.bool_]]) -> float:
    """Returns the correlation of two hits in the same cluster, -1 to 1; 0 where the clusters cannot show one."""
    sizes = np.array([each.size for each in hits], np.float64)
    count, clusters = float(sizes.sum()), len(hits)
    if clusters < 2 or count == clusters:
        return 0.0
    means = np.array([each.mean() for each in hits])
    mean = float(sizes @ means) / count
    between = float(sizes @ np.square(means - mean)) / (clusters - 1)
    within = float(sizes @ (means * (1 - means))) / (count - clusters)
    usual_size = (count - float(sizes @ sizes) / count) / (clusters - 1)
    spread = between + (usual_size - 1) * within
    return (between - within) / spread if spread else 0.0
