"""Makes the prediction of a picture or an array: opens it, runs the net on its bytes, and reads the outputs."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.contract import Contract, ImageSpec, NetInput
from mobile_sdk.errors import BundleError, DataError, SettingError
from mobile_sdk.graph.outputs import joined
from mobile_sdk.prediction.predictions import (
    Box,
    BoxPrediction,
    ClassPrediction,
    ClassScore,
    FoundObject,
    MaskPrediction,
    OutputPrediction,
    Prediction,
)
from mobile_sdk.preprocess import Sample, central_part, open_picture, picture_bytes, to_bytes, upright, upright_rgb
from mobile_sdk.preprocess.array_files import ARRAY_SUFFIX, read_array
from mobile_sdk.tasks.boxes import detect
from mobile_sdk.tasks.registry import task_of
from mobile_sdk.tasks.segmentation import masks_of
from mobile_sdk.tasks.softmax import PROBABILITIES, softmax

Given = str | os.PathLike[str] | Sample
"""This is a picture's path, a picture of Pillow, or its uint8 pixels (height, width, 3); of other nets an array."""
Outputs = Mapping[str, NDArray[np.float64]]
"""These are real values by the output's name, channels last, without a batch."""

_SHOWN_SIDE_PX = 1024  # a whole picture is shown no larger, as in the apps
_COLOURS = (3, 4)  # of an array's last axis


def predict(given: Given, contract: Contract, run: Callable[[NDArray[np.uint8]], Outputs]) -> Prediction:
    """Returns the prediction of one picture or array; `run` takes the bytes (1, …) that the net reads.

    Raises DataError for a file that cannot be read, SettingError for anything that is no picture (or no array, for a
    net that reads arrays), and BundleError for outputs that are not finite.
    """
    sample = open_sample(given, contract.input)
    outputs = run(to_bytes(sample, contract.input)[np.newaxis])
    check_finite(outputs)
    if not (isinstance(sample, Image.Image) and isinstance(contract.input, ImageSpec)):
        return prediction_of(outputs, contract)
    part = _part_read(sample, contract.input)
    return prediction_of(outputs, contract, picture=shown(sample, contract.input), part_px=part)


def prediction_of(
    outputs: Outputs, contract: Contract, *, picture: Image.Image | None = None, part_px: Box | None = None
) -> Prediction:
    """Returns the prediction in a net's outputs, as both apps read it.

    `part_px` is the part of a picture that the net has read, in its pixels; without it boxes are in the net's own.
    """
    match task_of(contract).answer:
        case "label":
            return ClassPrediction(picture=picture, classes=_probabilities(outputs, contract))
        case "boxes":
            return BoxPrediction(picture=picture, objects=_objects(outputs, contract, part_px))
        case "mask":
            return _mask(outputs, contract, picture)
        case "outputs":
            return OutputPrediction(picture=picture, outputs=outputs)


def open_sample(given: Any, spec: NetInput) -> Sample:
    """Returns the picture, or the array, that the net of `spec` reads; a path is opened."""
    if isinstance(given, str | os.PathLike):
        return _from_file(Path(given), spec)
    if isinstance(given, np.ndarray) and isinstance(spec, ImageSpec):
        if given.dtype != np.uint8 or not (given.ndim == 2 or (given.ndim == 3 and given.shape[2] in _COLOURS)):
            raise SettingError(
                f"expected pixels as uint8 (height, width, 3), found {given.dtype} {given.shape}",
                hint="give bytes 0..255 as a decoder gives them, neither normalized nor transposed",
            )
        return Image.fromarray(given)
    sample: Sample = given  # to_bytes refuses anything else
    return sample


def check_finite(outputs: Outputs) -> None:
    """Raises BundleError for numbers that are not finite, from which no app has an answer."""
    for name, values in outputs.items():
        if not np.isfinite(values).all():
            raise BundleError(f"expected finite numbers of {name}, found NaN or infinity", hint="train the net anew")


def shown(picture: Image.Image, spec: ImageSpec) -> Image.Image:
    """Returns the picture that a screen shows beside the answer, in RGB: all that the net reads of it.

    A whole picture keeps its own proportions; its longer side is 1,024 px at most.
    """
    if spec.fit == "crop":
        return upright_rgb(Image.fromarray(picture_bytes(picture, spec).squeeze()))
    whole = upright_rgb(picture)
    whole.thumbnail((_SHOWN_SIDE_PX, _SHOWN_SIDE_PX), Image.Resampling.BILINEAR)
    return whole


def _from_file(file: Path, spec: NetInput) -> Sample:
    if not file.is_file():
        is_folder = file.is_dir()
        hint = f"name the pictures in it: {file}/*.jpg" if is_folder else "check the path"
        raise DataError(f"expected a picture at {file}, found {'a folder' if is_folder else 'nothing'}", hint=hint)
    is_array = file.suffix == ARRAY_SUFFIX
    if isinstance(spec, ImageSpec):
        if is_array:
            raise DataError("expected a picture for a net that reads pictures, found an array", hint="name a picture")
        return open_picture(file, spec)
    if not is_array:
        raise DataError(
            f"expected an array for a net that reads arrays, found {file.name!r}", hint=f"name a file {ARRAY_SUFFIX}"
        )
    return read_array(file)


def _part_read(picture: Image.Image, spec: ImageSpec) -> Box:
    width, height = upright(picture, spec).size
    return central_part(width, height, spec) if spec.fit == "crop" else (0, 0, width, height)


def _probabilities(outputs: Outputs, contract: Contract) -> tuple[ClassScore, ...]:
    ((name, scores),) = outputs.items()
    shares = scores.ravel() if name == PROBABILITIES else softmax(scores.ravel())
    return tuple(_score(contract, int(index), shares[index]) for index in np.argsort(-shares, kind="stable"))


def _objects(outputs: Outputs, contract: Contract, part_px: Box | None) -> tuple[FoundObject, ...]:
    assert contract.detection is not None
    whole = joined({name: values[np.newaxis] for name, values in outputs.items()})
    rows = task_of(contract).as_one(whole, contract).reshape(-1, contract.output_columns)
    things = detect(rows, contract.detection, contract.image.size_px)
    sides = np.array([contract.image.width_px, contract.image.height_px] * 2)
    left, top, right, bottom = (0, 0, *sides[:2].tolist()) if part_px is None else part_px
    areas = things.boxes / sides
    boxes = areas * ([right - left, bottom - top] * 2) + [left, top] * 2
    return tuple(
        FoundObject(
            index=label,
            label=contract.labels[label],
            score=score,
            box_px=(box[0], box[1], box[2], box[3]),
            area=(area[0], area[1], area[2], area[3]),
        )
        for label, score, box, area in zip(
            things.labels.tolist(), things.scores.tolist(), boxes.tolist(), areas.tolist(), strict=True
        )
    )


def _mask(outputs: Outputs, contract: Contract, picture: Image.Image | None) -> MaskPrediction:
    ((_, scores),) = outputs.items()
    mask = masks_of(scores.reshape(contract.image.height_px, contract.image.width_px, len(contract.labels)))
    pixels = np.bincount(mask.ravel(), minlength=len(contract.labels))
    largest = [int(index) for index in np.argsort(-pixels, kind="stable") if pixels[index]]
    classes = tuple(_score(contract, each, pixels[each] / mask.size) for each in largest)
    return MaskPrediction(picture=picture, mask=mask, classes=classes)


def _score(contract: Contract, index: int, score: float) -> ClassScore:
    return ClassScore(index=index, label=contract.labels[index], score=float(score))
