"""Writes an ML program; Apple's runtime computes it on a Mac, and an interpreter of the file elsewhere.

The exact form computes the graph's integers in float32: codes, products and sums are whole numbers that float32 holds,
so every IEEE 754 implementation must find the same ones in any order. The interpreter's scores are the reference's, all
of them (five nets at 224 px, 24,000 scores each). It is for the CPU, whose float32 is IEEE 754's.

The Neural Engine takes float16 alone, in which whole numbers end at 2,048. Its form computes the graph's real values,
quantized and dequantized after every operator, and differs from the reference by as much as that does from the float
net. It is judged by its own distance from that net, in each arithmetic that the interpreter emulates.
"""

import importlib.util
from collections.abc import Mapping
from importlib import import_module, metadata
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from mobile_sdk.contract import Contract
from mobile_sdk.errors import MachineError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.packages import command
from mobile_sdk.runtimes.base import Interface, NativeCheck, Platform, Runtime, Structure
from mobile_sdk.runtimes.compute_units import chosen
from mobile_sdk.runtimes.coreml.apple_system import not_run
from mobile_sdk.runtimes.requirement import Requirement, near_float
from mobile_sdk.system.findings import Finding, find_package

if TYPE_CHECKING:
    from mobile_sdk.runtimes.coreml.apple import AppleSession
    from mobile_sdk.runtimes.coreml.interpreter.interpreter import InterpreterSession

EXACT, NEURAL_ENGINE = "exact", "neural-engine"
_ENGINE = near_float("the Neural Engine computes in float16, in an arithmetic that is not published")
_FLOAT16 = Requirement(
    exact=False,
    min_sqnr_db=40.0,
    min_top1_agreement=0.95,
    golden_steps=0.0,
    why="is float32 rounded to float16 after every operation",
)
_ENGINE_GOLDEN_SHARE = 0.25
"""Scores of MobileNetV2 moved by up to 0.16 of the largest one from one emulated arithmetic to another."""


class CoreMLRuntime(Runtime):
    """Writes, reads and runs `.mlpackage`."""

    name = "coreml"
    model_file = "model.mlpackage"
    processors: tuple[str, ...] = ("cpu",)
    also_called = frozenset({"coreml", "mlpackage", "mlmodel", "ios", "apple"})
    choices = MappingProxyType(
        {
            "compute": (EXACT, NEURAL_ENGINE),
            "output": ("scores", "probabilities"),
            "deployment_target": ("iOS17", "iOS18"),
        }
    )

    def __init__(self, form: Mapping[str, str] | None = None) -> None:
        super().__init__(form)
        self._is_for_engine = self.chosen["compute"] == NEURAL_ENGINE
        if self._is_for_engine:
            self.processors = ("cpu", "gpu", "npu")
            self.golden_share = _ENGINE_GOLDEN_SHARE

    def interface(self, graph: Graph) -> Interface:
        """Returns the ends of the program: an RGB image, and float32 scores."""
        from mobile_sdk.runtimes.coreml.export import interface_of

        return interface_of(graph)

    def export(self, graph: Graph, contract: Contract, path: Path) -> Interface:
        """Writes the `.mlpackage` folder `path` at once; raises CompileError with operator and module path."""
        from mobile_sdk.runtimes.coreml.export import write_model

        write_model(
            graph,
            contract,
            path,
            target=self.chosen["deployment_target"],
            in_float16=self._is_for_engine,
            gives_probabilities=self.chosen["output"] == "probabilities",
        )
        return self.interface(graph)

    def structure(self, path: Path) -> Structure:
        """Reads the `.mlpackage` folder `path`; raises BundleError if it is damaged."""
        from mobile_sdk.runtimes.coreml.package.structure import read_structure

        return read_structure(path)

    def differences(self, path: Path, fresh: Path, graph: Graph) -> list[str]:
        """Names everything in the package that is not so in the `fresh` one; see runtimes/base.py."""
        from mobile_sdk.runtimes.coreml.readback import package_differences

        return package_differences(path, fresh, graph)

    def unavailable(self) -> str | None:
        """Returns why neither Apple's runtime nor the interpreter can run here, or None if one can."""
        missing = [package for package in ("coremltools", "torch") if importlib.util.find_spec(package) is None]
        return f"the package {missing[0]} is not installed" if missing else None

    def load(self, path: Path, interface: Interface, *, threads: int) -> "AppleSession | InterpreterSession":
        """Opens the `.mlpackage` folder; the session's `arithmetic` is "apple" or "interpreter".

        Core ML chooses its own threads; the interpreter obeys `threads`. Raises MachineError if `unavailable()`,
        BundleError if the package is damaged or does not fit `interface`.
        """
        reason = self.unavailable()
        if reason is not None:
            raise MachineError(f"expected a way to run Core ML programs, found none: {reason}", hint=command())
        if not_run() is None:
            from mobile_sdk.runtimes.coreml.apple import AppleSession

            return AppleSession(path, interface, cpu_only=not self._is_for_engine)
        from mobile_sdk.runtimes.coreml.interpreter.half_arithmetic import ARITHMETICS, USUAL
        from mobile_sdk.runtimes.coreml.interpreter.interpreter import InterpreterSession

        arithmetic = USUAL if self.arithmetic is None else ARITHMETICS[self.arithmetic]
        return InterpreterSession(path, interface, threads=threads, arithmetic=arithmetic)

    def prepare(self) -> None:
        """Imports torch for the interpreter; on a Mac Apple's session imports its own on use."""
        if not_run() is not None:
            import_module("mobile_sdk.runtimes.coreml.interpreter.interpreter")

    def versions(self) -> Mapping[str, str]:
        """Returns the packages that decide what is written and computed, with their versions."""
        packages = {package: metadata.version(package) for package in ("coremltools", "torch", "numpy")}
        units = chosen()
        return packages if units is None else {**packages, "compute units": units}

    def finding(self) -> Finding:
        """Finds the package that writes `.mlpackage`; limited off a Mac, where an interpreter computes."""
        enables = "Core ML bundles: export, verify by interpreter; Apple's own runtime on a Mac"
        found = find_package("coremltools", "coremltools", enables=enables, get=command())
        if found.status == "missing" or not_run() is None:
            return found
        limit = f"{found.found}; exports here, Apple's runtime predicts only on macOS"
        return Finding(name=found.name, status="limited", found=limit, enables=enables, get=None)

    def requirement(self, graph: Graph) -> Requirement:
        """Requires exactness of the exact form, of Apple's CPU too: it is so in every IEEE 754 float32.

        No factor is left in it that a compiler could fold. The Neural Engine's form must be as near to the float net as
        the reference is.
        """
        if not self._is_for_engine:
            return super().requirement(graph)
        return _FLOAT16 if graph.precision == "float32" else _ENGINE

    def arithmetics(self, graph: Graph) -> tuple[Self, ...]:
        """Returns the emulated arithmetics of the Neural Engine, off a Mac; see `interpreter/half_arithmetic.py`."""
        if not self._is_for_engine or not_run() is None:
            return (self,)
        from mobile_sdk.runtimes.coreml.interpreter.half_arithmetic import ARITHMETICS

        return tuple(self.in_arithmetic(name) for name in ARITHMETICS)

    def native_check(self) -> NativeCheck:
        """Returns the reason why the check never passes off a Mac: an interpreter of the file computes the numbers."""
        required = "the checks above, computed by Core ML"
        return NativeCheck(name="apple's own runtime", required=required, not_run=not_run())

    def not_timed(self, *, on_host: bool) -> str | None:
        """Returns a reason except on Apple's systems, which alone have a runtime whose times mean anything."""
        if not on_host:
            return "Core ML runs on Apple's systems only, which neither adb nor ssh reaches"
        if not_run() is not None:
            return "Core ML runs on Apple's systems only: off a Mac an interpreter computes it, whose time says nothing"
        return self.unavailable()

    def app_advice(self, platform: Platform) -> str | None:
        """Returns the framework of an Xcode project."""
        line = "Link CoreML.framework; MLModel.compileModel(at:) takes model.mlpackage as it is."
        return line if platform == "ios" else None
