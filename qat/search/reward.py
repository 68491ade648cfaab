"""Computes MnasNet's reward from accuracy and latency beside its target. Source: Tan et al. 2019, eq. (2) and (3)."""

from dataclasses import dataclass

from mobile_sdk.errors import SettingError
from qat.search.target import check_target


@dataclass(frozen=True, kw_only=True)
class Reward:
    """Computes ACC × (LAT / TAR)^w, the accuracy a share of 1.

    `exponent` is w: -0.07 in MnasNet, where twice the latency is worth 5 % more accuracy; -0.15 for MobileNetV3-Small,
    as accuracy falls faster with latency there (section 4.1). `is_hard` rewards nothing below the target and charges
    latency above it with w = -1 (MnasNet, Figure 3, top).
    """

    target_ms: float
    exponent: float = -0.07
    is_hard: bool = False

    def __post_init__(self) -> None:
        check_target(self.target_ms)
        if not -1 <= self.exponent <= 0:
            raise SettingError(
                f"expected an exponent from -1 to 0, found {self.exponent:g}", hint="use -0.07, or -0.15 for small nets"
            )

    def of(self, accuracy_share: float, latency_ms: float) -> float:
        """Returns the reward of a net."""
        over = latency_ms / self.target_ms
        if self.is_hard:
            return accuracy_share / max(1.0, over)
        return accuracy_share * float(over**self.exponent)
