"""Writes an ML program for iOS 17; Apple's runtime computes it on a Mac, and an interpreter of the file elsewhere.

The program computes the graph's integers in float32: codes, products and sums are whole numbers that float32 holds, so
every IEEE 754 implementation must find the same ones in any order. The interpreter's scores are the reference's, all of
them (five nets at 224 px, 24,000 scores each). The real-valued form, dequantized by the scales, left ties to rounding
errors of sums and reached only 22 to 33 dB. In float16, which Apple's Neural Engine would require, whole numbers end at
2,048: small nets then reach 4 to 26 dB. So an app keeps `allowLowPrecisionAccumulationOnGPU` at its default, off.
"""

import importlib.util
from collections.abc import Mapping
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING

from mobile_sdk.contract import Contract
from mobile_sdk.errors import MachineError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.base import Interface, NativeCheck, Platform, Runtime, Structure
from mobile_sdk.runtimes.coreml.apple_system import not_run
from mobile_sdk.runtimes.requirement import Requirement
from mobile_sdk.system.findings import Finding, find_package

if TYPE_CHECKING:
    from mobile_sdk.runtimes.coreml.apple import AppleSession
    from mobile_sdk.runtimes.coreml.interpreter.interpreter import InterpreterSession

_APPLE = Requirement(
    exact=False,
    min_sqnr_db=20.0,
    min_top1_agreement=0.9,
    golden_steps=8.0,
    why="was never measured; a package that left ties to float32 came to 22 dB and 92 % on the worst of 5 nets",
)


class CoreMLRuntime(Runtime):
    """Writes, reads and runs `.mlpackage`."""

    name = "coreml"
    model_file = "model.mlpackage"
    processors = ("cpu", "gpu", "npu")
    also_called = frozenset({"coreml", "mlpackage", "mlmodel", "ios", "apple"})

    def interface(self, graph: Graph) -> Interface:
        """Returns the ends of the program: an RGB image, and float32 scores."""
        from mobile_sdk.runtimes.coreml.export import interface_of

        return interface_of(graph)

    def export(self, graph: Graph, contract: Contract, path: Path) -> Interface:
        """Writes the `.mlpackage` folder `path` at once; raises CompileError with operator and module path."""
        from mobile_sdk.runtimes.coreml.export import write_model

        write_model(graph, contract, path)
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
            raise MachineError(f"expected a way to run Core ML programs, found none: {reason}", hint="pip install it")
        if not_run() is None:
            from mobile_sdk.runtimes.coreml.apple import AppleSession

            return AppleSession(path, interface)
        from mobile_sdk.runtimes.coreml.interpreter.interpreter import InterpreterSession

        return InterpreterSession(path, interface, threads=threads)

    def prepare(self) -> None:
        """Imports torch for the interpreter; on a Mac Apple's session imports its own on use."""
        if not_run() is not None:
            import_module("mobile_sdk.runtimes.coreml.interpreter.interpreter")

    def versions(self) -> Mapping[str, str]:
        """Returns the packages that decide what is written and computed, with their versions."""
        return {package: metadata.version(package) for package in ("coremltools", "torch", "numpy")}

    def finding(self) -> Finding:
        """Finds the package that writes `.mlpackage`; limited off a Mac, where an interpreter computes."""
        enables = "Core ML bundles: export, verify by interpreter; Apple's own runtime on a Mac"
        found = find_package("coremltools", "coremltools", enables=enables, get="pip install mobile-sdk")
        if found.status == "missing" or not_run() is None:
            return found
        limit = f"{found.found}; exports here, Apple's runtime predicts only on macOS"
        return Finding(name=found.name, status="limited", found=limit, enables=enables, get=None)

    def requirement(self, graph: Graph) -> Requirement:
        """Requires exactness of the interpreter, as the package is exact in every IEEE 754 float32.

        It is not known what else Apple's own runtime does (folded factors, transforms, other ties), so its bound is the
        loss of an earlier, real-valued form of the package by ties of float32 sums.
        """
        return _APPLE if not_run() is None and graph.precision != "float32" else super().requirement(graph)

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
