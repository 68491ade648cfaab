"""All that the author of a fourth runtime reads: what a runtime must be able to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.contract import Contract
from mobile_sdk.document import Document
from mobile_sdk.graph.operators import Graph

Layout = Literal["NHWC", "NCHW", "NC"]


class InputSpec(Document):
    """The tensor that takes the picture. The app writes `byte + byte_offset` for each RGB byte, in `layout`."""

    name: str
    dtype: Literal["uint8", "int8", "float32", "image"]
    shape: tuple[int, ...]
    layout: Layout
    byte_offset: int


class OutputSpec(Document):
    """The tensor that holds the scores. int8: `real = scale * (q - zero_point)`; float32: scale and zero point null."""

    name: str
    dtype: Literal["int8", "float32"]
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None
    activation: Literal["none"] = "none"


class Interface(Document):
    """What an exporter reports of the file that it wrote."""

    input: InputSpec
    output: OutputSpec


@dataclass(frozen=True, kw_only=True)
class Structure:
    """What a model file is made of, read back from the file itself."""

    operators: Mapping[str, int]  # name in the runtime's own terms → count
    partitions: int  # delegate partitions (calls); 1 is what we want
    not_delegated: tuple[tuple[str, str], ...]  # (operator, why)
    int8_weight_share: float  # of the bytes of all convolution and linear weights, 0..1
    float_convolutions: int
    bytes_by_part: Mapping[str, int]  # weights, biases, structure …


class Session(Protocol):
    """A loaded model."""

    def run(self, picture: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Scores (classes,), or boxes and scores (anchors, columns), for RGB bytes (H, W, 3) of the contract's size.

        They are in the model's own dtype.
        """
        ...

    def close(self) -> None:
        """Frees what the runtime holds; the session is not used afterwards."""
        ...


class Runtime(Protocol):
    """One way to a phone: writes a graph as a model file, reads it back, and runs it here where it can."""

    name: str
    model_file: str  # its name inside a bundle; a folder for Core ML
    processors: tuple[str, ...]  # kinds of processors that the model file can run on

    def export(self, graph: Graph, contract: Contract, path: Path) -> Interface:
        """Writes `graph` as the model file `path`; raises CompileError with operator and module path."""
        ...

    def structure(self, path: Path) -> Structure:
        """Reads the model file `path`; raises BundleError where it is damaged."""
        ...

    def unavailable(self) -> str | None:
        """Why models of this runtime cannot run on this machine, or None where they can."""
        ...

    def load(self, path: Path, interface: Interface, *, threads: int) -> Session:
        """Opens the model file `path`; raises MachineError where `unavailable()`, BundleError where damaged."""
        ...

    def versions(self) -> Mapping[str, str]:
        """The packages that decide what is written and computed, with their versions."""
        ...
