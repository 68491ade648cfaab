"""Checks what bits of layers are chosen for: a size of the weights, or a quality of the scores."""

from dataclasses import dataclass

from mobile_sdk.errors import SettingError
from qat.arguments.settings import is_number

AUTO = "auto"  # in place of bits: 4 or 8 is chosen for every layer


@dataclass(frozen=True, kw_only=True)
class BitTarget:
    """Says what bits are chosen for: weights of at most `max_mib`, or scores of at least `min_db` of SQNR.

    Raises SettingError unless exactly one of both is given, a number above 0.
    """

    max_mib: float | None = None
    min_db: float | None = None

    def __post_init__(self) -> None:
        given = {"--max-mib": self.max_mib, "--min-db": self.min_db}
        named = {name: value for name, value in given.items() if value is not None}
        if len(named) != 1:
            found = "both" if named else "neither"
            raise SettingError(
                f"expected one of --max-mib and --min-db beside --weight-bits auto, found {found}",
                hint="write --max-mib 2.5 (MiB of weights) or --min-db 22 (SQNR of the scores)",
            )
        for name, value in named.items():
            if not is_number(value) or value <= 0:
                raise SettingError(f"expected a number above 0 for {name}, found {value!r}", hint=f"correct {name}")


def bit_target(weight_bits: object, max_mib: float | None, min_db: float | None) -> BitTarget | None:
    """Returns what bits are chosen for if `weight_bits` is "auto", and None if they are given.

    Raises SettingError for "auto" without a target or with two, and for a target beside given bits.
    """
    if isinstance(weight_bits, str) and weight_bits == AUTO:
        return BitTarget(max_mib=max_mib, min_db=min_db)
    for name, value in (("--max-mib", max_mib), ("--min-db", min_db)):
        if value is not None:
            raise SettingError(
                f"expected --weight-bits auto beside {name}, found {weight_bits!r:.60}",
                hint=f"write --weight-bits auto, or leave {name} out",
            )
    return None
