"""Writes LiteRT's (TensorFlow Lite's) model file with our own flatbuffer writer; LiteRT runs it with XNNPACK."""

from collections.abc import Mapping
from importlib import import_module, metadata, util
from pathlib import Path

from mobile_sdk.contract import Contract
from mobile_sdk.errors import MachineError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.packages import command
from mobile_sdk.runtimes.base import (
    Interface,
    Platform,
    RunnerParts,
    Runtime,
    Session,
    Structure,
)
from mobile_sdk.runtimes.requirement import Requirement, of_probabilities
from mobile_sdk.runtimes.tflite.interface import CHOICES, Form, interface_of
from mobile_sdk.system.atomic_files import write_bytes
from mobile_sdk.system.findings import Finding, find_package

ANDROID_RELEASE = "2.3.0"
"""The demo names this release for Android; PyPI has other numbers."""
_PACKAGE = "ai-edge-litert"
_GET = command()


class TfliteRuntime(Runtime):
    """Writes, reads and runs `.tflite`."""

    name = "tflite"
    model_file = "model.tflite"
    processors = ("cpu",)
    choices = CHOICES
    also_called = frozenset({"litert", "tensorflowlite", "tflite", "tensorflow", "android"})
    runner = RunnerParts(
        package=_PACKAGE,
        libraries=("libLiteRt.so",),
        needed=("libLiteRt.so",),
        settings={"LITERT_LIBRARY": "libLiteRt.so"},
    )

    def interface(self, graph: Graph) -> Interface:
        """Returns the tensors of the file: a picture's bytes or an array's codes, and the graph's outputs."""
        return interface_of(graph, Form.of(self.chosen))

    def computed(self, graph: Graph) -> Graph:
        """Returns the graph, continued to probabilities if they are chosen."""
        return Form.of(self.chosen).computed(graph)

    def export(self, graph: Graph, contract: Contract, path: Path) -> Interface:
        """Writes `graph` to `path`; raises CompileError with operator and module path."""
        from mobile_sdk.runtimes.tflite.export import write_model

        write_bytes(path, write_model(graph, contract, Form.of(self.chosen)))
        return self.interface(graph)

    def structure(self, path: Path) -> Structure:
        """Reads `path` back; raises BundleError if it is damaged."""
        from mobile_sdk.runtimes.tflite.model_file import read_structure

        return read_structure(path)

    def differences(self, path: Path, fresh: Path, graph: Graph) -> list[str]:
        """Names everything in the file that is not so in the `fresh` one; see runtimes/base.py."""
        from mobile_sdk.runtimes.tflite.readback import file_differences

        return file_differences(path, fresh, self.computed(graph))

    def unavailable(self) -> str | None:
        """Returns why LiteRT cannot run here, or None."""
        if util.find_spec("ai_edge_litert") is None:
            return "the package ai-edge-litert is not installed"
        return None

    def load(self, path: Path, interface: Interface, *, threads: int) -> Session:
        """Opens `path` in LiteRT."""
        if reason := self.unavailable():
            raise MachineError(f"LiteRT cannot run here: {reason}", hint=_GET)
        from mobile_sdk.runtimes.tflite.session import TfliteSession

        return TfliteSession(path, interface, threads=threads)

    def prepare(self) -> None:
        """Imports LiteRT."""
        import_module("mobile_sdk.runtimes.tflite.session")

    def versions(self) -> Mapping[str, str]:
        """Returns the packages that decide what is written and computed."""
        return {name: metadata.version(name) for name in (_PACKAGE, "flatbuffers")}

    def finding(self) -> Finding:
        """Finds the package that writes and runs `.tflite`."""
        return find_package(_PACKAGE, "ai_edge_litert", enables="TFLite bundles: export, verify, bench", get=_GET)

    def requirement(self, graph: Graph) -> Requirement:
        """Returns how near its scores must come: probabilities as near as the softmax of exact scores can."""
        usual = super().requirement(graph)
        return of_probabilities(usual) if Form.of(self.chosen).gives_probabilities else usual

    def app_advice(self, platform: Platform) -> str | None:
        """Returns the dependency of a Gradle module."""
        return (
            f'implementation("com.google.ai.edge.litert:litert:{ANDROID_RELEASE}")' if platform == "android" else None
        )
