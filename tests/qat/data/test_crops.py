"""Crops of few pictures: equal everywhere, cut from the picture's own pixels, and pictures like any other."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from mobile_sdk.contract import ImageSpec, TensorSpec
from mobile_sdk.errors import SettingError
from mobile_sdk.preprocess import open_picture, to_bytes
from qat.data import sources
from qat.data.crops import LEAST_SIDE_SHARE, with_crops
from qat.data.picture_set import PictureSet
from qat.data.pictures import load_folder
from qat.data.shards.shards import load_shards, write_shards
from qat.data.sources import Crop
from tests.support.pictures.folders import lay
from tests.support.pictures.phone_photographs import noise, photograph

SPEC = ImageSpec(size_px=32)
WIDE, TALL = (120, 80), (60, 90)


def pictures_of(*sizes: tuple[int, int]) -> PictureSet:
    return PictureSet(sources=tuple(np.asarray(noise(*size)) for size in sizes), targets=tuple(range(len(sizes))))


def crops_of(pictures: PictureSet) -> list[Crop]:
    return [source for source in pictures.sources if isinstance(source, Crop)]


def test_the_pictures_come_first_and_then_a_crop_of_each_in_turn() -> None:
    pictures = pictures_of(WIDE, TALL, WIDE)
    found = with_crops(pictures, SPEC, 8)
    assert found.sources[:3] == pictures.sources
    assert [crop.of for crop in crops_of(found)] == [pictures.sources[place] for place in (0, 1, 2, 0, 1)]
    assert found.targets == (0, 1, 2, *(-1,) * 5)
    assert found.tensors(SPEC).shape == (8, 3, 32, 32)


def test_crops_are_equal_on_every_machine_and_others_with_another_seed() -> None:
    pixels = np.arange(90 * 60 * 3, dtype=np.uint32).reshape(90, 60, 3) * 7 % 251
    pictures = PictureSet(sources=(pixels.astype(np.uint8),), targets=(-1,))
    found = with_crops(pictures, SPEC, 6)
    digest = hashlib.sha256(found.bytes(SPEC).tobytes()).hexdigest()
    assert digest == "6308a6987f980b5f79e593dccc603646da4d72782f2bf42e5c15c05158502a29"
    assert not np.array_equal(with_crops(pictures, SPEC, 6, seed=1).bytes(SPEC)[1:], found.bytes(SPEC)[1:])


def test_more_crops_leave_the_first_ones_as_they_are() -> None:
    pictures = pictures_of(WIDE, TALL)
    few, many = (with_crops(pictures, SPEC, count).bytes(SPEC) for count in (6, 11))
    assert np.array_equal(many[:6], few)


@pytest.mark.parametrize("size", [WIDE, TALL, (33, 7), (3, 5), (1, 1)])
@pytest.mark.parametrize("spec", [SPEC, ImageSpec(size_px=(24, 40)), ImageSpec(size_px=32, fit="stretch")])
def test_every_crop_lies_inside_the_picture_in_the_nets_proportions(size: tuple[int, int], spec: ImageSpec) -> None:
    width, height = size
    wanted = width / height if spec.fit == "stretch" else spec.width_px / spec.height_px
    largest = min(width, height * wanted), min(height, width / wanted)
    for crop in crops_of(with_crops(pictures_of(size), spec, 60)):
        left, top, right, bottom = crop.box(width, height)
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        for side, most in ((right - left, largest[0]), (bottom - top, largest[1])):
            assert LEAST_SIDE_SHARE * most - 1 <= side <= max(1, most + 1)


def test_crops_reach_every_edge_and_half_of_them_are_mirrored() -> None:
    crops = crops_of(with_crops(pictures_of(WIDE), SPEC, 101))
    boxes = np.array([crop.box(*WIDE) for crop in crops])
    assert boxes[:, :2].min(axis=0).tolist() == pytest.approx([0, 0], abs=3)
    assert boxes[:, 2:].max(axis=0).tolist() == pytest.approx(list(WIDE), abs=3)
    assert sum(crop.is_mirrored for crop in crops) == 50


def test_a_crop_is_cut_from_the_pictures_own_pixels_and_then_follows_the_contracts_recipe() -> None:
    spec = ImageSpec.torchvision(32)
    picture = noise(*WIDE)
    found = with_crops(PictureSet(sources=(np.asarray(picture),), targets=(-1,)), spec, 9)
    for index, crop in enumerate(crops_of(found), start=1):
        part = picture.crop(crop.box(*WIDE))
        expected = to_bytes(ImageOps.mirror(part) if crop.is_mirrored else part, spec)
        assert np.array_equal(found.bytes(spec)[index], expected)
        assert np.array_equal(to_bytes(found[index][0], spec), expected)


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_a_photograph_is_turned_upright_before_it_is_cut(tmp_path: Path, orientation: int) -> None:
    upright = noise(*WIDE)
    file = photograph(tmp_path / "photo.png", upright, orientation)
    found, expected = (
        with_crops(PictureSet(sources=(source,), targets=(-1,)), SPEC, 5).bytes(SPEC)
        for source in (file, np.asarray(upright))
    )
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_nets_and_nets_that_see_opacity_read_crops(tmp_path: Path, channels: int) -> None:
    picture = noise(*TALL).convert("RGBA")
    picture.putalpha(noise(*TALL).convert("L"))
    picture.save(tmp_path / "cut_out.png")
    spec = ImageSpec(size_px=32, channels=channels)
    found = with_crops(PictureSet(sources=(tmp_path / "cut_out.png",), targets=(-1,)), spec, 4)
    whole = open_picture(tmp_path / "cut_out.png", spec)
    expected = [to_bytes(whole, spec), *(to_bytes(crop.cut(whole), spec) for crop in crops_of(found))]
    assert found.bytes(spec).shape == (4, 32, 32, channels)
    assert np.array_equal(found.bytes(spec), expected)


def test_arrays_have_no_crops(tmp_path: Path) -> None:
    spec = TensorSpec(shape=(3, 8, 8), scale=0.1, zero_point=0)
    np.save(tmp_path / "one.npy", np.zeros(spec.shape, np.float32))
    for source in (tmp_path / "one.npy", np.zeros(spec.shape, np.float32)):
        arrays = PictureSet(sources=(source,), targets=(-1,))
        assert with_crops(arrays, spec, 100) is arrays


def test_as_many_pictures_need_no_crops() -> None:
    many = pictures_of(*[WIDE] * 6)
    assert with_crops(many, SPEC, 6) is many
    assert with_crops(many, SPEC, 5) is many


def test_pictures_in_shards_have_crops(tmp_path: Path) -> None:

    lay(tmp_path / "photos", "cat", "dog")

    write_shards(load_folder(tmp_path / "photos"), tmp_path / "shards")
    pictures = load_shards(tmp_path / "shards").validation
    found = with_crops(pictures, SPEC, 7)
    assert found.bytes(SPEC).shape == (7, 32, 32, 3)
    assert found.fingerprint() != pictures.fingerprint()


def test_a_photograph_is_decoded_once_for_all_its_crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = photograph(tmp_path / "photo.png", noise(*WIDE), 1)
    opened: list[Path] = []

    read = sources.open_picture
    monkeypatch.setattr(sources, "open_picture", lambda path, spec: opened.append(path) or read(path, spec))
    with_crops(PictureSet(sources=(file,), targets=(-1,)), SPEC, 20).bytes(SPEC)
    assert opened == [file]


def test_crops_are_decoded_again_after_their_file_changed(tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    Image.new("RGB", (50, 50), "black").save(file)
    found = with_crops(PictureSet(sources=(file,), targets=(-1,)), SPEC, 3)
    assert found.bytes(SPEC).max() == 0
    first = found.pictures_hash()
    noise(50, 50).save(file)
    assert found.bytes(SPEC).max() > 0
    assert found.pictures_hash() != first


def test_a_count_below_one_is_refused() -> None:
    with pytest.raises(SettingError, match="expected 1 picture or more, found 0"):
        with_crops(pictures_of(WIDE), SPEC, 0)
