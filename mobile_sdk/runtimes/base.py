"""Defines a runtime: the author of a fourth one needs to read only this module."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mobile_sdk.contract import Contract
from mobile_sdk.document import Document
from mobile_sdk.graph.operators import Graph
from mobile_sdk.graph.outputs import record_type
from mobile_sdk.runtimes.choices import Choices, complete
from mobile_sdk.runtimes.requirement import Requirement, usual_requirement
from mobile_sdk.runtimes.shapes import runtime_shape
from mobile_sdk.system.findings import Finding

Platform = Literal["android", "ios"]
Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Layout = Literal["NHWC", "NCHW", "NC", "NTC"]

FLOAT_SHARE = 1e-3
"""It is a share of the largest float32 score: other orders of summation move scores by some 1e-5."""
_LAYOUTS: Mapping[int, Layout] = {1: "NC", 2: "NTC", 3: "NHWC"}


PICTURE = "rgb"
"""A file that takes a picture's bytes calls them so."""


def input_name(graph: Graph) -> str:
    """Returns the name of the tensor that takes a graph's input: a picture's bytes, or an array's codes."""
    return PICTURE if graph.reads_picture else graph.input.name


class InputSpec(Document):
    """Describes the tensor that takes the picture, or the array.

    The app writes `byte + byte_offset` for each byte, in `layout`; an array's bytes are its codes plus 128.
    """

    name: str
    dtype: Literal["uint8", "int8", "float32", "image"]
    shape: tuple[Int32, ...]
    layout: Layout
    byte_offset: Int32

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

    int8: `real = scale * (q - zero_point)`; float32: scale and zero point are null. `activation` is what the model has
    applied to its scores already.
    """

    name: str
    dtype: Literal["int8", "float32"]
    shape: tuple[Int32, ...]
    scale: float | None
    zero_point: Int32 | None
    activation: Literal["none", "softmax"] = "none"

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

    def reals(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """Returns the real values that codes stand for, in double precision; float32 values as they are."""
        numbers = values.astype(np.float64)
        return numbers if self.scale is None else self.scale * (numbers - (self.zero_point or 0))


class Interface(Document):
    """Describes the file that an exporter wrote."""

    input: InputSpec
    outputs: Annotated[tuple[OutputSpec, ...], Field(min_length=1)]

    @classmethod
    def of(cls, graph: Graph) -> Self:
        """Returns the ends of a file that takes a picture's bytes or an array's codes and gives what the graph does."""
        spec = InputSpec.of_bytes(graph, input_name(graph), "uint8" if graph.reads_picture else "int8")
        return cls(input=spec, outputs=OutputSpec.all_of(graph))

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

    operators: Mapping[str, int]  # name in the runtime's own terms (`of_int4` where weights have 4 bits) → count
    partitions: int  # delegate partitions (calls); 1 is best
    not_delegated: tuple[tuple[str, str], ...]  # (operator, why)
    int8_weight_share: float  # of the bytes of all convolution and linear weights, 0..1; one of 4 bits counts a byte
    float_convolutions: int
    bytes_by_part: Mapping[str, int]  # weights, biases, structure …


_OF_INT4 = ", int4 weights"


def of_int4(kind: str) -> str:
    """Returns how `Structure.operators` names an operator of that kind whose weights are int4 in the file."""
    return f"{kind}{_OF_INT4}"


def count_of_int4(operators: Mapping[str, int]) -> int:
    """Returns how many operators of a file have int4 weights."""
    return sum(count for name, count in operators.items() if name.endswith(_OF_INT4))


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

    The members below `finding` are promises with defaults: a runtime overrides those that differ. An instance is of one
    form: `chosen` holds a value for each of the `choices` that its exporter leaves to the user.
    """

    name: ClassVar[str]
    model_file: ClassVar[str]  # its name inside a bundle; a folder for Core ML
    processors: tuple[str, ...]  # kinds of processors that the model file can run on
    golden_share: float = FLOAT_SHARE  # of the largest golden score: so far a float32 output may be from its own
    also_called: ClassVar[frozenset[str]] = frozenset()  # other names in use, small letters without hyphens
    choices: ClassVar[Choices] = MappingProxyType({})  # what a user chooses of the model file
    runner: ClassVar[RunnerParts | None] = None  # None if devices at the end of a connection do not run it

    def __init__(self, form: Mapping[str, str] | None = None) -> None:
        """Takes values of choices where they are not the usual ones.

        Raises SettingError for a choice or a value that this runtime does not have.
        """
        self.chosen = complete(form or {}, self.choices, self.name)
        self.arithmetic: str | None = None  # of `arithmetics`, if this machine emulates an accelerator

    @property
    def form(self) -> dict[str, str]:
        """Returns the values that are not the usual ones, by the names of their choices; a bundle's manifest has it."""
        return {name: value for name, value in self.chosen.items() if value != self.choices[name][0]}

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

    def computed(self, graph: Graph) -> Graph:
        """Returns the graph whose outputs the file gives: the program's, or one that a choice continues."""
        return graph

    def requirement(self, graph: Graph) -> Requirement:
        """Returns how near its scores must come to the expected ones: exactly, unless sums depend on their order."""
        return usual_requirement(graph)

    def arithmetics(self, graph: Graph) -> "tuple[Self, ...]":
        """Returns the runtime for each arithmetic in which this machine computes its files: itself, if it has one.

        Several stand for an accelerator whose own is not known: its scores lie where those of all of them do.
        """
        return (self,)

    def in_arithmetic(self, name: str) -> Self:
        """Returns this runtime, whose sessions compute in the `arithmetic` of that name."""
        other = copy(self)
        other.arithmetic = name
        return other

    def native_check(self) -> NativeCheck | None:
        """Returns the check of the maker's own implementation, or None if `load` always opens that."""
        return None

    def not_timed(self, *, on_host: bool) -> str | None:
        """Returns why its times mean nothing on this host, or on a connected device; else None."""
        return self.unavailable() if on_host else None

    def app_advice(self, platform: Platform) -> str | None:
        """Returns the line that an app's project needs to run its models; None if its apps do not run them."""
        return None
