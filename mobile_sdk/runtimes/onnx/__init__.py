"""Writes ONNX models as QDQ, which ONNX Runtime fuses to its int8 kernels and runs here."""

from collections.abc import Mapping
from importlib import import_module, metadata, util
from pathlib import Path

from mobile_sdk.contract import Contract
from mobile_sdk.graph.operators import Graph
from mobile_sdk.packages import check_installed, command
from mobile_sdk.runtimes.base import Interface, Runtime, Session, Structure
from mobile_sdk.system.atomic_files import write_bytes
from mobile_sdk.system.findings import Finding, find_package

_PACKAGE = "onnxruntime"
_MODULES = ("onnx", _PACKAGE)
_EXTRA = "onnx"


class OnnxRuntime(Runtime):
    """Writes, reads and runs `.onnx`."""

    name = "onnx"
    model_file = "model.onnx"
    processors = ("cpu",)
    also_called = frozenset({"onnxruntime", "ort", "onnx"})

    def interface(self, graph: Graph) -> Interface:
        """Returns the tensors of the file: a picture's bytes or an array's codes, and the graph's outputs."""
        return Interface.of(graph)

    def export(self, graph: Graph, contract: Contract, path: Path) -> Interface:
        """Writes `graph` to `path`; raises CompileError with operator and module path."""
        self._need()
        from mobile_sdk.runtimes.onnx.export import write_model

        write_bytes(path, write_model(graph, f"{contract.name} {graph.digest()}", contract.licence))
        return self.interface(graph)

    def structure(self, path: Path) -> Structure:
        """Reads `path` back; raises BundleError if it is damaged."""
        self._need()
        from mobile_sdk.runtimes.onnx.structure import read_structure

        return read_structure(path)

    def differences(self, path: Path, fresh: Path, graph: Graph) -> list[str]:
        """Names everything in the file that is not so in the `fresh` one; see runtimes/base.py."""
        self._need()
        from mobile_sdk.runtimes.onnx.readback import file_differences

        return file_differences(path, fresh, graph)

    def unavailable(self) -> str | None:
        """Returns which package is missing here, or None."""
        missing = [module for module in _MODULES if util.find_spec(module) is None]
        return f"the package {missing[0]} is not installed" if missing else None

    def load(self, path: Path, interface: Interface, *, threads: int) -> Session:
        """Opens `path` in ONNX Runtime."""
        self._need()
        from mobile_sdk.runtimes.onnx.session import OnnxSession

        return OnnxSession(path, interface, threads=threads)

    def prepare(self) -> None:
        """Imports ONNX Runtime."""
        import_module("mobile_sdk.runtimes.onnx.session")

    def versions(self) -> Mapping[str, str]:
        """Returns the packages that decide what is written and computed."""
        return {name: metadata.version(name) for name in _MODULES}

    def finding(self) -> Finding:
        """Finds the package that runs `.onnx`."""
        return find_package(_PACKAGE, _PACKAGE, enables="ONNX bundles: export, verify, bench", get=command(_EXTRA))

    def not_timed(self, *, on_host: bool) -> str | None:
        """Returns why it cannot run: no device has a program that runs it yet."""
        return self.unavailable() if on_host else "devices have no runner for it: it is timed on a host"

    def _need(self) -> None:
        for module in _MODULES:
            check_installed(module, "ONNX bundles", extra=_EXTRA)
