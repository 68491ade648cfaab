"""Damaged bundles: every way in which a bundle can be wrong that a test plays, for Python and for the apps."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bundles

from mobile_sdk.bundle.manifest import MANIFEST_FILE, MAX_MANIFEST_BYTES

Content = dict[str, Any]
Change = Callable[[Content], None]
Damage = Callable[[Path], None]
"""Damages the bundle in that folder."""

CHANGES: dict[str, tuple[str, Change]] = {
    "an unknown field": ("fields", lambda content: content.update(colour="red")),
    "a missing field": ("fields", lambda content: content.pop("resize")),
    "a number as text": ("fields", lambda content: content["interface"]["output"].update(zero_point="3")),
    "an unknown resize": ("fields", lambda content: content.update(resize="nearest")),
    "an unknown runtime": ("runtime", lambda content: content.update(runtime="toaster")),
    "a runtime of other files": ("runtime", lambda content: content.update(runtime="executorch")),
    "a file listed twice": ("paths", lambda content: content["files"].append(content["files"][0])),
    "a stray file listed": (
        "files",
        lambda content: content["files"].append({"path": "extra.txt", "bytes": 0, "sha256": "0" * 64}),
    ),
    "no model listed": ("files", lambda content: content["files"].pop()),
    "another input size": ("interface", lambda content: content["image"].update(size_px=24)),
    "another layout": ("interface", lambda content: content["interface"]["input"].update(layout="NCHW")),
    "another offset": ("interface", lambda content: content["interface"]["input"].update(byte_offset=-128)),
    "another output shape": ("interface", lambda content: content["interface"]["output"].update(shape=[1, 9])),
    "no scale": ("interface", lambda content: content["interface"]["output"].update(scale=None)),
    "a scale that is no float32": ("interface", lambda content: content["interface"]["output"].update(scale=0.1)),
    "a zero point out of range": ("interface", lambda content: content["interface"]["output"].update(zero_point=200)),
    "int8 codes called float32": ("interface", lambda content: content.update(precision="float32")),
    "a generous tolerance": ("interface", lambda content: content["golden"].update(tolerance=9.0)),
    "another winner": ("golden", lambda content: content["golden"]["pictures"][0].update(top1_index=99)),
    "a label that is none": ("golden", lambda content: content["golden"]["pictures"][0].update(label_index=10)),
    "another crop": ("golden", lambda content: content["image"].update(crop_share=0.5)),
}
"""What makes a sealed manifest contradict its bundle, with the check that finds it."""

_RULE = {"least_score_share": 0.5, "overlap_share": 0.5, "most": 100}

MORE_CHANGES: dict[str, Change] = {
    "an unknown field inside": lambda content: content["golden"].update(colour="red"),
    "a missing field inside": lambda content: content["interface"]["input"].pop("layout"),
    "a fraction for a whole number": lambda content: content["image"].update(size_px=16.0),
    "truth for a number": lambda content: content["image"].update(size_px=True),
    "a size out of range": lambda content: content["image"].update(size_px=5000),
    "a crop of nothing": lambda content: content["image"].update(crop_share=0),
    "a mean out of range": lambda content: content["image"].update(mean_byte=[300, 0, 0]),
    "a name with a slash": lambda content: content.update(name="a/b"),
    "another task": lambda content: content.update(task="detection"),
    "no task": lambda content: content.pop("task"),
    "no crop": lambda content: content["image"].pop("crop_share"),
    "a detection's numbers in a classification": lambda content: content.update(detection=dict(_RULE)),
    "one label": lambda content: content.update(labels=["alone"]),
    "labels that occur twice": lambda content: content.update(labels=["same"] * 10),
    "a label of two lines": lambda content: content["labels"].__setitem__(0, "a\nb"),
    "a null where none may be": lambda content: content.update(name=None),
    "a digest of capitals": lambda content: content["files"][0].update(sha256="A" * 64),
    "a path that leaves the folder": lambda content: content["files"][-1].update(path="golden/../../x"),
    "a path with a backslash": lambda content: content["files"][-1].update(path="a\\b"),
    "an absolute path": lambda content: content["files"][-1].update(path="/etc/passwd"),
    "a schema of text": lambda content: content.update(schema_number="1"),
    "a schema below 1": lambda content: content.update(schema_number=0),
    "a newer schema": lambda content: content.update(schema_number=2, everything="is otherwise"),
}


def damages() -> dict[str, Damage]:
    """Every damage of a classifier's bundle, by its name."""
    changes = {name: change for name, (_, change) in CHANGES.items()} | MORE_CHANGES
    return _FILES | sealed_again(changes)


def content_of(folder: Path) -> Content:
    """What the manifest says."""
    content: Content = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    return content


def resealed(folder: Path, change: Change) -> None:
    """Changes the manifest and seals it again."""
    content = content_of(folder)
    change(content)
    bundles.reseal(folder, content)


def replace_listed(folder: Path, path: str, data: bytes) -> None:
    """Replaces a file together with its entry, as somebody would who knows the format."""
    (folder / path).write_bytes(data)
    content = content_of(folder)
    for entry in content["files"]:
        if entry["path"] == path:
            entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    bundles.reseal(folder, content)


def sealed_again(changes: dict[str, Change]) -> dict[str, Damage]:
    """Damages that change the manifest and seal it again."""
    return {name: lambda folder, change=change: resealed(folder, change) for name, change in changes.items()}


def list_file(folder: Path, path: str) -> None:
    """Adds an empty file with its entry."""
    (folder / path).touch()
    entry = {"path": path, "bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()}
    resealed(folder, lambda content: content["files"].append(entry))


def flip(folder: Path, path: str) -> None:
    """Flips a bit in the middle of a file."""
    data = bytearray((folder / path).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / path).write_bytes(data)


def unlist_file(folder: Path, path: str) -> None:
    """Removes a file with its entry."""
    (folder / path).unlink()
    resealed(folder, lambda content: content.update(files=[each for each in content["files"] if each["path"] != path]))


def _rewrite(folder: Path, path: str, change: Callable[[bytes], bytes]) -> None:
    (folder / path).write_bytes(change((folder / path).read_bytes()))


def _scale(data: bytes) -> bytes:
    return data.replace(b'"scale": 0', b'"scale": 1')


def _link(folder: Path, path: str) -> None:
    aside = f"{folder.name}.aside"
    (folder / path).rename(folder.parent / aside)
    (folder / path).symlink_to(f"../{aside}")


def _fifo(folder: Path, path: str) -> None:
    (folder / path).unlink()
    os.mkfifo(folder / path)


def _nest(folder: Path) -> None:
    inner = folder / "golden" / "/".join("a" * 20)
    inner.mkdir(parents=True)
    (inner / "x").write_bytes(b"")


def _manifest(data: bytes) -> Damage:
    return lambda folder: _rewrite(folder, MANIFEST_FILE, lambda _: data)


_FILES: dict[str, Damage] = {
    "a flipped byte of the model": lambda folder: flip(folder, "model.tflite"),
    "a flipped byte of the labels": lambda folder: flip(folder, "labels.txt"),
    "a flipped byte of a golden picture": lambda folder: flip(folder, "golden/0.png"),
    "a flipped byte of a golden input": lambda folder: flip(folder, "golden/1.input.bin"),
    "a flipped byte of a golden output": lambda folder: flip(folder, "golden/2.output.bin"),
    "a truncated model": lambda folder: _rewrite(folder, "model.tflite", lambda data: data[:-1]),
    "an emptied model": lambda folder: _rewrite(folder, "model.tflite", lambda _: b""),
    "a missing model": lambda folder: (folder / "model.tflite").unlink(),
    "a missing golden picture": lambda folder: (folder / "golden/1.png").unlink(),
    "a file too many": lambda folder: (folder / "golden/extra.png").touch(),
    "no manifest": lambda folder: (folder / MANIFEST_FILE).unlink(),
    "a truncated manifest": lambda folder: _rewrite(folder, MANIFEST_FILE, lambda data: data[: len(data) // 2]),
    "an empty manifest": _manifest(b""),
    "a manifest that is no object": _manifest(b"[1]"),
    "a manifest with a key twice": _manifest(b'{"schema_number": 1, "schema_number": 1}'),
    "a manifest with NaN": _manifest(b'{"schema_number": 1, "tolerance": NaN}'),
    "a manifest that is no UTF-8": _manifest(b'{"schema_number": 1, "name": "\xff"}'),
    "a manifest without end": _manifest(b"[" * 100_000),
    "a huge manifest": lambda folder: _rewrite(folder, MANIFEST_FILE, lambda data: data + b" " * MAX_MANIFEST_BYTES),
    "a changed scale": lambda folder: _rewrite(folder, MANIFEST_FILE, _scale),
    "swapped labels in their file": lambda folder: replace_listed(
        folder, "labels.txt", b"".join(reversed((folder / "labels.txt").read_bytes().splitlines(keepends=True)))
    ),
    "a golden picture that is another": lambda folder: replace_listed(
        folder, "golden/0.png", (folder / "golden/1.png").read_bytes()
    ),
    "a golden picture that is none": lambda folder: replace_listed(folder, "golden/0.png", b"GIF89a"),
    "a golden output too short": lambda folder: replace_listed(folder, "golden/0.output.bin", b"\0" * 9),
    "a golden input too long": lambda folder: replace_listed(
        folder, "golden/0.input.bin", (folder / "golden/0.input.bin").read_bytes() + b"\0"
    ),
    "a link for the model": lambda folder: _link(folder, "model.tflite"),
    "a link for the manifest": lambda folder: _link(folder, MANIFEST_FILE),
    "a link for a folder": lambda folder: _link(folder, "golden"),
    "a pipe for the labels": lambda folder: _fifo(folder, "labels.txt"),
    "folders without end": _nest,
    "detections in a classification": lambda folder: list_file(folder, "golden/0.detections.json"),
    "a mask in a classification": lambda folder: list_file(folder, "golden/0.mask.bin"),
}
