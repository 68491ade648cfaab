"""What a search is asked for on the command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_sdk.cli.weights import check_weights
from mobile_sdk.errors import SettingError

METHODS = ("netadapt", "evolution", "random")


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """The options of `search` that decide what is found."""

    data: str
    method: str
    net: str
    width: float
    weights: Path | None
    target_ms: float | None
    target_share: float | None
    step_share: float
    steps: int
    candidates: int
    candidate_epochs: int
    exponent: float
    is_hard: bool
    seed: int

    def check(self) -> None:
        """Raises SettingError for what contradicts itself, DataError for weights that are not there."""
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
        if self.weights is not None:
            check_weights(self.weights)

    def for_record(self) -> dict[str, Any]:
        """Those that the method looks at, for the record."""
        rewarded = ("candidates", "candidate_epochs", "exponent", "is_hard")
        own = ("step_share", "steps") if self.method == "netadapt" else rewarded
        return {
            name: getattr(self, name) for name in ("method", "net", "width", "target_ms", "target_share", "seed", *own)
        }


def target_from(target_ms: float | None, target_share: float | None, start_ms: float) -> float:
    """The target in milliseconds: as it is, or a share of the start net's latency."""
    if target_ms is not None:
        return target_ms
    assert target_share is not None
    return target_share * start_ms
