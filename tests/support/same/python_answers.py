"""Answers questions as this SDK does; Kotlin's `Same.kt` and Swift's `Same.swift` answer them beside it.

A question is a line of words, parted by tabs. Numbers are the sixteen digits of a double's bits, and bytes are digits.
"""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.benchmarking.statistics import summarize
from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.bundle.manifest_file import BundleRefusalError
from mobile_sdk.comparison import top1
from mobile_sdk.contract import DetectionSpec
from mobile_sdk.document import parse_json
from mobile_sdk.errors import SettingError
from mobile_sdk.tasks.anchor_free import detect_anchor_free
from mobile_sdk.tasks.boxes import Detections, best_labels, detect
from mobile_sdk.tasks.segmentation import commonest_labels, masks_of
from mobile_sdk.tasks.softmax import softmax

REFUSED = "refused"
_BEYOND_INTEGERS = 2.0**63


def answer(question: str, folder: Path) -> str:
    """Returns the answer to a question, whose paths are below `folder`."""
    kind, *words = question.split("\t")
    match kind:
        case "scores":
            return _scores(words)
        case "detections":
            return _detections(words)
        case "maps":
            return _maps(words)
        case "mask":
            return _mask(words)
        case "json":
            return _json(bytes.fromhex(words[0]))
        case "open":
            return _open(folder / words[0])
        case "replay":
            return _replay(folder / words[0], bytes.fromhex(words[1]))
        case "live":
            return _live(folder / words[0], bytes.fromhex(words[1]))
        case "statistics":
            return _statistics(words[0])
    raise ValueError(f"expected a known kind of question, found {kind}")


def digits(number: float) -> str:
    """Returns the digits of a double's bits."""
    return struct.pack(">d", number).hex()


def number(text: str) -> float:
    """Returns the double of those digits."""
    return float(struct.unpack(">d", bytes.fromhex(text))[0])


def _scores(words: Sequence[str]) -> str:
    dtype, scale, zero_point, labels, count, data = words
    found = _numbers(data, dtype)
    if problem := _problem(found, int(labels), "scores"):
        return f"-1 {problem}"
    real = found.astype(np.float64)
    shares = softmax(real if scale == "-" else number(scale) * (real - int(zero_point)))
    best = np.argsort(-shares, kind="stable")[: int(count)]
    return _said(int(top1(found[np.newaxis])[0]), [f"{index}:{digits(shares[index])}" for index in best])


def _detections(words: Sequence[str]) -> str:
    labels, rule, (height, width, anchors) = int(words[0]), _rule(words[1:4]), map(int, words[4:7])
    found, columns = _numbers(words[7], "float32"), 5 + labels
    if problem := _problem(found, anchors * columns, "boxes"):
        return f"-1 {problem}"
    rows = found.reshape(anchors, columns)
    return _said(int(best_labels(rows[np.newaxis])[0]), _boxes(detect(rows, rule, (height, width))))


def _maps(words: Sequence[str]) -> str:
    labels, rule, (height, width) = int(words[0]), _rule(words[1:4]), map(int, words[4:6])
    parts = [words[start : start + 3] for start in range(6, len(words), 3)]
    maps = [_numbers(data, "float32").reshape(int(rows), int(columns), -1) for rows, columns, data in parts]
    return " ".join(_boxes(detect_anchor_free(maps, labels, rule, (height, width))))


def _mask(words: Sequence[str]) -> str:
    labels, height, width = map(int, words[:3])
    found = _numbers(words[4], words[3])
    if problem := _problem(found, height * width * labels, "scores"):
        return f"-1 {problem}"
    scores = found.reshape(height, width, labels)
    mask = masks_of(scores)
    pixels = np.bincount(mask.ravel(), minlength=labels)
    order = [index for index in np.argsort(-pixels, kind="stable") if pixels[index]]
    shares = [f"{index}:{digits(pixels[index] / mask.size)}" for index in order]
    return _said(int(commonest_labels(scores[np.newaxis])[0]), [mask.tobytes().hex(), *shares])


def _json(data: bytes) -> str:
    try:
        return _shown(parse_json(data))
    except ValueError:
        return REFUSED


def _open(folder: Path) -> str:
    try:
        open_bundle(folder)
    except BundleRefusalError as error:
        return f"{REFUSED} {error.check}"
    return "opens"


def _replay(folder: Path, data: bytes) -> str:
    """Tells whether every number is within the tolerance, as `devices/runner/sources` and `bench` do."""
    bundle = open_bundle(folder)
    expected = bundle.golden_output(0).astype(np.float64)
    found = np.frombuffer(data, bundle.interface.outputs[0].dtype).astype(np.float64)
    is_near = found.size == expected.size and np.all(np.abs(found - expected) <= bundle.manifest.golden.tolerance)
    return "agrees" if is_near else "differs"


def _live(folder: Path, data: bytes) -> str:
    (output,) = open_bundle(folder).interface.outputs
    found = _numbers(data.hex(), output.dtype)
    return _problem(found, int(np.prod(output.shape)), output.name) or "answers"


def _statistics(given: str) -> str:
    rounds = [[number(each) for each in words.split(",") if each] for words in given.split(";")]
    try:
        of = summarize(rounds)
    except SettingError:
        return REFUSED
    numbers = (of.median_ms, of.mad_ms, of.mean_ms, of.p90_ms, of.p99_ms, of.min_ms, of.max_ms, of.cv_share)
    return " ".join([f"{of.count} {of.rounds} {of.outliers}", *map(digits, (*numbers, of.robust_cv_share))])


def _problem(found: NDArray[np.generic], count: int, name: str) -> str | None:
    """Returns why these are no outputs of a model, in the words of both apps."""
    if found.size != count:
        return f"expected {count} numbers of {name}, found {found.size}"
    return None if np.isfinite(found).all() else f"expected finite numbers of {name}, found NaN or infinity"


def _numbers(data: str, dtype: str) -> NDArray[np.generic]:
    kind = np.dtype(dtype).newbyteorder("<")
    found = bytes.fromhex(data)
    return np.frombuffer(found[: len(found) // kind.itemsize * kind.itemsize], kind)


def _rule(words: Sequence[str]) -> DetectionSpec:
    return DetectionSpec(score_threshold=number(words[0]), iou_threshold=number(words[1]), max_detections=int(words[2]))


def _boxes(found: Detections) -> list[str]:
    rows = zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True)
    return [":".join([str(label), digits(score), *map(digits, box)]) for label, score, box in rows]


def _said(winner: int, words: Sequence[str]) -> str:
    return " ".join([str(winner), *words])


def _shown(value: Any) -> str:
    match value:
        case None:
            return "n"
        case bool():
            return "t" if value else "f"
        case int() | float():
            is_whole = isinstance(value, int) and abs(float(value)) < _BEYOND_INTEGERS
            return ("i" if is_whole else "d") + digits(float(value) + 0.0)
        case str():
            return "s" + value.encode().hex()
        case list():
            return "[" + ",".join(map(_shown, value)) + "]"
    return "{" + ",".join(sorted(f"{key.encode().hex()}:{_shown(each)}" for key, each in value.items())) + "}"
