"""Draws the report's section of segmentation: the masks on golden pictures."""

import base64
import colorsys
import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.golden.samples import as_saved, golden_positions
from mobile_sdk.contract import Contract
from mobile_sdk.preprocess import LabelledPictures, to_bytes
from mobile_sdk.report.data import MaskColour, MaskDrawing
from mobile_sdk.report.sections.golden import Golden, TaskSection
from mobile_sdk.tasks.segmentation import VOID, Masks, PicturesWithMasks, masks_of

_OPAQUE, _VOID_RGBA = 170, (255, 255, 255, 120)
_TURN = 0.618  # of the colour circle from one label to the next, so that neighbours differ most


def golden_masks(golden: Golden) -> Iterator[MaskDrawing]:
    """Yields the truth, if it is known, and the bundles' expectations, equal masks together."""
    bundles, index = golden.bundles, golden.index
    contract = bundles[0].manifest.contract
    truth = _truth(bundles[0], index, golden.pictures)
    if truth is not None:
        yield _drawn("truth", truth, contract)
    together: dict[bytes, list[str]] = {}
    for bundle in bundles:
        sides = contract.image.height_px, contract.image.width_px
        mask = masks_of(bundle.golden_output(index).reshape(*sides, len(contract.labels)))
        together.setdefault(mask.tobytes(), []).append(bundle.path.name)
    for content, names in together.items():
        mask = np.frombuffer(content, np.uint8).reshape(contract.image.height_px, -1)
        yield _drawn(", ".join(names), mask, contract)


def colour_of(label: int) -> tuple[int, int, int]:
    """Returns a label's colour in every drawing."""
    red, green, blue = colorsys.hsv_to_rgb(label * _TURN % 1, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _truth(bundle: Bundle, index: int, pictures: LabelledPictures | None) -> Masks | None:
    if pictures is None or not isinstance(pictures, PicturesWithMasks):
        return None
    image = bundle.manifest.image
    positions = golden_positions(len(pictures), lambda position: int(pictures[position][1]))
    if index >= len(positions) or bundle.manifest.golden.source != "given":
        return None
    position = positions[index]
    saved = as_saved(pictures[position][0], image)
    if not np.array_equal(to_bytes(saved, image), bundle.golden_picture(index)):
        return None
    mask: Masks = pictures.masks_in(image)[position]
    return mask


def _drawn(computed_by: str, mask: Masks, contract: Contract) -> MaskDrawing:
    """Draws a mask; label 0, the background, is transparent."""
    palette = np.zeros((256, 4), np.uint8)
    palette[VOID] = _VOID_RGBA
    for label in range(1, len(contract.labels)):
        palette[label] = (*colour_of(label), _OPAQUE)
    stream = io.BytesIO()
    Image.fromarray(palette[mask]).save(stream, "PNG")
    present = [label for label in np.unique(mask).tolist() if 0 < label < len(contract.labels)]
    return MaskDrawing(
        computed_by=computed_by,
        png_base64=base64.b64encode(stream.getvalue()).decode(),
        labels=tuple(MaskColour(label=contract.labels[label], colour=_hex(label)) for label in present),
    )


def _hex(label: int) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour_of(label))


SECTION = TaskSection(
    title="Mean IoU",
    quality_template="overlap.html.j2",
    golden_template="masks.html.j2",
    glance_template="masks.html.j2",
    glanced=1,
    golden_note="Masks are what the golden outputs give, pale where the truth asks no label.",
    answers=golden_masks,
)
