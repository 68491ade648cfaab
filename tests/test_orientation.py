"""Pictures that say how to be turned are turned once, wherever they go."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.bundle.golden.samples import as_saved
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import DataError
from mobile_sdk.preprocess import (
    check_picture,
    decode_picture,
    open_picture,
    open_stored_picture,
    save_png,
    to_bytes,
    upright_rgb,
)
from qat.data.picture_set import PictureSet
from tests.support.bundles import program
from tests.support.pictures.phone_photographs import FORMATS, ORIENTATION, STORED, noise, photograph, turned

SPEC = ImageSpec(size_px=16)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("orientation", STORED)
def test_a_turned_picture_is_turned_once_and_says_nothing_of_it_any_more(
    tmp_path: Path, orientation: int, suffix: str
) -> None:
    upright = noise(40, 30)
    file = photograph(tmp_path / f"picture.{suffix}", upright, orientation)
    expected = to_bytes(upright, SPEC).astype(int)
    least = 0 if suffix != "jpg" else 2
    found = open_picture(file)
    assert found.size == upright.size and not found.info and not found.getexif()
    with Image.open(file) as raw:
        saved = as_saved(raw, SPEC)
        assert isinstance(saved, Image.Image)
        for picture in (found, upright_rgb(raw), saved, upright_rgb(saved)):
            assert np.abs(to_bytes(picture, SPEC) - expected).max() <= least
    rows = PictureSet(sources=(file,), targets=(0,)).bytes(SPEC)
    in_a_shard = decode_picture(file.read_bytes(), "picture")
    assert np.array_equal(rows[0], to_bytes(found, SPEC)) and np.array_equal(rows[0], to_bytes(in_a_shard, SPEC))


@pytest.mark.parametrize("orientation", STORED)
def test_a_saved_picture_is_upright_without_a_word(tmp_path: Path, orientation: int) -> None:
    found = open_picture(photograph(tmp_path / "picture.webp", noise(40, 30), orientation))
    for suffix in FORMATS:
        found.save(tmp_path / f"again.{suffix}", **FORMATS[suffix])
        again = open_picture(tmp_path / f"again.{suffix}")
        assert again.size == (40, 30) and not again.getexif()
    save_png(np.asarray(found), tmp_path / "golden.png")
    assert np.array_equal(to_bytes(open_picture(tmp_path / "golden.png"), SPEC), to_bytes(found, SPEC))


@pytest.mark.parametrize("key", ["XML:com.adobe.xmp", "Raw profile type exif"])
def test_orientations_in_a_pngs_texts_are_dropped_too(tmp_path: Path, key: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    body = exif.tobytes()
    texts = {
        "XML:com.adobe.xmp": '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>',
        "Raw profile type exif": f"\nexif\n{len(body):8}\n{body.hex()}\n",
    }
    info = PngImagePlugin.PngInfo()
    info.add_itxt(key, texts[key])
    turned(noise(40, 30), 6).save(tmp_path / "picture.png", pnginfo=info)
    found = open_picture(tmp_path / "picture.png")
    assert found.size == (40, 30) and not found.info
    assert np.array_equal(to_bytes(upright_rgb(found), SPEC), to_bytes(noise(40, 30), SPEC))


def test_a_colour_profile_does_not_travel_with_a_golden_picture() -> None:
    picture = noise(40, 30)
    picture.info["icc_profile"] = b"a profile by which a phone would read other bytes"
    saved = as_saved(picture, SPEC)
    assert isinstance(saved, Image.Image) and not saved.info
    assert picture.info, "the caller's own picture is left as it was"


def test_stored_pixels_are_left_as_they_lie(tmp_path: Path) -> None:
    file = photograph(tmp_path / "picture.png", noise(40, 30), 6)
    found = open_stored_picture(file)
    assert found.size == (30, 40) and not found.info
    assert np.array_equal(np.asarray(found), np.asarray(turned(noise(40, 30), 6)))


@pytest.mark.parametrize("suffix", FORMATS)
def test_turned_golden_pictures_give_a_bundle_that_opens(tmp_path: Path, suffix: str) -> None:
    files = [photograph(tmp_path / f"{number}.{suffix}", noise(40, 30), number) for number in (6, 3, 5)]
    pictures = [(open_picture(file), label) for label, file in enumerate(files)]
    raw = [(Image.open(io.BytesIO(file.read_bytes())), label) for label, file in enumerate(files)]
    for number, golden in enumerate((pictures, raw)):
        bundle = lower(program(), tmp_path / str(number), runtimes=["tflite"], pictures=golden)[0]
        opened = open_bundle(bundle.path)
        with Image.open(opened.path / "golden" / "0.png") as png:
            assert png.size == (40, 30) and not png.getexif()
        assert np.array_equal(opened.golden_picture(0), to_bytes(pictures[0][0], program().contract.image))


def test_what_only_converting_finds_damaged_is_unreadable_to_the_check_too(tmp_path: Path) -> None:
    path = tmp_path / "icon.png"
    noise(53, 40).quantize(16).save(path, format="ICNS")
    for function in (open_picture, check_picture):
        with pytest.raises(DataError, match=r"icon\.png: expected a picture that decodes, found: AssertionError"):
            function(path)
