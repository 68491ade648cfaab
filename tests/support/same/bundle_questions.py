"""Draws changed bundles, sealed again, and holds the smallest ones that not every language opened or refused alike."""

import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mobile_sdk.bundle.manifest_file import MANIFEST_FILE
from tests.support.same.bundles import SIDE, with_manifest, write_bundle
from tests.support.same.json_texts import TEXTS, value

Random = np.random.Generator
_HOLE = "a hole for text that no value is written as"
_DETECTIONS = "golden/0.detections.json"


def bundle_cases(folder: Path) -> Iterator[str]:
    """Yields the smallest questions about bundles, which are written below `folder`."""
    _whole_bundles(folder)
    for name, text in _manifests(folder).items():
        with_manifest(folder / "classification", folder / name, text)
        yield f"open\t{name}"
    for index, letter in enumerate(("\u0085", "\u001c", "\u00a0", "\u180e", "\u200b", " \u0301", "\u3000", "e\u0301")):
        _labelled(folder / f"label-{index}", letter)
        yield f"open\tlabel-{index}"
    scores = np.array([[0.5, 0.25]], np.float32)
    write_bundle(folder / "empty", "classification", 2, scores, files={"golden/0.png": _png(0, 8)})
    for name, size in (("large", (2049, 2048)), ("largest", (2048, 2048))):
        write_bundle(folder / name, "classification", 2, scores, png=_png(*size))
    for name, output in _outputs().items():
        write_bundle(folder / name, "classification", output.shape[1], output)
        yield f"open\t{name}"
    for index, text in enumerate(
        ('{"detections": [], "detections": %s}', '{"detections": %s, "detections": []}', " %s")
    ):
        _with_detections(folder, f"detections-{index}", lambda found, text=text: text % found)
        yield f"open\tdetections-{index}"
    _with_detections(
        folder, "label-beyond", lambda found: f'{{"detections": {found}}}'.replace(": 0,", ": 2147483648,")
    )
    _named(folder / "name-no-utf-8", b"golden/\xff.png")
    _named(folder / "name-umlaut", "golden/ä.png".encode())
    write_bundle(folder / "dead-link", "classification", 2, scores)
    (folder / "dead-link" / MANIFEST_FILE).unlink()
    (folder / "dead-link" / MANIFEST_FILE).symlink_to("nowhere")
    names = ("empty", "large", "largest", "label-beyond", "name-no-utf-8", "name-umlaut", "dead-link", *_WHOLE)
    yield from (f"open\t{name}" for name in names)
    for given in ([0.05, 0], [0, 0.05], [0.05], [0.05, 0, 0], [np.nan, 0], [np.inf, 0], [0.2, 0], [0.15, 0], [0.16, 0]):
        data = np.array([*given, -100.0], "<f4").tobytes().hex()
        yield from (f"{kind}\tclose\t{data}" for kind in ("replay", "live"))
    yield from (f"live\tdetection\t{'00' * size}" for size in (0, 1, 28 * 3, 28 * 4, 28 * 4 + 4, 28 * 5))
    yield from (f"live\tsegmentation\t{'00' * size}" for size in (0, SIDE**2 * 8, SIDE**2 * 8 + 8, 4))


def bundle_questions(random: Random, folder: Path, name: str) -> Iterator[str]:
    """Yields questions about bundles that are changed in a manifest, golden detections or an expected output."""
    _whole_bundles(folder)
    task = str(random.choice(_WHOLE[:3]))
    text = _changed((folder / task / MANIFEST_FILE).read_text("utf-8"), random)
    with_manifest(folder / task, folder / f"{name}-manifest", text)
    yield f"open\t{name}-manifest"
    written = json.loads((folder / "detection" / _DETECTIONS).read_bytes())
    changed = _changed(json.dumps(written), random)
    _with_detections(folder, f"{name}-detections", lambda found: changed)
    yield f"open\t{name}-detections"
    moved = np.float32(0.1) * random.choice([0.99, 1.0, 1.01, np.nan, np.inf], 2).astype(np.float32)
    given = np.append(moved * random.choice([1, -1], 2) + np.float32([0.05, 0]), [-100.0, 0.0]).astype("<f4")
    yield f"replay\tclose\t{given[: random.choice([3, 3, 3, 2, 4])].tobytes().hex()}"


_WHOLE = ("classification", "detection", "segmentation", "codes", "close")


def _whole_bundles(folder: Path) -> None:
    if (folder / _WHOLE[0]).exists():
        return
    random = np.random.default_rng(5)
    write_bundle(folder / "classification", "classification", 2, np.array([[0.5, 0.25]], np.float32))
    write_bundle(folder / "codes", "classification", 3, np.array([[3, -128, 127]], np.int8))
    rows = np.array([[0, 0, 4, 4, 0, 3, 0], [4, 4, 8, 8, 0, 0, 4], [0, 0, 4, 5, 0, 2, 0], [1, 1, 2, 2, 9, 0, 0]])
    write_bundle(folder / "detection", "detection", 2, rows[np.newaxis].astype(np.float32))
    scores = random.normal(0, 1, (1, SIDE, SIDE, 2)).astype(np.float32)
    write_bundle(folder / "segmentation", "segmentation", 2, scores)
    close = np.array([[0.05, 0, -100]], np.float32)  # 0.1 is as much as 100 justifies
    write_bundle(folder / "close", "classification", 3, close, lambda content: content["golden"].update(tolerance=0.1))


def _manifests(folder: Path) -> dict[str, str]:
    whole = (folder / "classification" / MANIFEST_FILE).read_text("utf-8")
    seal = json.loads(whole)["manifest_sha256"]

    def with_field(name: str, text: str) -> str:
        return whole.replace('{\n "schema_number"', f'{{\n "{name}": {text},\n "schema_number"', 1)

    found = {
        f"{name}-{index}": with_field(name, text)
        for name in ("activation_limit_kib", "licence", "form", "detection", "tolerances")
        for index, text in enumerate(
            ("null", "0", "2147483647", "2147483648", "9223372036854775808", '"x"', "{}", "1e400")
        )
    }
    swaps = (
        *(('"weights": 1', f'"weights": {count}') for count in ("2147483647", "2147483648", "-1", "1.0", "9" * 4301)),
        *(('"images": 4', f'"images": {count}') for count in ("2147483647", "2147483648", "0", "9223372036854775808")),
        *(('"label 0"', text) for text in TEXTS),
        *(('"CONV_2D": 1', f'"CONV_2D": 1, {more}') for more in ('"é": 1, "e\u0301": 1', '"CONV_2D": 2', '"K": 1')),
        *(('"byte_offset": 0', f'"byte_offset": {number}') for number in ("2147483648", "-0", "0.0")),
        ("   8,\n", "   2147483648,\n"),
        ('"input_sha256": "', '"input_sha256": null, "x": "'),
        ('"label 0"', "[" * 70 + "]" * 70),
        ('"same"', '"sam\\u0065"'),
        ('"same"', "1e400"),
        ('"why"', json.dumps(seal * 2000)),
    )
    found |= {f"swap-{index}": whole.replace(old, new, 1) for index, (old, new) in enumerate(swaps)}
    return found | {"null-digest": _without_digest(whole)}


def _without_digest(whole: str) -> str:
    content = json.loads(whole)
    content["golden"]["pictures"][0]["input_sha256"] = None
    return json.dumps(content, indent=1)


def _labelled(folder: Path, label: str) -> None:
    scores = np.array([[0.5, 0.25]], np.float32)
    labels = {"labels.txt": f"{label}\nb\n".encode()}
    write_bundle(folder, "classification", 2, scores, lambda content: content.update(labels=[label, "b"]), labels)


def _outputs() -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    special = ([-0.0, 0.0], [0.0, -0.0], [np.inf, 0], [0, -np.inf], [np.nan, 0], [3.4e38, -3.4e38], [1e-45, -1e-45])
    return {f"output-{index}": np.array([values], np.float32) for index, values in enumerate(special)}


def _with_detections(folder: Path, name: str, change: Callable[[str], str]) -> None:
    _whole_bundles(folder)
    written = json.loads((folder / "detection" / _DETECTIONS).read_bytes())
    text = change(json.dumps(written["detections"])).encode("utf-8", "surrogatepass")
    output = np.frombuffer((folder / "detection/golden/0.output.bin").read_bytes(), "<f4").reshape(1, -1, 7)
    write_bundle(folder / name, "detection", 2, output, files={_DETECTIONS: text})


def _named(folder: Path, path: bytes) -> None:
    write_bundle(folder, "classification", 2, np.array([[0.5, 0.25]], np.float32))
    Path(os.fsdecode(os.fsencode(folder) + b"/" + path)).write_bytes(b"")


def _png(width: int, height: int) -> bytes:
    """Returns a PNG of black pixels, of any size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress(bytes((3 * width + 1) * height), 1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _changed(text: str, random: Random) -> str:
    """Returns JSON in which a value is another, or a key is missing, new, or there twice."""
    content = json.loads(text)
    holders = [each for each in _holders(content) if each]
    holder = holders[random.integers(len(holders))]
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    key = keys[random.integers(len(keys))]
    kind = random.random()
    if kind < 0.7:
        holder[key] = _HOLE
    elif kind < 0.8:
        del holder[key]
    elif isinstance(holder, dict):
        holder[str(random.choice(["x", "licence", "form", "activation_limit_kib", "detection", "é"]))] = _HOLE
    changed = json.dumps(content, ensure_ascii=False)
    if kind > 0.9:
        changed = changed.replace(f'"{key}":', f'"{key}": 1, "{key}":', 1)
    return changed.replace(f'"{_HOLE}"', value(random))


def _holders(content: Any) -> Iterator[Any]:
    if isinstance(content, dict | list):
        yield content
        for each in content.values() if isinstance(content, dict) else content:
            yield from _holders(each)
