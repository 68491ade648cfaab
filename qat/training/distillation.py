"""Configures distillation: what a net learns from its float teacher, beside or instead of labels."""

import math
from dataclasses import dataclass

from mobile_sdk.errors import SettingError

_TEMPERATURE = 4.0


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """Holds the weight of each loss; a weight of 0 leaves its loss out.

    `scores` is the mean square of the scores' differences, as a share of the teacher's own mean square, which is 1 /
    SQNR. `features` is that of the inner tensors, averaged over them. `divergence` is Kullback and Leibler's from the
    teacher's probabilities, both at `temperature` (Hinton, Vinyals, Dean, arXiv 1503.02531, section 2). `labels` is the
    cross-entropy of those pictures that have labels. A temperature without a divergence raises SettingError.
    """

    scores: float = 1.0
    features: float = 0.1
    divergence: float = 0.0
    temperature: float = _TEMPERATURE
    labels: float = 0.0

    def __post_init__(self) -> None:
        weights = (self.scores, self.features, self.divergence, self.labels)
        numbers: tuple[object, ...] = (*weights, self.temperature)
        are_numbers = all(isinstance(each, float | int) and 0 <= each < math.inf for each in numbers)
        if not (are_numbers and any(weights) and self.temperature > 0):
            raise SettingError(
                f"expected weights of 0 or more, one above 0, and a temperature above 0, found {self}",
                hint="correct the distillation",
            )
        if not self.divergence and self.temperature != _TEMPERATURE:
            raise SettingError(
                f"expected a temperature beside a divergence, found temperature {self.temperature:g} alone",
                hint="weigh the divergence too, or leave the temperature out",
            )
