"""Core ML: an ML program for iOS 17, computed by Apple's runtime on a Mac and by an interpreter of the file elsewhere.

The program computes the graph's integers in float32: codes, products and sums are whole numbers that float32 holds, so
every IEEE 754 implementation must find the same ones in any order, and the interpreter's scores are the reference's,
all of them (five nets at 224 px, 24,000 scores each). The real-valued form, dequantized by the scales, left ties to
rounding errors of sums and came 22 to 33 dB near. In float16, which Apple's Neural Engine would ask for, whole numbers
end at 2,048: small nets then come 4 to 26 dB near. So an app keeps `allowLowPrecisionAccumulationOnGPU` at its default,
off.
"""

import importlib.util
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from mobile_sdk.errors import MachineError
from mobile_sdk.runtimes.base import Interface, Structure

if TYPE_CHECKING:
    from mobile_sdk.contract import Contract
    from mobile_sdk.graph.operators import Graph
    from mobile_sdk.runtimes.coreml.apple import AppleSession
    from mobile_sdk.runtimes.coreml.interpreter.interpreter import InterpreterSession


class CoreMLRuntime:
    """The Runtime for Core ML; see runtimes/base.py."""

    name = "coreml"
    model_file = "model.mlpackage"
    processors = ("cpu", "gpu", "npu")

    def export(self, graph: "Graph", contract: "Contract", path: Path) -> Interface:
        """Writes the `.mlpackage` folder `path` at once; raises CompileError with operator and module path."""
        from mobile_sdk.runtimes.coreml.export import write_model

        return write_model(graph, contract, path)

    def structure(self, path: Path) -> Structure:
        """Reads the `.mlpackage` folder `path`; raises BundleError where it is damaged."""
        from mobile_sdk.runtimes.coreml.package.structure import read_structure

        return read_structure(path)

    def unavailable(self) -> str | None:
        """Why neither Apple's runtime nor the interpreter can run here, or None where one can."""
        missing = [package for package in ("coremltools", "torch") if importlib.util.find_spec(package) is None]
        return f"the package {missing[0]} is not installed" if missing else None

    def apple_runtime_not_run(self) -> str | None:
        """Why Apple's own runtime is `not_run` on this machine, or None on a Mac."""
        from mobile_sdk.runtimes.coreml.apple import apple_runtime_not_run

        return apple_runtime_not_run()

    def load(self, path: Path, interface: Interface, *, threads: int) -> "AppleSession | InterpreterSession":
        """Opens the `.mlpackage` folder; the session's `arithmetic` says "apple" or "interpreter".

        Core ML chooses its own threads; the interpreter obeys `threads`. Raises MachineError where `unavailable()`,
        BundleError where the package is damaged or is not what `interface` says.
        """
        from mobile_sdk.runtimes.coreml.apple import AppleSession
        from mobile_sdk.runtimes.coreml.interpreter.interpreter import InterpreterSession

        reason = self.unavailable()
        if reason is not None:
            raise MachineError(f"expected a way to run Core ML programs, found none: {reason}", hint="pip install it")
        if self.apple_runtime_not_run() is None:
            return AppleSession(path, interface)
        return InterpreterSession(path, interface, threads=threads)

    def versions(self) -> Mapping[str, str]:
        """The packages that decide what is written and computed, with their versions."""
        return {package: metadata.version(package) for package in ("coremltools", "torch", "numpy")}
