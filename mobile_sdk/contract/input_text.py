"""Reads what a caller says of a net's input: a size, channels, or an array's shape."""

from mobile_sdk.contract.inputs import LEAST_SIDE_PX, MOST_SIDE_PX, ImageSpec, SizePx
from mobile_sdk.errors import SettingError

_TENSOR = "tensor:"
_MOST_SIDES = 3


def size_px(size: int | str | None) -> SizePx | None:
    """Returns the size that `96` (a square) or `96x64` (height x width) says; None for None."""
    if size is None or isinstance(size, int):
        return size
    sides = _numbers(size)
    if len(sides) not in (1, 2):
        raise SettingError(f"expected --size PX or HEIGHTxWIDTH, found {size!r}", hint="write 96, or 96x64")
    if not all(LEAST_SIDE_PX <= side <= MOST_SIDE_PX for side in sides):
        expected = f"expected --size of {LEAST_SIDE_PX} to {MOST_SIDE_PX} px, found {size!r}"
        raise SettingError(expected, hint="see --help")
    return sides[0] if len(set(sides)) == 1 else (sides[0], sides[1])


def tensor_shape(given: str) -> tuple[int, ...]:
    """Returns the shape that `tensor:1x49x10` says; raises SettingError for anything else."""
    sides = _numbers(given.removeprefix(_TENSOR))
    if not given.startswith(_TENSOR) or not 1 <= len(sides) <= _MOST_SIDES:
        raise SettingError(
            f"expected --input tensor:SHAPE, without the batch, found {given!r}",
            hint="write tensor:1x49x10 (channels x height x width) or tensor:128; --size and --channels are pictures'",
        )
    return sides


def image_as_asked(image: ImageSpec, size: int | str | None, channels: int | None) -> ImageSpec:
    """Returns `image` with another size and other channels, where they are asked for.

    Other channels have the default mean and deviation.
    """
    fields = image.model_dump()
    if size is not None:
        fields["size_px"] = size_px(size)
    if channels is not None and channels != image.channels:
        fields = {name: value for name, value in fields.items() if name not in ("mean_byte", "std_byte")}
        fields["channels"] = channels
    return ImageSpec(**fields)


def _numbers(text: str) -> tuple[int, ...]:
    parts = text.lower().replace("×", "x").split("x")
    return tuple(map(int, parts)) if all(part.isascii() and part.isdigit() and int(part) for part in parts) else ()
