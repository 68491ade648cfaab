"""Selects the stages of calibration."""

import math
from dataclasses import dataclass

from mobile_sdk.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class CalibrationPlan:
    """Selects the stages of calibration, in the order of their execution; the extremes of all ranges come first.

    `equalise` rescales channels if that does not change the net's function. `search_ranges` replaces the extremes by
    the grids that lose least. `round_weights` chooses codes and steps that keep each layer's output near, instead of
    the nearest codes. `correct_biases` removes the shift of each layer's mean output. `reconstruct` tunes codes and
    biases of all layers together, for the whole net's output; it takes as long as all else. `headroom_share` is how far
    ranges go beyond the observed extremes, as a share of them.
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
        """Returns a plan with ranges from the smallest to the largest value and nearest codes, as stock flows have."""
        return cls(equalise=False, search_ranges=False, round_weights=False, correct_biases=False, reconstruct=False)

    @classmethod
    def made_up(cls) -> "CalibrationPlan":
        """Returns a plan for images of `synthesise`, whose values, above all scores, are below those of photographs."""
        return cls(search_ranges=False, headroom_share=0.3)
