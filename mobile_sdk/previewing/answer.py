"""Turns an output into the answer that both apps show: labels with shares, places in the picture, or plain values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.bundle.manifest import Manifest
from mobile_sdk.errors import BundleError
from mobile_sdk.graph.outputs import separated
from mobile_sdk.tasks.boxes import detect
from mobile_sdk.tasks.registry import task_of
from mobile_sdk.tasks.segmentation import Masks, masks_of
from mobile_sdk.tasks.softmax import PROBABILITIES, softmax

Area = tuple[float, float, float, float]
Outputs = NDArray[np.generic]
_MOST_LABELS = 5  # of a classifier, as on the apps' screens


@dataclass(frozen=True, kw_only=True)
class LabelShare:
    """Holds a label and its share, 0..1: of the probability, or of the picture's pixels."""

    label_index: int
    label: str
    share: float


@dataclass(frozen=True, kw_only=True)
class Found:
    """Holds an object; `area` is left, top, right, bottom as shares of the picture's sides, 0..1."""

    what: LabelShare
    area: Area


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """Holds what a screen shows: labels, the surest first, and what is drawn over the picture.

    `mask` (H, W) holds label indices. A net without labels has `features`, its outputs by their names, in real values.
    """

    shares: tuple[LabelShare, ...] = ()
    found: tuple[Found, ...] = ()
    mask: Masks | None = None
    features: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def is_placed(self) -> bool:
        """Tells whether the labels have places in the picture, and so a colour each."""
        return bool(self.found) or self.mask is not None


def answer_of(output: Outputs, manifest: Manifest) -> Answer:
    """Returns the answer in an output, flat or not, in its own dtype; several outputs come as one record."""
    return _ANSWERS[task_of(manifest.contract).answer](output.reshape(1, -1), manifest)


def check_finite(output: Outputs, manifest: Manifest) -> None:
    """Raises BundleError for numbers that are not finite, from which no app has an answer."""
    for spec, part in zip(manifest.outputs, separated(output.reshape(1, -1)), strict=True):
        if not np.isfinite(part).all():
            raise BundleError(
                f"expected finite numbers of {spec.name}, found NaN or infinity", hint="train the net anew"
            )


def _labels(output: Outputs, manifest: Manifest) -> Answer:
    (spec,) = manifest.outputs
    reals = spec.reals(output[0])
    shares = reals if spec.name == PROBABILITIES else softmax(reals)
    best = np.argsort(-shares, kind="stable")[:_MOST_LABELS]
    return Answer(shares=tuple(_share(manifest, int(index), float(shares[index])) for index in best))


def _boxes(output: Outputs, manifest: Manifest) -> Answer:
    contract = manifest.contract
    assert contract.detection is not None
    rows = task_of(contract).as_one(output, contract).reshape(-1, contract.output_columns)
    things = detect(rows, contract.detection, contract.image.size_px)
    sides = (contract.image.width_px, contract.image.height_px) * 2
    found = []
    for box, label, score in zip(things.boxes.tolist(), things.labels.tolist(), things.scores.tolist(), strict=True):
        left, top, right, bottom = (edge / side for edge, side in zip(box, sides, strict=True))
        found.append(Found(what=_share(manifest, label, score), area=(left, top, right, bottom)))
    return Answer(shares=tuple(each.what for each in found), found=tuple(found))


def _mask(output: Outputs, manifest: Manifest) -> Answer:
    image, labels = manifest.image, len(manifest.labels)
    mask = masks_of(output.reshape(image.height_px, image.width_px, labels))
    pixels = np.bincount(mask.ravel(), minlength=labels)
    largest = [int(index) for index in np.argsort(-pixels, kind="stable") if pixels[index]]
    return Answer(shares=tuple(_share(manifest, each, pixels[each] / mask.size) for each in largest), mask=mask)


def _outputs(output: Outputs, manifest: Manifest) -> Answer:
    parts = zip(manifest.outputs, separated(output), strict=True)
    return Answer(features={spec.name: spec.reals(part.reshape(spec.shape[1:])) for spec, part in parts})


_ANSWERS: Mapping[str, Callable[[Outputs, Manifest], Answer]] = {
    "label": _labels,
    "boxes": _boxes,
    "mask": _mask,
    "outputs": _outputs,
}
"""The keys are those of `Task.answer`."""


def _share(manifest: Manifest, label_index: int, share: float) -> LabelShare:
    return LabelShare(label_index=label_index, label=manifest.labels[label_index], share=share)
