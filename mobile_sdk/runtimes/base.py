"""Defines a runtime: the author of a fourth one needs to read only this module."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mobile_sdk.contract import Contract
from mobile_sdk.document import Document
from mobile_sdk.graph.operators import Graph
from mobile_sdk.graph.outputs import record_type
from mobile_sdk.runtimes.requirement import Requirement, usual_requirement
from mobile_sdk.runtimes.shapes import runtime_shape
from mobile_sdk.system.findings import Finding

Platform = Literal["android", "ios"]
Layout = Literal["NHWC", "NCHW", "NC", "NTC"]

_LAYOUTS: Mapping[int, Layout] = {1: "NC", 2: "NTC", 3: "NHWC"}


class InputSpec(Document):
    """Describes the tensor that takes the picture, or the array.

    The app writes `byte + byte_offset` for each byte, in `layout`; an array's bytes are its codes plus 128.
    """

    name: str
    dtype: Literal["uint8", "int8", "float32", "image"]
    shape: tuple[int, ...]
    layout: Layout
    byte_offset: int

    @classmethod
    def of_bytes(cls, graph: Graph, name: str, dtype: Literal["uint8", "int8"]) -> Self:
        """Returns the tensor of bytes, or of codes, that takes the graph's input, channels last."""
        return cls(
            name=name,
            dtype=dtype,
            shape=runtime_shape(graph.input.shape),
            layout=_LAYOUTS[len(graph.input.shape)],
            byte_offset=0 if dtype == "uint8" else -128,
        )


class OutputSpec(Document):
    """Describes a tensor that the model gives.

    int8: `real = scale * (q - zero_point)`; float32: scale and zero point are null.
    """

    name: str
    dtype: Literal["int8", "float32"]
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None
    activation: Literal["none"] = "none"

    @classmethod
    def all_of(cls, graph: Graph) -> tuple[Self, ...]:
        """Returns a graph's outputs as they are, channels last."""
        return tuple(
            cls(
                name=name,
                dtype="int8" if output.quantization else "float32",
                shape=runtime_shape(output.shape),
                scale=output.quantization.scale if output.quantization else None,
                zero_point=output.quantization.zero_point if output.quantization else None,
            )
            for name, output in zip(graph.output_names, graph.outputs, strict=True)
        )


class Interface(Document):
    """Describes the file that an exporter wrote."""

    input: InputSpec
    outputs: Annotated[tuple[OutputSpec, ...], Field(min_length=1)]

    @property
    def output(self) -> OutputSpec:
        """Returns the only output; raises ValueError if there are several."""
        (output,) = self.outputs
        return output

    def output_type(self) -> np.dtype[Any]:
        """Returns the little-endian type of what the model gives for one picture: an array, or a record of several."""
        types = [(spec.name, np.dtype(spec.dtype).newbyteorder("<"), spec.shape[1:]) for spec in self.outputs]
        return np.dtype(types[0][1:]) if len(types) == 1 else record_type(types)

    def read_outputs(self, data: bytes | bytearray) -> NDArray[Any]:
        """Returns what the model gave for pictures, (pictures, …) as `mobile_sdk.graph.outputs` has it, from its bytes.

        Raises ValueError for bytes of no whole number of pictures.
        """
        return np.frombuffer(data, self.output_type())


@dataclass(frozen=True, kw_only=True)
class Structure:
    """Describes the content of a model file, read back from the file itself."""

    operators: Mapping[str, int]  # name in the runtime's own terms → count
    partitions: int  # delegate partitions (calls); 1 is best
    not_delegated: tuple[tuple[str, str], ...]  # (operator, why)
    int8_weight_share: float  # of the bytes of all convolution and linear weights, 0..1
    float_convolutions: int
    bytes_by_part: Mapping[str, int]  # weights, biases, structure …


class Session(Protocol):
    """A session is a loaded model."""

    def run(self, picture: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Returns the output without its batch, or a record of several, for bytes (H, W, C).

        The bytes are those of `preprocess.to_bytes` for the contract's input, the outputs have the model's own dtypes;
        see `mobile_sdk.graph.outputs`.
        """
        ...

    def close(self) -> None:
        """Frees the runtime's memory; the session is not used afterwards."""
        ...


@dataclass(frozen=True, kw_only=True)
class RunnerParts:
    """Names the parts of a Python package for the C++ program `runner-NAME`, which runs models on devices.

    Paths are relative to the package's folder.
    """

    package: str
    libraries: tuple[str, ...]  # are beside the program on a device
    needed: tuple[str, ...]  # files and folders that building and running take
    settings: Mapping[str, str]  # CMake's variables, and the paths that they are set to


@dataclass(frozen=True, kw_only=True)
class NativeCheck:
    """Describes a check that only the maker's own implementation can pass, if `load` may open another one."""

    name: str
    required: str
    not_run: str | None  # why that implementation does not compute here, or None if it does


class Runtime(ABC):
    """A runtime is one way to a phone: it writes a graph as a model file, reads it back, and runs it here if it can.

    The members below `finding` are promises with defaults: a runtime overrides those that differ.
    """

    name: ClassVar[str]
    model_file: ClassVar[str]  # its name inside a bundle; a folder for Core ML
    processors: ClassVar[tuple[str, ...]]  # kinds of processors that the model file can run on
    also_called: ClassVar[frozenset[str]] = frozenset()  # other names in use, small letters without hyphens
    runner: ClassVar[RunnerParts | None] = None  # None if devices at the end of a connection do not run it

    @abstractmethod
    def interface(self, graph: Graph) -> Interface:
        """Returns the tensors of the model file that `export` writes for `graph`."""

    @abstractmethod
    def export(self, graph: Graph, contract: Contract, path: Path) -> Interface:
        """Writes `graph` as the model file `path`, and returns its `interface`.

        Raises CompileError with operator and module path.
        """

    @abstractmethod
    def structure(self, path: Path) -> Structure:
        """Reads the model file `path`; raises BundleError if it is damaged."""

    @abstractmethod
    def differences(self, path: Path, fresh: Path, graph: Graph) -> list[str]:
        """Names everything in the model file `path` that is not so in `fresh`, which `export` wrote for `graph`.

        The list is empty only if nothing differs that any loader of such files could read: operations, connections,
        shapes, options, weights, biases, scales, zero points, and what stands beside them. Where the parts lie in the
        file, and which versions of packages say that they wrote it, may differ. Raises BundleError if the file is
        damaged, or holds what `export` never writes.
        """

    @abstractmethod
    def unavailable(self) -> str | None:
        """Returns why models of this runtime cannot run on this machine, or None if they can."""

    @abstractmethod
    def load(self, path: Path, interface: Interface, *, threads: int) -> Session:
        """Opens the model file `path`; raises MachineError if `unavailable()`, BundleError if it is damaged."""

    @abstractmethod
    def versions(self) -> Mapping[str, str]:
        """Returns the packages that decide what is written and computed, with their versions."""

    @abstractmethod
    def finding(self) -> Finding:
        """Returns which part of the runtime is installed here and what it enables; imports none of it."""

    def prepare(self) -> None:  # noqa: B027  a runtime may have nothing to import
        """Imports what `load` needs, so that no load waits for it; raises ImportError if that is missing."""

    def requirement(self, graph: Graph) -> Requirement:
        """Returns how near its scores must come to the expected ones: exactly, unless sums depend on their order."""
        return usual_requirement(graph)

    def native_check(self) -> NativeCheck | None:
        """Returns the check of the maker's own implementation, or None if `load` always opens that."""
        return None

    def not_timed(self, *, on_host: bool) -> str | None:
        """Returns why its times mean nothing on this host, or on a connected device; else None."""
        return self.unavailable() if on_host else None

    def app_advice(self, platform: Platform) -> str | None:
        """Returns the line that an app's project needs to run its models; None if its apps do not run them."""
        return None
