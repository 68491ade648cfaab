"""Checks the bits of weights as an argument: of all layers, or of layers by name."""

from collections.abc import Mapping

from mobile_sdk.errors import SettingError

BITS = (8, 4)

WeightBits = int | Mapping[str, int]
"""It is 8, 4 for every layer that can have it, or the bits of layers by name; layers that it leaves out have 8."""


def expect_weight_bits(asked: object) -> None:
    """Raises SettingError unless `asked` is 8, 4, or a mapping of names to these."""
    named = asked if isinstance(asked, Mapping) else {"": asked}
    for name, bits in named.items():
        if type(bits) is not int or bits not in BITS or not isinstance(name, str):
            found = f"{name!r:.80}: {bits!r:.80}" if isinstance(asked, Mapping) else f"{bits!r:.80}"
            raise SettingError(
                f"expected weight_bits 8 or 4, or those of layers by name, found {found}",
                hint='give weight_bits=4, or {"features.3": 4, "classifier": 8}',
            )
