"""Parses `--keep-float LAYER[,…]`, `--weight-bits 8|4|auto|LAYER=BITS[,…]` and `--split BLOCK=PARTS[,…]`."""

from typing import Literal

from mobile_sdk.errors import SettingError


def named_layers(option: str | None) -> tuple[str, ...]:
    """Returns the names in `LAYER,LAYER`."""
    return tuple(name.strip() for name in (option or "").split(",") if name.strip())


def whole_bits(option: str) -> int | Literal["auto"]:
    """Returns the bits of all weights, 8 or 4, or "auto"."""
    word = option.strip()
    if word == "auto":
        return "auto"
    if word not in _BITS:
        raise SettingError(f"expected --weight-bits 8, 4 or auto, found {option!r}", hint="write --weight-bits 4")
    return int(word)


def named_bits(option: str) -> int | dict[str, int] | Literal["auto"]:
    """Returns the bits of all weights, `4`, those in `LAYER=BITS,LAYER=BITS`, or "auto"."""
    if (word := option.strip()) in (*_BITS, "auto"):
        return whole_bits(word)
    named = _numbers(option, "8, 4, auto, or LAYER=BITS, each layer once", "write --weight-bits 4")
    if not named:
        raise SettingError("expected 8, 4, auto, or LAYER=BITS, found nothing", hint="write --weight-bits 4")
    return named


def named_parts(option: str | None) -> dict[str, int]:
    """Returns the parts of every block in `BLOCK=PARTS,BLOCK=PARTS`."""
    return _numbers(option or "", "BLOCK=PARTS, each block once", "write features.2=4")


_BITS = ("8", "4")


def _numbers(option: str, form: str, hint: str) -> dict[str, int]:
    """Returns the numbers in `NAME=NUMBER,NAME=NUMBER`; raises SettingError for another form."""
    found: dict[str, int] = {}
    for part in option.split(","):
        name, _, count = (word.strip() for word in part.partition("="))
        if not part.strip():
            continue
        if not name or not count.isdecimal() or name in found:
            raise SettingError(f"expected {form}, found {part!r}", hint=hint)
        found[name] = int(count)
    return found
