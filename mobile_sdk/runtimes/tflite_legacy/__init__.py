"""Runs tflite-runtime 2.14.0, the last release under TensorFlow Lite's old name, for apps that still ship its kernels.

It needs numpy below 2, so it has an environment of its own and runs as a process. Its older kernels round otherwise
than today's: results are compared with the reference, never promised exact.
"""

from collections.abc import Mapping
from pathlib import Path

from mobile_sdk.errors import MachineError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.base import Interface, Session
from mobile_sdk.runtimes.reader import Reader
from mobile_sdk.runtimes.requirement import Requirement
from mobile_sdk.runtimes.tflite import TfliteRuntime
from mobile_sdk.runtimes.tflite_legacy.environment import HOW_TO_GET, REQUIREMENTS, find_python, make_ready
from mobile_sdk.system.findings import Finding, found_or_missing

__all__ = ["TfliteLegacyRuntime", "make_ready"]


_OLD_KERNELS = Requirement(
    exact=False,
    min_sqnr_db=23.0,
    min_top1_agreement=0.94,
    golden_steps=16.0,
    # Measured: MobileNetV3-Small on 1,000 digits 31.8 dB, 99.9 %, 14 steps at most; one of half its width,
    # 28.1 dB, 98.8 %; EfficientNet-Lite0 on 48 crops of photographs, 1,000 classes, 26.2 dB, 95.8 %, 8 steps. The bound
    # is 3 dB, twice the noise, below the worst. Nets with random weights fall to 10 dB: they spread every rounding.
    why="rounds twice in each convolution, which spreads; the worst of 3 trained nets came to 26 dB and 96 %",
)


class TfliteLegacyRuntime(Reader):
    """Runs the `.tflite` files that `TfliteRuntime` writes; 2.14 gives XNNPACK no int8 operator of them."""

    name = "tflite-runtime"
    writer = TfliteRuntime

    def unavailable(self) -> str | None:
        """Returns why it cannot run here now, or None."""
        return None if find_python() else "the environment of tflite-runtime 2.14.0 has not been made yet"

    def load(self, path: Path, interface: Interface, *, threads: int) -> Session:
        """Opens `path` in a process of the other environment. Raises MachineError and BundleError."""
        from mobile_sdk.runtimes.tflite_legacy.session import LegacySession

        python = find_python()
        if python is None:
            raise MachineError(f"tflite-runtime cannot run here: {self.unavailable()}", hint=HOW_TO_GET)
        return LegacySession(python, path, interface, threads=threads)

    def versions(self) -> Mapping[str, str]:
        """Returns the packages in the other environment."""
        return dict(requirement.split("==") for requirement in REQUIREMENTS)

    def finding(self) -> Finding:
        """Finds the other environment."""
        return found_or_missing(
            self.name,
            REQUIREMENTS[0].partition("==")[2] if find_python() else None,
            missing="its own environment has not been made",
            enables="verify on the kernels of apps that still ship TensorFlow Lite's last release",
            get=HOW_TO_GET,
        )

    def requirement(self, graph: Graph) -> Requirement:
        """Requires a measured bound, as its kernels round twice."""
        return _OLD_KERNELS if graph.precision != "float32" else super().requirement(graph)
