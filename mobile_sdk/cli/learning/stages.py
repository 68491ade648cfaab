"""Parses `--calibration STAGE[,STAGE]`, the stages of calibration."""

from dataclasses import replace
from typing import TYPE_CHECKING

from mobile_sdk.errors import SettingError
from mobile_sdk.workflow.choices import NONE

if TYPE_CHECKING:
    from qat.calibration.plan import CalibrationPlan

EXTREMES = "extremes"  # all stages start from it
STAGES = {
    "equalisation": "equalise",
    "ranges": "search_ranges",
    "rounding": "round_weights",
    "biases": "correct_biases",
    "reconstruction": "reconstruct",
}


def choose_calibration(data: str, option: str | None) -> "CalibrationPlan | None":
    """Returns the plan with the stages that `option` names, None for the default; raises SettingError for others."""
    if option is None:
        return None
    from qat.calibration.plan import CalibrationPlan

    default = CalibrationPlan.made_up() if data == NONE else CalibrationPlan()
    named = [name.strip() for name in option.split(",")]
    for name in named:
        if name not in (EXTREMES, *STAGES):
            raise SettingError(
                f"expected stages of calibration, found {name!r}", hint=f"choose from {EXTREMES}, {', '.join(STAGES)}"
            )
    if EXTREMES in named and len(set(named)) > 1:
        others = ", ".join(name for name in named if name != EXTREMES)
        raise SettingError(
            f"expected {EXTREMES} alone, which is where all stages start, found {others} beside it",
            hint=f"leave {EXTREMES} out",
        )
    return replace(default, **{field: name in named for name, field in STAGES.items()})
