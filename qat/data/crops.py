"""Makes many pictures of few: parts of each at its own resolution, some mirrored, equal on every machine."""

from random import Random

from mobile_sdk.arguments import expect, expect_seed
from mobile_sdk.contract import ImageSpec, NetInput
from mobile_sdk.errors import SettingError
from qat.data.picture_set import PictureSet
from qat.data.sources import Crop, Whole, is_array, whole_of

LEAST_SIDE_SHARE = 0.4  # a part of 40 % of the sides of a photograph of 3,000 px is still larger than nets read


def with_crops(pictures: PictureSet, spec: NetInput, count: int, *, seed: int = 0) -> PictureSet:
    """Returns the pictures, and as many crops of them as make `count` in all; the pictures alone if they are as many.

    The pictures come first, whole; then one crop of each in turn, so that a slice is a fair sample. A crop has the
    proportions of `spec` (the picture's own where `spec.fit` is "stretch"), its sides are 40 to 100 % of the largest
    that fit, it lies anywhere inside the upright picture, and every other one is mirrored. It is then a picture like
    any other: `bytes(spec)` and `tensors(spec)` bring it to the net's size by the contract's recipe, from the picture's
    own pixels; one that is smaller than the net's input is enlarged. A crop has no label (-1), since what the label
    names may lie outside it.

    `seed` and a picture's place among the pictures decide its crops, and more of them leave the first ones as they are.
    Nothing can be cut from arrays: a set with arrays is returned as it is.

    Example: `with_crops(pictures.train, contract.input, 64).tensors(contract.input)` is float32 (64, 3, H, W).
    """
    expect("count", count, int)
    expect_seed(seed)
    if count < 1:
        raise SettingError(f"expected 1 picture or more, found {count}", hint="ask for 100")
    more = count - len(pictures) if len(pictures) else 0
    if more <= 0 or not isinstance(spec, ImageSpec) or any(map(is_array, pictures.sources)):
        return pictures
    proportions = (spec.width_px, spec.height_px) if spec.fit == "crop" else None
    places = (divmod(index, len(pictures)) for index in range(more))
    crops = tuple(_crop(whole_of(pictures.sources[place]), seed, place, turn, proportions) for turn, place in places)
    return PictureSet(
        sources=(*pictures.sources, *crops), targets=(*pictures.targets, *(-1,) * more), cache_mib=pictures.cache_mib
    )


def _crop(whole: Whole, seed: int, place: int, turn: int, proportions: tuple[int, int] | None) -> Crop:
    """Returns the crop that seed and places decide: Python's `Random` gives the same numbers everywhere."""
    random = Random(f"crop {seed} {place} {turn}")
    side, right, down = random.random(), random.random(), random.random()
    return Crop(
        of=whole,
        side_share=LEAST_SIDE_SHARE + (1 - LEAST_SIDE_SHARE) * side,
        right_share=right,
        down_share=down,
        is_mirrored=(place + turn) % 2 == 0,
        proportions=proportions,
    )
