"""Holds the settings of a search."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_sdk.errors import SettingError
from mobile_sdk.workflow.choices import DIGITS, METHODS, check_choice


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """Names the start net, the target latency, the method with its budget, and the place of the result.

    `device` is a phone, a file that calibrate wrote, or a device that measures. `workers` and `address` decide how fast
    the result is found; everything else decides the result.
    """

    data: str = DIGITS
    method: str = "netadapt"
    net: str = "mobilenet_v3_small"
    width: float = 1.0
    weights: Path | None = None
    device: str = "pixel-1"
    runtime: str | None = None
    target_ms: float | None = None
    target_share: float | None = None
    step_share: float = 0.01
    steps: int = 50
    candidates: int = 100
    candidate_epochs: int = 5
    exponent: float = -0.07
    is_hard: bool = False
    size: int | str | None = None
    name: str | None = None
    recipe: str | None = None
    epochs: int | None = None
    seed: int = 0
    workers: int | None = None
    address: str | None = None
    out: Path = Path("runs/search")

    def check(self) -> None:
        """Raises SettingError for settings that contradict each other."""
        check_choice("a method", self.method, METHODS)
        if (self.target_ms is None) == (self.target_share is None):
            found = "neither" if self.target_ms is None else "both"
            raise SettingError(
                f"expected one of --target-ms and --target-share, found {found}", hint="say --target-share 0.5"
            )
        target = self.target_ms if self.target_share is None else self.target_share
        if target is None or not 0 < target < float("inf"):
            raise SettingError(f"expected a target above 0, found {target}", hint="say --target-share 0.5")
        if self.weights is not None and self.method != "netadapt":
            raise SettingError(
                f"expected no --weights for {self.method}, whose nets are all trained from nothing, found one",
                hint="leave it out, or use --method netadapt",
            )

    def for_record(self) -> dict[str, Any]:
        """Returns the settings that the method reads, for the record."""
        rewarded = ("candidates", "candidate_epochs", "exponent", "is_hard")
        own = ("step_share", "steps") if self.method == "netadapt" else rewarded
        return {
            name: getattr(self, name) for name in ("method", "net", "width", "target_ms", "target_share", "seed", *own)
        }


def target_from(target_ms: float | None, target_share: float | None, start_ms: float) -> float:
    """Returns the target in milliseconds: as it is, or a share of the start net's latency."""
    if target_ms is not None:
        return target_ms
    assert target_share is not None
    return target_share * start_ms
