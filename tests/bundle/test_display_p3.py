"""The golden picture with a phone's colour profile, and pictures whose files say more than their numbers."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from mobile_sdk.bundle.golden.display_p3 import display_p3
from mobile_sdk.contract import ImageSpec
from mobile_sdk.preprocess import open_picture, to_bytes
from tests.support import bundles

P3, SRGB = ImageCms.ImageCmsProfile(io.BytesIO(display_p3())), ImageCms.createProfile("sRGB")
GREEN = (60, 160, 70)


def test_the_profile_is_display_p3_to_a_colour_management() -> None:
    assert ImageCms.getProfileDescription(P3).strip() == "Display P3"
    assert P3.profile.is_matrix_shaper and P3.profile.version == pytest.approx(4.2)
    red = P3.profile.red_colorant[0]  # type: ignore[index]
    assert red == pytest.approx((0.51512, 0.24120, -0.00105), abs=5e-5)  # Apple's Display P3.icc
    green = Image.new("RGB", (1, 1), GREEN)
    assert ImageCms.profileToProfile(green, P3, SRGB).getpixel((0, 0)) == (0, 163, 55)  # type: ignore[union-attr]


def test_the_last_golden_picture_alone_carries_it_and_is_read_as_it_is_stored(tmp_path: Path) -> None:
    bundle = bundles.lowered(tmp_path)
    profiles = []
    for index in range(3):
        with Image.open(bundle.path / f"golden/{index}.png") as picture:
            profiles.append(picture.info.get("icc_profile"))
            read = to_bytes(Image.fromarray(np.asarray(picture)), bundle.manifest.image)
        np.testing.assert_array_equal(bundle.golden_picture(index), read)
    assert profiles == [None, None, display_p3()]


def test_a_reader_that_converts_to_srgb_reads_other_bytes_from_it(tmp_path: Path) -> None:
    bundle = bundles.lowered(tmp_path)
    with Image.open(bundle.path / "golden/2.png") as picture:
        converted = ImageCms.profileToProfile(picture, P3, SRGB)
    assert converted is not None
    assert not np.array_equal(to_bytes(converted, bundle.manifest.image), bundle.golden_picture(2))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
def test_a_profile_changes_no_number(suffix: str, tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8))
    plain, tagged = tmp_path / f"plain.{suffix}", tmp_path / f"tagged.{suffix}"
    noise.save(plain)
    noise.save(tagged, icc_profile=display_p3())
    spec = ImageSpec(size_px=24)
    assert tagged.stat().st_size > plain.stat().st_size
    np.testing.assert_array_equal(to_bytes(open_picture(tagged), spec), to_bytes(open_picture(plain), spec))


def test_grey_is_replicated_and_its_gamma_ignored(tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    linear = PngInfo()
    linear.add(b"gAMA", (100_000).to_bytes(4, "big"))
    Image.fromarray(grey).save(tmp_path / "grey.png", pnginfo=linear)
    read = np.asarray(open_picture(tmp_path / "grey.png"))
    np.testing.assert_array_equal(read, np.stack([grey] * 3, axis=-1))


def test_sixteen_bits_of_grey_are_rounded(tmp_path: Path) -> None:
    values = np.array([[0, 127, 128, 129, 385, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "grey.png")
    assert np.asarray(open_picture(tmp_path / "grey.png"))[0, :, 0].tolist() == [0, 0, 0, 1, 1, 255]
