"""Writes the net as one call of ExecuTorch's XNNPACK delegate, in a `.pte` written and read by its own schemas."""

from collections.abc import Mapping
from importlib import import_module, metadata, util
from pathlib import Path

from mobile_sdk.contract import Contract
from mobile_sdk.errors import MachineError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.packages import command
from mobile_sdk.runtimes.base import (
    InputSpec,
    Interface,
    OutputSpec,
    Platform,
    RunnerParts,
    Runtime,
    Session,
    Structure,
)
from mobile_sdk.system.atomic_files import write_bytes
from mobile_sdk.system.environment import installed_versions
from mobile_sdk.system.findings import Finding, find_package

_PACKAGE = "executorch"
_GET = command("executorch")


class ExecuTorchRuntime(Runtime):
    """Writes, reads and runs `.pte`."""

    name = "executorch"
    model_file = "model.pte"
    processors = ("cpu",)
    also_called = frozenset({"pte", "pytorch", "torch", "xnnpack"})
    runner = RunnerParts(
        package=_PACKAGE,
        libraries=(
            "lib/libexecutorch.so",
            "lib/libexecutorch_backend_xnnpack.so",
            "lib/libexecutorch_threadpool.so",
        ),
        needed=("include/", "lib/"),
        settings={"executorch_ROOT": "."},
    )

    def interface(self, graph: Graph) -> Interface:
        """Returns the tensors of the file: int8 codes, and the graph's outputs."""
        return Interface(
            input=InputSpec.of_bytes(graph, graph.input.name, "int8"),
            outputs=OutputSpec.all_of(graph),
        )

    def export(self, graph: Graph, contract: Contract, path: Path) -> Interface:
        """Writes `graph` to `path`; raises CompileError with operator and module path."""
        from mobile_sdk.runtimes.executorch.export import write_model

        write_bytes(path, write_model(graph))
        return self.interface(graph)

    def structure(self, path: Path) -> Structure:
        """Reads `path` back; raises BundleError if it is damaged."""
        from mobile_sdk.runtimes.executorch.structure import read_structure

        return read_structure(path)

    def differences(self, path: Path, fresh: Path, graph: Graph) -> list[str]:
        """Names everything in the file that is not so in the `fresh` one; see runtimes/base.py."""
        from mobile_sdk.runtimes.executorch.readback import file_differences

        return file_differences(path, fresh, graph)

    def unavailable(self) -> str | None:
        """Returns why ExecuTorch cannot run here, or None."""
        missing = [name for name in ("executorch", "torch") if util.find_spec(name) is None]
        return f"the package {missing[0]} is not installed" if missing else None

    def load(self, path: Path, interface: Interface, *, threads: int) -> Session:
        """Opens `path` in ExecuTorch, whose thread pool the whole process shares."""
        if reason := self.unavailable():
            raise MachineError(f"ExecuTorch cannot run here: {reason}", hint=_GET)
        from mobile_sdk.runtimes.executorch.session import ExecuTorchSession

        return ExecuTorchSession(path, interface, threads=threads)

    def prepare(self) -> None:
        """Imports torch and ExecuTorch."""
        import_module("mobile_sdk.runtimes.executorch.session")

    def versions(self) -> Mapping[str, str]:
        """Returns the packages that decide what is written and computed."""
        return {name: metadata.version(name) for name in (_PACKAGE, "flatbuffers")}

    def finding(self) -> Finding:
        """Finds the package that writes and runs `.pte`."""
        return find_package(_PACKAGE, _PACKAGE, enables="ExecuTorch bundles: export, verify, bench", get=_GET)

    def app_advice(self, platform: Platform) -> str | None:
        """Returns the dependency of a Gradle module, the package of an Xcode project.

        It is the version that exports here: an older runtime may not know a newer file.
        """
        version = installed_versions([_PACKAGE]).get(_PACKAGE, "1.5.1")
        if platform == "android":
            return f'implementation("org.pytorch:executorch-android:{version}")'
        package = f"github.com/pytorch/executorch, branch swiftpm-{version}"
        return f"Add the package {package}, with executorch, backend_xnnpack and kernels_optimized."
