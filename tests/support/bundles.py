"""A small real program, its pictures, and bundles of it, for the tests of bundles and of verification."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.bundle.manifest_file import MANIFEST_FILE, BundleRefusalError, seal
from mobile_sdk.errors import BundleError
from mobile_sdk.graph.operators import Conv2d, Graph, Operator
from mobile_sdk.graph.reference import Reference
from mobile_sdk.preprocess import to_bytes
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from mobile_sdk.tasks.quality import Quality
from tests.support import graphs

Pictures = list[tuple[Image.Image, int]]


@cache
def program(*, int8: bool = True, name: str = "mobile block") -> Program:
    """A program whose record says what its net really scores on `pictures()`, for the block in int8."""
    found = _winners() == np.array([label for _, label in pictures()])
    accuracy = Quality(measure="top-1 accuracy", value=float(found.mean()), images=len(found))
    record = Record(
        net=name,
        quantized="qat" if int8 else "float32",
        float_quality=accuracy,
        reference_quality=accuracy,
    )
    graph = _graph(int8, name)
    return Program(graph=graph, contract=graphs.contract_for(graph), record=record)


@cache
def pictures() -> Pictures:
    """Forty pictures larger than the net's; every other one has the label that the reference gives it."""
    labels = [int(winner) if index % 2 else index // 2 % graphs.CLASSES for index, winner in enumerate(_winners())]
    return list(zip(_large(), labels, strict=True))


def lowered(folder: Path, runtime: str = "tflite", *, int8: bool = True, sign: Path | None = None) -> Bundle:
    """A bundle of `program()` below `folder`."""
    return lower(program(int8=int8), folder, runtimes=[runtime], pictures=pictures(), sign=sign)[0]


def reseal(folder: Path, content: dict[str, Any]) -> None:
    """Writes a manifest as somebody would who knows how the seal is made."""
    (folder / MANIFEST_FILE).write_bytes(seal(content))


def forge(folder: Path, change: Callable[[dict[str, Any]], None], **files: bytes) -> None:
    """Changes files and manifest and makes every hash and the seal right again."""
    content = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    change(content)
    by_path = {entry["path"]: entry for entry in content["files"]}
    for path, data in {name.replace("__", "."): data for name, data in files.items()}.items():
        (folder / path).write_bytes(data)
        by_path[path].update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    reseal(folder, content)


def nothing(content: dict[str, Any]) -> None:
    """Leaves the manifest as it is."""


def weights_position(model: bytes, operator: Conv2d) -> int:
    """Where that convolution's weights begin in a .tflite."""
    data = np.ascontiguousarray(operator.weight.transpose(0, 2, 3, 1)).tobytes()
    assert model.count(data) == 1
    return model.index(data)


@cache
def _large() -> list[Image.Image]:
    blots = graphs.pictures(_graph(True, "mobile block"), 40)
    return [Image.fromarray(blot).resize((40, 31), Image.Resampling.NEAREST) for blot in blots]


@cache
def _winners() -> NDArray[np.int64]:
    graph = _graph(True, "mobile block")
    image = graphs.contract_for(graph).image
    winners: NDArray[np.int64] = Reference(graph).run(np.stack([to_bytes(each, image) for each in _large()])).argmax(1)
    return winners


@cache
def _graph(int8: bool, name: str) -> Graph:
    return _with_input_named(graphs.int8_graph(name) if int8 else graphs.float_graph(name), "rgb_codes")


def _with_input_named(graph: Graph, name: str) -> Graph:
    picture = replace(graph.input, name=name)

    def renamed(operator: Operator) -> Operator:
        fields = {key: picture for key, value in vars(operator).items() if value is graph.input}
        parts = getattr(operator, "parts", None)
        if parts is not None:
            fields["parts"] = tuple(picture if part is graph.input else part for part in parts)
        return replace(operator, **fields)

    return Graph(input=picture, operators=tuple(renamed(operator) for operator in graph.operators))


def refusal(folder: Path) -> BundleRefusalError:
    """Opens a damaged bundle, and returns its refusal: a named check, with the exit code of damage."""
    with pytest.raises(BundleError) as caught:
        open_bundle(folder)
    assert caught.value.exit_code == 6
    assert isinstance(caught.value, BundleRefusalError)
    assert caught.value.message.startswith(caught.value.check + ": ")
    return caught.value
