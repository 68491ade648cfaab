"""Selects the stages of calibration."""

import math
from dataclasses import dataclass

from mobile_sdk.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class CalibrationPlan:
    """Selects the stages of calibration; the extremes of all ranges come first.

    Pictures are held back: a stage by which int8 does not come nearer to the float net on crops of them is undone.
    `search_ranges` replaces the extremes by the grids that lose least of the outputs, and gives the outputs' room; once
    channels are rescaled it tries other sizes of every range and measures the outputs.
    `equalise` rescales channels where that does not change the net's function, and finds all ranges anew.
    `round_weights` chooses codes and steps that keep each layer's output near, instead of the nearest codes.
    `correct_biases` removes the shift of each layer's mean output. `reconstruct` tunes codes and biases of all layers
    together, for the whole net's output; it takes longer than all else. `headroom_share` is how far ranges go beyond
    the observed extremes, as a share of them.
    """

    search_ranges: bool = True
    equalise: bool = True
    round_weights: bool = True
    correct_biases: bool = True
    reconstruct: bool = True
    headroom_share: float = 0.0

    def __post_init__(self) -> None:
        headroom: object = self.headroom_share
        if not (isinstance(headroom, int | float) and 0 <= headroom < math.inf):
            raise SettingError(f"expected a headroom of 0 or more, found {headroom!r}", hint="use 0.3: 30 % beyond")

    @property
    def has_stages(self) -> bool:
        """Returns whether any stage follows the extremes, which some pictures are held back to judge."""
        stages = (self.search_ranges, self.equalise, self.round_weights, self.correct_biases, self.reconstruct)
        return any(stages)

    @classmethod
    def extremes(cls) -> "CalibrationPlan":
        """Returns a plan with ranges from the smallest to the largest value and nearest codes, as stock flows have."""
        return cls(search_ranges=False, equalise=False, round_weights=False, correct_biases=False, reconstruct=False)

    @classmethod
    def made_up(cls) -> "CalibrationPlan":
        """Returns a plan for images of `synthesise`, whose values, above all scores, are below those of photographs."""
        return cls(search_ranges=False, headroom_share=0.3)
