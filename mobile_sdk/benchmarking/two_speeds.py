"""Finds two speeds in times that form two heaps with a gap between, as on a machine that changes its clock."""

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_APART = 4.0
"""Two speeds are this many standard deviations apart: a normal series cut in two has 2.7, a uniform one 3.5."""

_FEW_VALUES = 5.0  # over their number: few values separate by chance, ten of them need 6 standard deviations

_SMALLEST_GAP = np.log(1.005)
"""Two speeds that are nearer to each other do not matter."""

_MOST_SWITCHES = 0.5  # of those that independent rounds would show on average
_FEWEST_VISITS = 3
_LARGE_SHARE = 0.2  # a speed that takes so much of the time moves the median


class TwoSpeeds(NamedTuple):
    """Holds two heaps of times: their centers, the log ratio between them, and which values are in the slower one."""

    fast: float
    slow: float
    gap: float
    is_slow: NDArray[np.bool_]

    @property
    def rarer_share(self) -> float:
        """Returns the share of the rarer speed."""
        slow = float(self.is_slow.mean())
        return min(slow, 1 - slow)


def two_speeds(values: NDArray[np.float64]) -> TwoSpeeds | None:
    """Returns the two speeds in times of any order, or None if they form one heap.

    The cut leaves the least variance within the two heaps (Otsu 1979), of the logarithms.
    """
    ordered = np.sort(np.log(values))
    count = ordered.size
    if count < 4 or ordered[-1] - ordered[0] < _SMALLEST_GAP:
        return None
    below, sums = np.arange(1, count), np.cumsum(ordered - ordered[0])
    low, high = sums[:-1] / below, (sums[-1] - sums[:-1]) / (count - below)
    between = below * (count - below) * (high - low) ** 2 / count
    cut = int(between.argmax())
    within = max(0.0, float(((ordered - ordered.mean()) ** 2).sum() - between[cut])) / (count - 2)
    gap = float(high[cut] - low[cut])
    if gap < max(_APART * (1 + _FEW_VALUES / count) * sqrt(within), _SMALLEST_GAP):
        return None
    fast, slow = np.exp(ordered[0] + low[cut]), np.exp(ordered[0] + high[cut])
    return TwoSpeeds(float(fast), float(slow), gap, np.log(values) > (ordered[cut] + ordered[cut + 1]) / 2)


def lasting_speeds(values: NDArray[np.float64]) -> TwoSpeeds | None:
    """Returns the two speeds of rounds in order, if the machine stays in each too long for them to average out.

    One slow round is not a speed. Speeds that switch as independent rounds do are a wide heap like any other.
    """
    found = two_speeds(values)
    if found is None:
        return None
    count = values.size
    rarer = round(found.rarer_share * count)
    switches = int((found.is_slow[1:] != found.is_slow[:-1]).sum())
    visits = (switches + 1) // 2
    independent = 2 * rarer * (count - rarer) / count
    lasts = switches <= _MOST_SWITCHES * independent or visits < _FEWEST_VISITS
    largest_share = rarer / count * (1 + 3 / sqrt(visits))  # so few visits may have been more or longer by chance
    return found if rarer > 1 and lasts and largest_share >= _LARGE_SHARE - 1e-9 else None
