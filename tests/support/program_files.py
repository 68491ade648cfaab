"""Programs of small graphs; their files taken apart and put together by one who knows how the seal is made."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mobile_sdk.graph.operators import Graph
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from mobile_sdk.program.seal import SEAL_FILE, seal
from mobile_sdk.tasks.quality import Quality
from tests.support.graphs import contract_for

RECORD = Record(
    net="mobilenet_v3_small",
    quantized="qat",
    float_quality=Quality(measure="top-1 accuracy", value=0.98, images=1000),
    history=({"epoch": 1, "loss": 0.5, "notes": None},),
    settings={"width": 1.0, "labels": ["a", "b"]},
    versions={"torch": torch.__version__},
)


def program_of(graph: Graph) -> Program:
    """The graph with a contract that fits it."""
    return Program(graph=graph, contract=contract_for(graph), record=RECORD)


class Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return Path.touch, (self.path,)


def members(path: Path) -> dict[str, bytes]:
    """Every member of the archive, by its name without the folder."""
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def rewritten(
    path: Path,
    folder: Path,
    changes: dict[str, bytes | None],
    *,
    resealed: bool = False,
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    """The archive with members replaced, added or, where None, left out, and every checksum of the zip file fresh."""
    changed = {name: data for name, data in (members(path) | changes).items() if data is not None}
    if resealed:
        changed[SEAL_FILE] = seal({name: data for name, data in changed.items() if name != SEAL_FILE})
    target = folder / "rewritten.pt2"
    with zipfile.ZipFile(target, "w", compression) as copy:
        for name, data in changed.items():
            copy.writestr(f"archive/{name}", data)
    return target


def content(path: Path, name: str) -> Any:
    """One member of JSON."""
    return json.loads(members(path)[name])
