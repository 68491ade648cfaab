"""The author of a fourth runtime reads this module alone: it says what a runtime must be able to do."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.contract import Contract
from mobile_sdk.document import Document
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.requirement import Requirement, usual_requirement
from mobile_sdk.system.findings import Finding

Platform = Literal["android", "ios"]
Layout = Literal["NHWC", "NCHW", "NC"]


class InputSpec(Document):
    """Describes the picture's tensor. The app writes `byte + byte_offset` for each RGB byte, in `layout`."""

    name: str
    dtype: Literal["uint8", "int8", "float32", "image"]
    shape: tuple[int, ...]
    layout: Layout
    byte_offset: int


class OutputSpec(Document):
    """Describes the tensor of scores. int8: `real = scale * (q - zero_point)`; float32: scale and zero point null."""

    name: str
    dtype: Literal["int8", "float32"]
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None
    activation: Literal["none"] = "none"


class Interface(Document):
    """Reports, from an exporter, the ends of the file that it wrote."""

    input: InputSpec
    output: OutputSpec


@dataclass(frozen=True, kw_only=True)
class Structure:
    """Tells the contents of a model file, read back from the file itself."""

    operators: Mapping[str, int]  # name in the runtime's own terms → count
    partitions: int  # delegate partitions (calls); 1 is what we want
    not_delegated: tuple[tuple[str, str], ...]  # (operator, why)
    int8_weight_share: float  # of the bytes of all convolution and linear weights, 0..1
    float_convolutions: int
    bytes_by_part: Mapping[str, int]  # weights, biases, structure …


class Session(Protocol):
    """Holds a loaded model."""

    def run(self, picture: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Scores (classes,), or boxes and scores (anchors, columns), for RGB bytes (H, W, 3) of the contract's size.

        They are in the model's own dtype.
        """
        ...

    def close(self) -> None:
        """Frees what the runtime holds; the session is not used afterwards."""
        ...


@dataclass(frozen=True, kw_only=True)
class RunnerParts:
    """Names the parts of a Python package that the C++ program `runner-NAME`, which devices run, is built with.

    Paths are relative to the package's folder.
    """

    package: str
    libraries: tuple[str, ...]  # lie beside the program on a device
    needed: tuple[str, ...]  # files and folders that building and running take
    settings: Mapping[str, str]  # CMake's variables, and the paths that they are set to


@dataclass(frozen=True, kw_only=True)
class NativeCheck:
    """Describes a check that only the maker's own implementation can pass, where `load` may open another one."""

    name: str
    required: str
    not_run: str | None  # why that implementation is not what computes here, or None where it is


class Runtime(ABC):
    """Writes a graph as a model file, reads it back, and runs it here where it can: one way to a phone.

    All that stands below `finding` are promises with defaults: a runtime overrides those that it does not share.
    """

    name: ClassVar[str]
    model_file: ClassVar[str]  # its name inside a bundle; a folder for Core ML
    processors: ClassVar[tuple[str, ...]]  # kinds of processors that the model file can run on
    also_called: ClassVar[frozenset[str]] = frozenset()  # what users may write for it, small letters without hyphens
    runner: ClassVar[RunnerParts | None] = None  # None where devices at the end of a connection do not run it

    @abstractmethod
    def export(self, graph: Graph, contract: Contract, path: Path) -> Interface:
        """Writes `graph` as the model file `path`; raises CompileError with operator and module path."""

    @abstractmethod
    def structure(self, path: Path) -> Structure:
        """Reads the model file `path`; raises BundleError where it is damaged."""

    @abstractmethod
    def differences(self, path: Path, graph: Graph) -> list[str]:
        """Names everything in the model file `path` that is not what `export` asks for `graph`; empty where nothing is.

        Compared are all operations, connections, shapes, options, weights, biases, scales and zero points. Raises
        BundleError where the file is damaged, CompileError where the graph has no such file.
        """

    @abstractmethod
    def unavailable(self) -> str | None:
        """Returns why models of this runtime cannot run on this machine, or None where they can."""

    @abstractmethod
    def load(self, path: Path, interface: Interface, *, threads: int) -> Session:
        """Opens the model file `path`; raises MachineError where `unavailable()`, BundleError where damaged."""

    @abstractmethod
    def versions(self) -> Mapping[str, str]:
        """Returns the packages that decide what is written and computed, with their versions."""

    @abstractmethod
    def finding(self) -> Finding:
        """Returns the part of the runtime that is installed here, and its use; nothing of it is imported."""

    def requirement(self, graph: Graph) -> Requirement:
        """Returns how near its scores must come to the expected ones: exactly, but where sums depend on their order."""
        return usual_requirement(graph)

    def native_check(self) -> NativeCheck | None:
        """Returns the check of the maker's own implementation, or None where `load` always opens that."""
        return None

    def not_timed(self, *, on_host: bool) -> str | None:
        """Returns why its times mean nothing on this host, or on devices at the end of a connection, else None."""
        return self.unavailable() if on_host else None

    def app_advice(self, platform: Platform) -> str | None:
        """Returns the line that an app's project needs to run its models, or None where the platform's apps do not."""
        return None
