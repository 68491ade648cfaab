"""Checks what bits of layers are chosen for: a size of the weights, a quality of the scores, or an accuracy."""

from dataclasses import dataclass

from mobile_sdk.errors import SettingError
from qat.arguments.settings import is_number

AUTO = "auto"  # in place of bits: they are chosen for every layer
MIN_ACCURACY = "--min-accuracy"


@dataclass(frozen=True, kw_only=True)
class BitTarget:
    """Says what bits are chosen for: weights of at most `max_mib`, or scores of at least `min_db` or `min_accuracy`.

    `min_db` is the SQNR of the scores, `min_accuracy` the accuracy, 0 to 1. Raises SettingError unless exactly one of
    the three is given, a number above 0, or from 0 to 1.
    """

    max_mib: float | None = None
    min_db: float | None = None
    min_accuracy: float | None = None

    def __post_init__(self) -> None:
        named = _named(self.max_mib, self.min_db, self.min_accuracy)
        if len(named) != 1:
            raise SettingError(
                "expected one of --max-mib, --min-db and --min-accuracy beside --weight-bits auto, found "
                f"{' and '.join(named) or 'none'}",
                hint="write --max-mib 2.5 (MiB of weights), --min-db 22 (SQNR of the scores) or --min-accuracy 0.9",
            )
        for name, value in named.items():
            if name == MIN_ACCURACY and not (is_number(value) and 0 <= value <= 1):
                raise SettingError(f"expected {name} as a share, 0..1, found {value!r}", hint="write 0.9 for 90 %")
            if name != MIN_ACCURACY and (not is_number(value) or value <= 0):
                raise SettingError(f"expected a number above 0 for {name}, found {value!r}", hint=f"correct {name}")


def bit_target(
    weight_bits: object, max_mib: float | None, min_db: float | None, min_accuracy: float | None
) -> BitTarget | None:
    """Returns what bits are chosen for if `weight_bits` is "auto", and None if they are given.

    Raises SettingError for "auto" without a target or with several, and for a target beside given bits.
    """
    if isinstance(weight_bits, str) and weight_bits == AUTO:
        return BitTarget(max_mib=max_mib, min_db=min_db, min_accuracy=min_accuracy)
    for name in _named(max_mib, min_db, min_accuracy):
        raise SettingError(
            f"expected --weight-bits auto beside {name}, found {weight_bits!r:.60}",
            hint=f"write --weight-bits auto, or leave {name} out",
        )
    return None


def _named(max_mib: float | None, min_db: float | None, min_accuracy: float | None) -> dict[str, float]:
    given = {"--max-mib": max_mib, "--min-db": min_db, MIN_ACCURACY: min_accuracy}
    return {name: value for name, value in given.items() if value is not None}
