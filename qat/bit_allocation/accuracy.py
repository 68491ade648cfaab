"""Measures the accuracy of a calibrated net: that of the program which is frozen from it, hence the phone's."""

import numpy as np

from mobile_sdk.contract import Contract
from mobile_sdk.errors import SettingError
from mobile_sdk.program.expected_scores import expected_scores
from qat.data.picture_set import PictureSet
from qat.freezing.freezing import freeze
from qat.preparation.fake_quant_net import FakeQuantNet


def accuracy(net: FakeQuantNet, contract: Contract, pictures: PictureSet) -> float:
    """Returns the share of `pictures`, 0 to 1, whose largest score is that of their class; `net` does not change."""
    scores = expected_scores(freeze(net, contract), pictures.bytes(contract.input))
    return float((scores.argmax(axis=1) == np.array(pictures.targets)).mean())


def with_classes(pictures: PictureSet | None) -> PictureSet:
    """Returns the pictures; raises SettingError if there are none, or one has no class."""
    without = 0 if pictures is None else sum(target < 0 for target in pictures.targets)
    if pictures is None or not len(pictures) or without:
        found = f"{without} of {len(pictures)} without one" if pictures and without else "none"
        raise SettingError(
            f"expected held-out pictures with classes for --min-accuracy, found {found}",
            hint="lay them out as DIR/<label>/*.jpg, or give --min-db, which needs no classes",
        )
    return pictures
