"""Bundles of segmenters for the tests of readers, forged from a classifier's: of each pixel's label nothing is learned.

A label's score falls with the distance of the pixel's brightness from the label's own, in few steps, so that equal
scores are frequent and the mask can be seen to lie over its picture.
"""

import shutil
from pathlib import Path

import bundles
import numpy as np
from damage import content_of
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.bundle import golden
from mobile_sdk.bundle.bundle import labels_bytes, open_bundle
from mobile_sdk.bundle.writer import file_entry
from mobile_sdk.contract import ImageSpec
from mobile_sdk.preprocess import to_bytes
from mobile_sdk.tasks.segmentation import commonest_labels, masks_of

_STEPS = 8  # of a score, over the whole range of brightness


def forge_segmenter(whole: Path, folder: Path, *, labels: int) -> None:
    """Writes to `folder` a segmenter of so many labels that takes pictures whole, of the classifier at `whole`."""
    manifest = open_bundle(whole).manifest
    shutil.copytree(whole, folder)
    content = content_of(folder)
    image = ImageSpec(**{**content["image"], "fit": "stretch"})
    names = tuple(f"part {index}" for index in range(labels))
    shape = [1, image.size_px, image.size_px, labels]
    content.update(task="segmentation", labels=list(names), image=image.model_dump(mode="json"))
    content["interface"]["output"]["shape"] = shape
    (folder / "labels.txt").write_bytes(labels_bytes(names))
    for index, expected in enumerate(content["golden"]["pictures"]):
        pixels = to_bytes(Image.open(folder / f"golden/{index}.png"), image)
        scores = _scores(pixels, labels, manifest.interface.output.dtype)
        expected.update(top1_index=int(commonest_labels(scores[np.newaxis])[0]), label_index=None)
        files = {
            "input.bin": golden.input_array(pixels, manifest.interface.input).tobytes(),
            "output.bin": golden.encode_output(scores, manifest.interface.output),
            "mask.bin": masks_of(scores).tobytes(),
        }
        for kind, data in files.items():
            (folder / f"golden/{index}.{kind}").write_bytes(data)
    paths = {entry["path"] for entry in content["files"]} | {
        f"golden/{index}.mask.bin" for index in range(golden.COUNT)
    }
    content["files"] = [file_entry(folder, path).model_dump(mode="json") for path in sorted(paths)]
    bundles.reseal(folder, content)
    open_bundle(folder)


def _scores(pixels: NDArray[np.uint8], labels: int, dtype: str) -> NDArray[np.generic]:
    brightness = pixels.mean(axis=2)[..., np.newaxis] / 255
    distance = np.abs(brightness - np.linspace(0, 1, labels))
    return (-np.rint(distance * _STEPS)).astype(dtype)
