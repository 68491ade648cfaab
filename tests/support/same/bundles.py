"""Makes the smallest bundles of each task, whose model file is one byte: opening does not look into it."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.bundle.bundle import LABELS_FILE, labels_bytes
from mobile_sdk.bundle.golden import samples as golden
from mobile_sdk.bundle.manifest_file import MANIFEST_FILE, seal
from mobile_sdk.contract import Contract
from mobile_sdk.preprocess import png_bytes, to_bytes
from mobile_sdk.runtimes.base import InputSpec, Interface, OutputSpec
from mobile_sdk.system.seal import NO_SEAL, true_seal
from mobile_sdk.tasks.registry import task_of

SIDE = 8
DETECTION = {"score_threshold": 0.3, "iou_threshold": 0.5, "max_detections": 100}
_IMAGE = {"kind": "image", "size_px": SIDE, "fit": "stretch", "crop_share": 1.0}
_BYTES = {"mean_byte": [128.0] * 3, "std_byte": [128.0] * 3}
_TENSOR = {"name": "picture", "dtype": "uint8", "shape": [1, SIDE, SIDE, 3], "layout": "NHWC", "byte_offset": 0}
_HASH = "0" * 63 + "1"

Content = dict[str, Any]


def write_bundle(
    folder: Path,
    task: str,
    labels: int,
    output: NDArray[np.generic],
    change: Callable[[Content], None] = lambda content: None,
    files: Mapping[str, bytes] | None = None,
    png: bytes | None = None,
) -> None:
    """Writes a bundle of `task` with one golden picture, whose expected output (1, …) is `output`.

    `change` changes the manifest before it is sealed, `files` replaces the content of files, and `png` is the golden
    picture where it is not a small one.
    """
    names = tuple(f"label {index}" for index in range(labels))
    is_int8 = output.dtype == np.int8
    content: Content = {
        "schema_number": 3,
        "name": "same",
        "task": task,
        "labels": list(names),
        "inputs": [{**_IMAGE, **_BYTES, "resize": "pillow-bilinear", "tensor": _TENSOR}],
        "outputs": [_output(task, output)],
        "runtime": "tflite",
        "processors": ["cpu"],
        "precision": "int8" if is_int8 else "float32",
        "model": "model.tflite",
        "quantization": {"method": "qat", "weight_bits": {"0": 8}, "activation_bits": {"0": 8}},
        "quality": {"measure": "a measure", "float32": {"value": 0.5, "images": 4}, "int8_reference": None},
        "structure": _structure(),
        **({"detection": dict(DETECTION)} if task == "detection" else {}),
    }
    small = Image.fromarray(np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8))
    png = png or png_bytes(small)
    contract = Contract.model_validate(
        {name: content[name] for name in ("name", "task", "labels", "detection") if name in content}
        | {"inputs": [_IMAGE | _BYTES]}
    )
    interface = Interface(input=InputSpec(**_TENSOR), outputs=(OutputSpec(**_output(task, output)),))
    kind, flat = task_of(contract), output.reshape(-1)
    pixels = to_bytes(Image.open(BytesIO(png)), contract.image)
    expected = {"top1_index": max(0, int(kind.top_classes(flat[np.newaxis], contract)[0]))}
    content["golden"] = {
        "source": "given",
        "expected_by": "reference",
        "tolerance": 0.0,
        "pictures": [{**expected, "input_sha256": golden.input_digest(pixels, interface)}],
    }
    written = {
        LABELS_FILE: labels_bytes(names),
        "golden/0.png": png,
        "golden/0.output.bin": flat.astype(flat.dtype.newbyteorder("<")).tobytes(),
        "model.tflite": b"x",
    }
    if kind.golden_file is not None:
        written[f"golden/0.{kind.golden_file.kind}"] = kind.golden_file.encode(flat, contract)
    written |= files or {}
    for path, data in written.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    content["files"] = [
        {"path": path, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for path, data in written.items()
    ]
    content |= {"program_sha256": _HASH, "graph_sha256": _HASH, "manifest_sha256": _HASH}
    change(content)
    (folder / MANIFEST_FILE).write_bytes(seal(content))


def with_manifest(whole: Path, folder: Path, text: str) -> None:
    """Writes a bundle whose other files are those of `whole`, and whose manifest is `text`, sealed again."""
    shutil.copytree(whole, folder, copy_function=os.link)
    (folder / MANIFEST_FILE).unlink()
    found = json.loads((whole / MANIFEST_FILE).read_bytes())["manifest_sha256"]
    data = text.encode("utf-8", "surrogatepass").replace(found.encode(), NO_SEAL.encode())
    (folder / MANIFEST_FILE).write_bytes(data.replace(NO_SEAL.encode(), true_seal(data, NO_SEAL).encode()))


def _output(task: str, output: NDArray[np.generic]) -> Content:
    codes = {"scale": 0.5, "zero_point": 3} if output.dtype == np.int8 else {"scale": None, "zero_point": None}
    name = "boxes" if task == "detection" else "scores"
    return {"name": name, "dtype": output.dtype.name, "shape": list(output.shape), **codes, "activation": "none"}


def _structure() -> Content:
    counts = {"partitions": 1, "float_convolutions": 0, "int8_weight_share": 1.0}
    return {**counts, "operators": {"CONV_2D": 1}, "not_delegated": [["ABS", "why"]], "bytes_by_part": {"weights": 1}}
