"""`--split BLOCK=PARTS[,…]`: inverted residuals that are computed in parts, by name."""

from dataclasses import replace

from mobile_sdk.cli.float_net import FloatNet
from mobile_sdk.errors import SettingError


def named_parts(option: str | None) -> dict[str, int]:
    """The parts of every block in `BLOCK=PARTS,BLOCK=PARTS`."""
    found: dict[str, int] = {}
    for part in (option or "").split(","):
        name, _, count = (word.strip() for word in part.partition("="))
        if not part.strip():
            continue
        if not name or not count.isdecimal() or name in found:
            raise SettingError(f"expected BLOCK=PARTS, each block once, found {part!r}", hint="write features.2=4")
        found[name] = int(count)
    return found


def with_split(source: FloatNet, parts: dict[str, int]) -> FloatNet:
    """The net with those blocks split, before it is prepared: its float twin and its teacher are split, too."""
    from qat.preparation.block_splitting import split_blocks

    return replace(source, net=split_blocks(source.net, parts)) if parts else source
