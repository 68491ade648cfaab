"""Parses `--keep-float LAYER[,…]` and `--split BLOCK=PARTS[,…]`."""

from mobile_sdk.errors import SettingError


def named_layers(option: str | None) -> tuple[str, ...]:
    """Returns the names in `LAYER,LAYER`."""
    return tuple(name.strip() for name in (option or "").split(",") if name.strip())


def named_parts(option: str | None) -> dict[str, int]:
    """Returns the parts of every block in `BLOCK=PARTS,BLOCK=PARTS`."""
    found: dict[str, int] = {}
    for part in (option or "").split(","):
        name, _, count = (word.strip() for word in part.partition("="))
        if not part.strip():
            continue
        if not name or not count.isdecimal() or name in found:
            raise SettingError(f"expected BLOCK=PARTS, each block once, found {part!r}", hint="write features.2=4")
        found[name] = int(count)
    return found
