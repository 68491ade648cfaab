"""Holds pictures back from calibration, on crops of which every stage is judged."""

from mobile_sdk.contract import NetInput
from qat.calibration.plan import CalibrationPlan
from qat.data.crops import with_crops
from qat.data.picture_set import PictureSet

CALIBRATED_CROPS = 64  # at least as many views are calibrated on: one of each picture has too narrow ranges
JUDGED_CROPS = 24
HELD_BACK_SHARE = 0.2  # of the pictures, at most as many as are judged
FEWEST = 5  # pictures that some can be held back of; of fewer, other crops are judged


def hold_back(pictures: PictureSet, spec: NetInput, plan: CalibrationPlan) -> tuple[PictureSet, PictureSet]:
    """Returns the pictures to calibrate on and those to judge stages by, both with crops if they are few.

    A plan of extremes alone has no stages to judge: it takes all pictures as they are. Of fewer than five pictures none
    can be spared: stages are judged by other crops of the same, and by the same arrays.
    """
    if not plan.has_stages:
        return pictures, pictures[:JUDGED_CROPS]
    if len(pictures) < FEWEST:
        used = with_crops(pictures, spec, CALIBRATED_CROPS)
        judged = with_crops(pictures, spec, len(pictures) + JUDGED_CROPS, seed=1)
        return used, judged[len(pictures) :] if len(judged) > len(pictures) else pictures
    count = min(int(len(pictures) * HELD_BACK_SHARE), JUDGED_CROPS)
    judged, used = pictures[:count], pictures[count:]
    return with_crops(used, spec, CALIBRATED_CROPS), with_crops(judged, spec, JUDGED_CROPS)
