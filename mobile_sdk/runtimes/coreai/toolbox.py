"""Imports Apple's package `coreai`, and names the parts of it that this one uses.

The surface that Apple keeps stable cannot name a constant in the file, whose name would then be a random number, nor
read one back. So programs are built and read through its MLIR bindings, which follow each release: the package is
pinned to one.
"""

from functools import cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any


@cache
def coreai() -> Any:
    """Returns the parts: `authoring`, `runtime`, `ir`, `dialect`, and the classes of graphs and constants."""
    authoring = import_module("coreai.authoring")  # before its parts, which import each other
    return SimpleNamespace(
        authoring=authoring,
        runtime=import_module("coreai.runtime"),
        ir=import_module("coreai._compiler.ir"),
        dialect=import_module("coreai._compiler.dialects.coreai"),
        Graph=import_module("coreai.authoring.graph_builder").GraphOp,
    )
