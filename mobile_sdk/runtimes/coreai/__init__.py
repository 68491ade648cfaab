"""Writes `.aimodel` for Core AI, Core ML's successor from iOS 27 on, and runs it in Apple's own runtime.

Apple's package holds that runtime for Linux on x86-64 too, where an interpreter of theirs computes; devices have
delegates, of which this form asks for the CPU's. The program computes the graph's integers in
float32, which holds all of them, and is rounded where `quantize` stands: the reference's codes, element for element.
"""

from collections.abc import Mapping
from importlib import import_module, metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

from mobile_sdk.contract import Contract
from mobile_sdk.graph.operators import Graph
from mobile_sdk.packages import check_installed, command
from mobile_sdk.runtimes.base import Interface, NativeCheck, Runtime, Structure
from mobile_sdk.runtimes.coreai.delegates import not_here
from mobile_sdk.system.findings import Finding, find_package

if TYPE_CHECKING:
    from mobile_sdk.runtimes.coreai.session import CoreAISession

_PACKAGE, _MODULE = "coreai-core", "coreai"
_EXTRA = "coreai"


class CoreAIRuntime(Runtime):
    """Writes, reads and runs `.aimodel`."""

    name = "coreai"
    model_file = "model.aimodel"
    processors = ("cpu",)  # whose float32 is IEEE 754's; the Neural Engine has float16 alone
    also_called = frozenset({"coreai", "aimodel"})

    def interface(self, graph: Graph) -> Interface:
        """Returns the tensors of the file: a picture's bytes or an array's codes, and the graph's outputs."""
        return Interface.of(graph)

    def export(self, graph: Graph, contract: Contract, path: Path) -> Interface:
        """Writes `graph` as the folder `path` at once; raises CompileError with operator and module path."""
        self._need()
        from mobile_sdk.runtimes.coreai.export import write_model

        write_model(graph, f"{contract.name} {graph.digest()}", path, contract.licence)
        return self.interface(graph)

    def structure(self, path: Path) -> Structure:
        """Reads the folder `path`; raises BundleError if it is damaged, but may end the process."""
        self._need()
        from mobile_sdk.runtimes.coreai.asset.structure import read_structure

        return read_structure(path)

    def differences(self, path: Path, fresh: Path, graph: Graph) -> list[str]:
        """Names everything in the folder that is not so in the `fresh` one; see runtimes/base.py."""
        self._need()
        from mobile_sdk.runtimes.coreai.readback import file_differences

        return file_differences(path, fresh)

    def unavailable(self) -> str | None:
        """Returns that the package is missing here, or None."""
        return None if util.find_spec(_MODULE) else f"the package {_PACKAGE} is not installed"

    def load(self, path: Path, interface: Interface, *, threads: int) -> "CoreAISession":
        """Opens the folder in Apple's runtime, which chooses its own threads."""
        self._need()
        from mobile_sdk.runtimes.coreai.session import CoreAISession

        return CoreAISession(path, interface)

    def prepare(self) -> None:
        """Imports Apple's package."""
        import_module("mobile_sdk.runtimes.coreai.toolbox").coreai()

    def versions(self) -> Mapping[str, str]:
        """Returns the package that decides what is written and computed."""
        return {_PACKAGE: metadata.version(_PACKAGE)}

    def finding(self) -> Finding:
        """Finds the package that writes and runs `.aimodel`."""
        enables = "Core AI bundles: export, verify in Apple's runtime"
        return find_package(_PACKAGE, _MODULE, enables=enables, get=command(_EXTRA))

    def native_check(self) -> NativeCheck:
        """Returns the check that only the CPU's delegate passes: off a Mac Apple's interpreter computes."""
        required = "the checks above, computed by the delegate of a device's CPU"
        return NativeCheck(name="apple's delegates", required=required, not_run=not_here())

    def not_timed(self, *, on_host: bool) -> str | None:
        """Returns a reason except on a Mac, which alone has the delegates that devices compute with."""
        if not on_host:
            return "Core AI runs on Apple's systems only, which neither adb nor ssh reaches"
        return not_here() or self.unavailable()

    def _need(self) -> None:
        check_installed(_PACKAGE, "Core AI bundles", extra=_EXTRA, module=_MODULE)
