"""Which stages calibration has."""

import math
from dataclasses import dataclass

from mobile_sdk.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class CalibrationPlan:
    """Which stages calibration has, in the order in which they are carried out; the extremes of all ranges come first.

    `equalise`: channels rescaled where that leaves the net's function as it is. `search_ranges`: grids that lose least
    in place of the extremes. `round_weights`: codes and steps that keep each layer's output near, in place of the
    nearest codes. `correct_biases`: no layer's mean output is shifted. `reconstruct`: codes and biases of all layers
    tuned together, for the whole net's output; takes as long as all else. `headroom_share`: how far ranges go beyond
    the extremes that were seen, as a share of them.
    """

    equalise: bool = False
    search_ranges: bool = True
    round_weights: bool = True
    correct_biases: bool = True
    reconstruct: bool = True
    headroom_share: float = 0.0

    def __post_init__(self) -> None:
        headroom: object = self.headroom_share
        if not (isinstance(headroom, int | float) and 0 <= headroom < math.inf):
            raise SettingError(f"expected a headroom of 0 or more, found {headroom!r}", hint="use 0.3: 30 % beyond")

    @classmethod
    def extremes(cls) -> "CalibrationPlan":
        """Ranges from the smallest to the largest value, nearest codes: what stock flows do."""
        return cls(equalise=False, search_ranges=False, round_weights=False, correct_biases=False, reconstruct=False)

    @classmethod
    def made_up(cls) -> "CalibrationPlan":
        """For pictures of `synthesise`, whose values stay below what photographs reach, the scores' above all."""
        return cls(search_ranges=False, headroom_share=0.3)
