"""Draws questions about outputs and times, and holds the smallest ones on which the three languages once differed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.tasks.boxes import label_shares
from tests.support.same.bundle_questions import bundle_cases, bundle_questions
from tests.support.same.json_texts import JSON_CASES, json_text
from tests.support.same.python_answers import digits

Random = np.random.Generator
Floats = NDArray[np.float32]

_SPECIAL = (np.inf, -np.inf, np.nan, 0.0, -0.0, 3.4e38, -3.4e38, 1e-45)


def cases(folder: Path) -> list[str]:
    """Returns the smallest questions; the bundles that they ask about are written below `folder`."""
    return [*_CASES, *(f"json\t{text.hex()}" for text in JSON_CASES), *bundle_cases(folder)]


def drawn(random: Random, folder: Path, rounds: int, name: str = "drawn") -> Iterator[str]:
    """Yields so many rounds of a question of each kind; bundles are written below `folder`, under that name."""
    for index in range(rounds):
        yield from (_scores(random), _detections(random), _detections(random), _maps(random), _mask(random))
        yield from (_statistics(random), *(f"json\t{json_text(random).hex()}" for _ in range(3)))
        yield from bundle_questions(random, folder, f"{name}-{index}")


def numbers(values: Any) -> str:
    """Returns the digits of the bytes of float32 numbers."""
    return np.asarray(values, "<f4").tobytes().hex()


def detections(rows: Any, *, labels: int, rule: Sequence[float] = (0.3, 0.5, 100), anchors: int | None = None) -> str:
    """Returns the question what is detected in rows of boxes and logits."""
    found = np.asarray(rows, np.float32)
    said = [digits(rule[0]), digits(rule[1]), int(rule[2]), 64, 80, anchors or len(found), numbers(found)]
    return "\t".join(map(str, ["detections", labels, *said]))


def _scored(values: Any, labels: int) -> str:
    return "\t".join(["scores", "float32", "-", "-", str(labels), "3", numbers(values)])


_SUMS = np.zeros((2, 12), np.float32)
_SUMS[:, 2:4] = 8
_SUMS[:, 4:] = [[-1, -3, 0, -1, -4, -1, 42, 0], [1, 40, 3, 2, -2, 1, 2, 0]]  # eight powers, which numpy adds in eights
_INFINITE = np.array([[0, 0, 8, 8, 0, 0, np.inf], [0, 0, 8, 8, 0, 0, 5]], np.float32)

_CASES = (
    detections(_SUMS, labels=7),
    detections(_SUMS[:, [0, 1, 2, 3, 4, 11, 10, 9, 8, 7, 6, 5]], labels=7),
    detections(_INFINITE, labels=2),
    detections(np.where(np.isinf(_INFINITE), np.nan, _INFINITE), labels=2),
    detections(_INFINITE[1:], labels=2, anchors=2),
    detections([[-0.0, -5, 1e9, 8, 0, 5]], labels=1),
    _scored([-0.0, 0.0], 2),
    _scored([0.0, -0.0], 2),
    _scored([1, np.nan], 2),
    _scored([np.inf, 1], 2),
    _scored([-np.inf, 1], 2),
    _scored([1, 2, 9], 2),
    _scored([1], 2),
    _scored([], 2),
    f"mask\t2\t1\t2\tfloat32\t{numbers([0, 1, np.nan, 1])}",
    f"mask\t2\t1\t2\tfloat32\t{numbers([-0.0, 0, 0, -0.0])}",
    f"mask\t2\t1\t2\tfloat32\t{numbers([0, 1, 1])}",
    *(
        "statistics\t" + ";".join(",".join(map(digits, each)) for each in rounds)
        for rounds in (
            *([[0.0]], [[-1.0]], [[float("nan")]], [[float("inf")]], [[1.7e308, 1.7e308]], [[5e-324]], [[]]),
            *([[1.0], []], [[1e-9, 1e12]], [[9.9e-10]], [[1.1e12]], [[0.1, 0.2, 0.3], [0.7]]),
        )
    ),
)


def _scores(random: Random) -> str:
    labels = int(random.choice([2, 3, 7, 8, 9, 10, 100, 1000]))
    count = labels + int(random.choice([0, 0, 0, 0, 0, 1, -1]))
    if random.random() < 0.4:
        low, high = ((-128, 128), (-2, 3), (127, 128), (126, 128))[random.integers(4)]
        data = random.integers(low, high, count).astype(np.int8).tobytes().hex()
        scale = float(np.float32(random.choice([0.1, 1e-30, 1e30, 3.0, 1.4e-45])))
        return "\t".join(["scores", "int8", digits(scale), str(random.integers(-128, 128)), str(labels), "5", data])
    return "\t".join(["scores", "float32", "-", "-", str(labels), "5", numbers(_logits(random, 1, count))])


def _logits(random: Random, rows: int, columns: int) -> Floats:
    """Returns logits of every kind: near each other, saturated, codes of few steps, permuted rows, of any size."""
    kind = random.integers(7)
    found = random.normal(0, (1, 3, 30, 1e3, 1e38)[random.integers(5)], (rows, columns))
    if kind == 0 and columns:
        base = random.normal(0, 2, columns)
        found = np.stack([random.permutation(base) for _ in range(rows)])
    elif kind == 1:
        found = random.integers(-20, 20, (rows, columns)) * random.choice([0.1, 0.0625, 0.2])
    elif kind == 2 and columns:
        found = random.normal(0, 2, (rows, columns))
        found[np.arange(rows), random.integers(0, columns, rows)] += random.uniform(15, 45, rows)
    elif kind == 3:
        found = random.choice([0.0, -0.0, 1.0], (rows, columns))
    if random.random() < 0.1:
        found = np.where(random.random(found.shape) < 0.02, random.choice(_SPECIAL, found.shape), found)
    with np.errstate(over="ignore"):
        return found.astype(np.float32)


def _detections(random: Random) -> str:
    labels, anchors = (int(random.choice(given)) for given in ((1, 2, 6, 7, 8, 20, 90), (1, 2, 5, 30, 120)))
    starts, sizes = random.random((anchors, 2)) * 64, random.random((anchors, 2)) ** 2 * 64
    boxes = np.concatenate([starts - sizes / 2, starts + sizes / 2], axis=1)
    if random.random() < 0.3:
        boxes = random.integers(-2, 9, (anchors, 4)) * 8.0
    rows = np.concatenate([boxes, _logits(random, anchors, labels + 1)], axis=1).astype(np.float32)
    rule = [float(random.choice(given)) for given in ((0.5, 0.3, 0.05, 0.01, 1e-9), (0.5, 0.45, 1 / 3, 0.1, 0.9))]
    if random.random() < 0.3 and np.isfinite(rows).all():  # a threshold at a share, or next to it
        share = float(random.choice(label_shares(rows).ravel()))
        rule[0] = min(max(float(np.nextafter(share, random.choice([0, share, 1]))), 1e-300), 1 - 2**-53)
    most = int(random.choice([1, 3, 10, 100, 1000]))
    wrong = int(random.choice([0] * 18 + [1, -1]))
    return detections(rows, labels=labels, rule=(*rule, most), anchors=max(1, anchors + wrong))


def _maps(random: Random) -> str:
    labels, bins = int(random.integers(1, 6)), int(random.integers(2, 17))
    words = ["maps", str(labels), digits(float(random.choice([0.5, 0.25, 0.01]))), digits(0.5), "50", "96", "64"]
    for _ in range(random.integers(1, 4)):
        rows, columns = (int(side) for side in random.integers(1, 7, 2))
        values = _logits(random, rows * columns, 4 * bins + labels)
        words += [str(rows), str(columns), numbers(values)]
    return "\t".join(words)


def _mask(random: Random) -> str:
    labels, height, width = int(random.choice([2, 3, 21, 255])), *(int(side) for side in random.integers(1, 9, 2))
    count = height * width * labels
    if random.random() < 0.4:
        low, high = ((-128, 128), (-1, 1), (127, 128))[random.integers(3)]
        dtype, data = "int8", random.integers(low, high, count).astype(np.int8).tobytes().hex()
    else:
        dtype, data = "float32", numbers(_logits(random, height * width, labels))
    return "\t".join(["mask", str(labels), str(height), str(width), dtype, data])


def _statistics(random: Random) -> str:
    kind = random.integers(5)

    def times(count: int) -> NDArray[np.float64]:
        usual = random.lognormal(0, 0.3, count)
        others = (usual.round(1) + 0.1, 10.0 ** random.uniform(-10, 13, count), random.choice([1.0, 0.0, -1.0], count))
        return (usual, usual, *others)[kind]

    rounds = [times(int(random.integers(1, 12))) for _ in range(random.choice([1, 2, 9, 10, 21, 40]))]
    return "statistics\t" + ";".join(",".join(map(digits, each)) for each in rounds)
