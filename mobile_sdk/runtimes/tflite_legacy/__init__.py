"""tflite-runtime 2.14.0: the last release under TensorFlow Lite's old name, for apps that still ship its kernels.

It needs numpy below 2, so it lives in an environment of its own and is driven as a process. Its older kernels round
otherwise than today's: results are measured against the reference, never promised exact.
"""

from collections.abc import Mapping
from pathlib import Path

from mobile_sdk.contract import Contract
from mobile_sdk.errors import MachineError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.base import Interface, Session, Structure
from mobile_sdk.runtimes.tflite import TfliteRuntime
from mobile_sdk.runtimes.tflite_legacy.environment import HOW_TO_GET, REQUIREMENTS, find_python, make_ready

__all__ = ["TfliteLegacyRuntime", "make_ready"]


class TfliteLegacyRuntime:
    """Runs the same `.tflite` files as `TfliteRuntime`, which writes them."""

    name = "tflite-runtime"
    model_file = TfliteRuntime.model_file
    processors = TfliteRuntime.processors

    def export(self, graph: Graph, contract: Contract, path: Path) -> Interface:
        """Writes the file that today's LiteRT gets."""
        return TfliteRuntime().export(graph, contract, path)

    def structure(self, path: Path) -> Structure:
        """Reads `path` back; the partitions are today's LiteRT's: 2.14 gives XNNPACK no int8 operator."""
        return TfliteRuntime().structure(path)

    def unavailable(self) -> str | None:
        """Why it cannot run here now, or None."""
        return None if find_python() else "the environment of tflite-runtime 2.14.0 has not been made yet"

    def load(self, path: Path, interface: Interface, *, threads: int) -> Session:
        """Opens `path` in a process of the other environment. Raises MachineError, BundleError."""
        from mobile_sdk.runtimes.tflite_legacy.session import LegacySession

        python = find_python()
        if python is None:
            raise MachineError(f"tflite-runtime cannot run here: {self.unavailable()}", hint=HOW_TO_GET)
        return LegacySession(python, path, interface, threads=threads)

    def versions(self) -> Mapping[str, str]:
        """The packages in the other environment."""
        return dict(requirement.split("==") for requirement in REQUIREMENTS)
