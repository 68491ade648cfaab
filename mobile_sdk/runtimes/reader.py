"""Defines a runtime that has no files of its own: it runs those that another one writes, as an accelerator may."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from mobile_sdk.contract import Contract
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.base import Interface, Runtime, Structure
from mobile_sdk.runtimes.requirement import Requirement, near_float


class Reader(Runtime):
    """Runs the files that the runtime `writer` writes, and has that one's file name, processors and choices."""

    writer: ClassVar[type[Runtime]]

    def __init_subclass__(cls) -> None:
        """Takes from a reader's writer what is true of its files."""
        super().__init_subclass__()
        if "writer" in cls.__dict__:
            cls.model_file, cls.choices = cls.writer.model_file, cls.writer.choices
            cls.processors = cls.writer.processors

    def interface(self, graph: Graph) -> Interface:
        """Returns the tensors of the file that the other runtime writes."""
        return self.writer(self.form).interface(graph)

    def computed(self, graph: Graph) -> Graph:
        """Returns the graph whose outputs that file gives."""
        return self.writer(self.form).computed(graph)

    def export(self, graph: Graph, contract: Contract, path: Path) -> Interface:
        """Writes the other runtime's file."""
        return self.writer(self.form).export(graph, contract, path)

    def structure(self, path: Path) -> Structure:
        """Reads `path` back; the partitions are those of the other runtime."""
        return self.writer(self.form).structure(path)

    def differences(self, path: Path, fresh: Path, graph: Graph) -> list[str]:
        """Names everything in the file that is not so in the `fresh` one."""
        return self.writer(self.form).differences(path, fresh, graph)


class Accelerator(Reader):
    """Runs files on a simulated accelerator, whose arithmetic is its own and whose times mean nothing."""

    why: ClassVar[str]  # it computes otherwise than the reference

    def requirement(self, graph: Graph) -> Requirement:
        """Requires to be no further from the float net than the reference is. Raises SettingError for a float net."""
        if graph.precision == "float32":
            raise SettingError(
                f"expected an int8 bundle for {self.name}, found float32",
                hint="verify the int8 bundle: it is judged by its distance from the float net",
            )
        return near_float(self.why)

    def not_timed(self, *, on_host: bool) -> str | None:
        """Returns why it is not timed."""
        return "it is a simulation: its times mean nothing" if on_host else "devices have no runner for it"


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Counts a loaded model's operators, and names those that `by` left to other kernels.

    `left` is None if the runtime does not say more than that it left some.
    """

    by: str
    operators: int
    left: tuple[str, ...] | None

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Self:
        """Returns what `dataclasses.asdict` gave, after it was JSON."""
        left = content["left"]
        return cls(by=content["by"], operators=content["operators"], left=None if left is None else tuple(left))

    @property
    def share(self) -> float | None:
        """Returns the share of the operators that was taken, 0..1; None if it is not known."""
        return None if self.left is None else 1 - len(self.left) / max(self.operators, 1)


@runtime_checkable
class SaysWhatIsTaken(Protocol):
    """A session whose runtime may leave operators to other kernels than those that it is known for."""

    @property
    def taken(self) -> Taken:
        """Returns what was taken of the loaded model."""
        ...
