"""The recipe from picture to bytes, and what happens to pictures that are none."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mobile_sdk.contract import ImageSpec, SizePx, TensorSpec
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.preprocess import array_values, central_part, check_picture, open_picture, save_png, to_bytes

SPEC = ImageSpec(size_px=16)
RED = (255, 0, 0)


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def cut(width: int, height: int, share: float, size_px: SizePx = 16) -> tuple[int, int, int, int]:
    return central_part(width, height, ImageSpec(size_px=size_px, crop_share=share))


@given(st.integers(1, 5000), st.integers(1, 5000), st.floats(0.01, 1.0))
def test_the_central_square_lies_inside_the_picture_and_is_central(width: int, height: int, share: float) -> None:
    left, top, right, bottom = cut(width, height, share)
    assert right - left == bottom - top >= 1
    assert min(left, top) >= 0 and right <= width and bottom <= height
    assert 0 <= (width - right) - left <= 1 and 0 <= (height - bottom) - top <= 1


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(8, 400), st.integers(8, 400), st.floats(0.05, 1.0))
def test_the_central_part_has_the_sizes_proportions_and_touches_the_edges_that_are_near(
    width: int, height: int, high: int, wide: int, share: float
) -> None:
    left, top, right, bottom = cut(width, height, share, (high, wide))
    assert min(left, top) >= 0 and right <= width and bottom <= height
    largest = min(width / wide, height / high) * share
    assert abs((right - left) - largest * wide) <= 1 and abs((bottom - top) - largest * high) <= 1
    assert 0 <= (width - right) - left <= 1 and 0 <= (height - bottom) - top <= 1


def test_halves_are_rounded_as_stated() -> None:
    assert cut(5, 9, 0.5) == (1, 3, 4, 6)  # 2.5 goes up to 3, unlike Python's round
    assert cut(100, 103, 1.0) == (0, 1, 100, 101)  # the odd pixel stays at the bottom
    assert cut(3, 3, 0.01) == (1, 1, 2, 2)


def test_bytes_are_those_of_pillows_crop_and_resize() -> None:
    picture = noise(61, 40)
    expected = picture.crop((10, 0, 50, 40)).resize((16, 16), Image.Resampling.BILINEAR)
    assert np.array_equal(to_bytes(picture, SPEC), np.asarray(expected))


def test_pixels_outside_the_square_do_not_matter() -> None:
    picture = noise(60, 40)
    changed = picture.copy()
    changed.paste(RED, (0, 0, 10, 40))
    changed.paste(RED, (50, 0, 60, 40))
    assert np.array_equal(to_bytes(picture, SPEC), to_bytes(changed, SPEC))


def test_stretch_takes_the_whole_picture() -> None:
    picture = noise(61, 40)
    spec = SPEC.model_copy(update={"fit": "stretch", "crop_share": 0.5})
    assert np.array_equal(to_bytes(picture, spec), np.asarray(picture.resize((16, 16), Image.Resampling.BILINEAR)))


def test_rows_are_resized_before_columns_whatever_order_pillow_would_choose() -> None:
    spec = SPEC.model_copy(update={"fit": "stretch"})
    for width, height in ((33, 77), (77, 33), (8, 20), (300, 301)):
        rows = noise(width, height).resize((16, height), Image.Resampling.BILINEAR)
        expected = np.asarray(rows.resize((16, 16), Image.Resampling.BILINEAR))
        assert np.array_equal(to_bytes(noise(width, height), spec), expected)


def test_a_picture_of_the_right_size_comes_back_unchanged() -> None:
    picture = noise(16, 16)
    result = to_bytes(picture, SPEC)
    assert result.dtype == np.uint8 and result.shape == (16, 16, 3)
    assert np.array_equal(result, np.asarray(picture))


def test_broken_exif_leaves_the_picture_as_it_is() -> None:
    picture = noise(16, 16)
    picture.info["exif"] = b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\xff\xff\x01"
    assert np.array_equal(to_bytes(picture, SPEC), np.asarray(picture))


def test_transparency_lies_over_white() -> None:
    clear = Image.new("RGBA", (16, 16), (10, 20, 30, 0))
    assert (to_bytes(clear, SPEC) == 255).all()
    palette = Image.new("P", (16, 16), 0)
    palette.putpalette([9, 9, 9, 255, 0, 0])
    palette.info["transparency"] = 0
    assert (to_bytes(palette, SPEC) == 255).all()
    assert (to_bytes(Image.new("LA", (16, 16), (50, 255)), SPEC) == 50).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB", "HSV", "F", "I", "I;16", "PA", "RGBX", "RGBa"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    assert to_bytes(Image.new(mode, (20, 20)), SPEC).shape == (16, 16, 3)


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.tile(np.array([0, 128, 129, 25700, 65535, 65407, 65406, 300], np.uint16), (8, 1))
    Image.fromarray(values).save(tmp_path / "deep.png")
    result = to_bytes(open_picture(tmp_path / "deep.png"), ImageSpec(size_px=8))
    assert result[0, :, 0].tolist() == [0, 0, 1, 100, 255, 255, 254, 1]


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\x00\x10JFIF"])
def test_a_file_that_is_no_picture_is_a_data_error_with_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    for function in (open_picture, check_picture):
        with pytest.raises(DataError, match=r"broken\.jpg"):
            function(path)


def test_a_missing_file_is_a_data_error() -> None:
    with pytest.raises(DataError, match="nowhere"):
        open_picture(Path("nowhere.png"))


@pytest.mark.parametrize("suffix", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("kept_share", [0.2, 0.5, 0.9])
def test_a_truncated_picture_is_refused_by_the_cheap_check_too(tmp_path: Path, suffix: str, kept_share: float) -> None:
    whole = io.BytesIO()
    noise(300, 200).save(whole, format=suffix)
    path = tmp_path / "cut.img"
    path.write_bytes(whole.getvalue())
    check_picture(path)
    path.write_bytes(whole.getvalue()[: int(len(whole.getvalue()) * kept_share)])
    for function in (open_picture, check_picture):
        with pytest.raises(DataError, match=r"cut\.img"):
            function(path)


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb(60000, 60000))
    with pytest.raises(DataError, match=r"bomb\.png.*decompression bomb"):
        open_picture(tmp_path / "bomb.png")


def test_a_phones_picture_of_108_megapixels_is_no_bomb(tmp_path: Path) -> None:
    Image.new("1", (12000, 9000)).save(tmp_path / "large.png")
    assert open_picture(tmp_path / "large.png").size == (12000, 9000)


def test_a_saved_png_gives_the_same_bytes_back(tmp_path: Path) -> None:
    picture = to_bytes(noise(50, 50), SPEC)
    save_png(picture, tmp_path / "0.png")
    assert np.array_equal(to_bytes(open_picture(tmp_path / "0.png"), SPEC), picture)
    assert [file.name for file in tmp_path.iterdir()] == ["0.png"]


@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_pictures_of_unequal_sides_are_pillows_crop_and_resize(fit: str) -> None:
    picture, spec = noise(90, 40), ImageSpec.model_validate({"size_px": [20, 30], "fit": fit})
    part = picture.crop((15, 0, 75, 40)) if fit == "crop" else picture
    expected = part.resize((30, part.height), Image.Resampling.BILINEAR).resize((30, 20), Image.Resampling.BILINEAR)
    assert np.array_equal(to_bytes(picture, spec), np.asarray(expected))


def test_grey_bytes_are_those_of_pillows_conversion_before_it_resizes() -> None:
    picture, spec = noise(40, 40), ImageSpec(size_px=16, channels=1)
    grey = picture.convert("L")
    expected = grey.resize((16, 40), Image.Resampling.BILINEAR).resize((16, 16), Image.Resampling.BILINEAR)
    found = to_bytes(picture, spec)
    assert found.shape == (16, 16, 1) and np.array_equal(found[..., 0], np.asarray(expected))
    red, green, blue = np.moveaxis(np.asarray(picture).astype(np.int64), 2, 0)
    assert np.array_equal((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16, np.asarray(grey))


def test_a_grey_picture_keeps_its_bytes_and_transparent_pixels_lie_over_white() -> None:
    spec = ImageSpec(size_px=16, channels=1)
    grey = noise(16, 16).convert("L")
    assert np.array_equal(to_bytes(grey, spec)[..., 0], np.asarray(grey))
    assert to_bytes(Image.new("RGBA", (16, 16), (0, 0, 0, 0)), spec).min() == 255


def test_each_of_four_channels_is_resized_by_itself() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (40, 40, 4), np.uint8)
    found = to_bytes(Image.fromarray(pixels), ImageSpec(size_px=16, channels=4))
    for channel in range(4):
        alone = Image.fromarray(pixels[..., channel])
        expected = alone.resize((16, 40), Image.Resampling.BILINEAR).resize((16, 16), Image.Resampling.BILINEAR)
        assert np.array_equal(found[..., channel], np.asarray(expected))
    assert to_bytes(noise(16, 16), ImageSpec(size_px=16, channels=4))[..., 3].min() == 255


@given(st.lists(st.floats(-300, 300), min_size=6, max_size=6), st.floats(1e-3, 10), st.integers(-128, 127))
def test_an_arrays_codes_are_rounded_to_even_in_double_precision(numbers: list[float], scale: float, zero: int) -> None:
    spec = TensorSpec(shape=(2, 1, 3), scale=scale, zero_point=zero)
    array = np.array(numbers, np.float32).reshape(2, 1, 3)
    found = to_bytes(array, spec)
    assert found.shape == (1, 3, 2) and found.dtype == np.uint8
    for channel, column in np.ndindex(2, 3):
        exact = round(float(array[channel, 0, column]) / spec.scale) + zero
        assert int(found[0, column, channel]) - 128 == max(-128, min(127, exact))


def test_int8_codes_are_taken_as_they_are_and_stand_for_their_numbers() -> None:
    spec = TensorSpec(shape=(256,), scale=0.37, zero_point=-9)
    codes = np.arange(-128, 128).astype(np.int8)
    stored = to_bytes(codes, spec)
    assert np.array_equal(stored, np.arange(256))
    assert np.array_equal(to_bytes(array_values(stored, spec), spec), stored)


def test_an_array_of_another_shape_or_without_finite_numbers_is_refused_in_a_line() -> None:
    spec = TensorSpec(shape=(1, 49, 10), scale=0.1, zero_point=0)
    with pytest.raises(DataError, match=r"expected an array of shape \(1, 49, 10\), found \(49, 10\)"):
        to_bytes(np.zeros((49, 10), np.float32), spec)
    with pytest.raises(DataError, match="expected finite numbers"):
        to_bytes(np.full((1, 49, 10), np.nan, np.float32), spec)
    with pytest.raises(SettingError, match=r"expected an array \(1, 49, 10\), found Image"):
        to_bytes(noise(16, 16), spec)
    with pytest.raises(SettingError, match="expected a picture, found ndarray"):
        to_bytes(np.zeros((8, 8, 3), np.uint8), SPEC)
