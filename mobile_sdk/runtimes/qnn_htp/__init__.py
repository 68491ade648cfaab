"""Runs ONNX bundles in the simulator of Qualcomm's HTP, the tensor processor of Snapdragons.

The package onnxruntime-qnn, a plugin of ONNX Runtime, brings the simulator: its code generator for x86 Linux computes
what the HTP's own instructions do, some 2 s a picture at 224 px.
"""

import platform
import sys
from collections.abc import Mapping
from importlib import import_module, metadata, util
from pathlib import Path

from mobile_sdk.errors import MachineError
from mobile_sdk.packages import command
from mobile_sdk.runtimes.base import Interface, Session
from mobile_sdk.runtimes.onnx import OnnxRuntime
from mobile_sdk.runtimes.reader import Accelerator
from mobile_sdk.system.findings import Finding, find_package, found_or_missing

_PACKAGE, _MODULE = "onnxruntime-qnn", "onnxruntime_qnn"
_GET = command("htp")


class QnnHtpRuntime(Accelerator):
    """Runs the `.onnx` files that `OnnxRuntime` writes."""

    name = "qnn-htp"
    writer = OnnxRuntime
    why = "is computed by Qualcomm's HTP, whose arithmetic is its own"

    def unavailable(self) -> str | None:
        """Returns why the simulator cannot run here, or None."""
        if (sys.platform, platform.machine()) != ("linux", "x86_64"):
            return "the simulator of Qualcomm's HTP runs on x86-64 Linux alone"
        if reason := OnnxRuntime().unavailable():
            return reason
        return None if util.find_spec(_MODULE) else f"the package {_PACKAGE} is not installed"

    def load(self, path: Path, interface: Interface, *, threads: int) -> Session:
        """Compiles `path` for the HTP and opens it in the simulator."""
        if reason := self.unavailable():
            raise MachineError(f"Qualcomm's HTP cannot be simulated here: {reason}", hint=_GET)
        from mobile_sdk.runtimes.qnn_htp.session import HtpSession

        return HtpSession(path, interface, threads=threads)

    def prepare(self) -> None:
        """Imports ONNX Runtime and the plugin."""
        import_module("mobile_sdk.runtimes.qnn_htp.session")

    def versions(self) -> Mapping[str, str]:
        """Returns the packages that decide what is computed."""
        return {**OnnxRuntime().versions(), _PACKAGE: metadata.version(_PACKAGE)}

    def finding(self) -> Finding:
        """Finds the package with the simulator."""
        enables = "verify ONNX bundles in the simulator of Qualcomm's HTP (--runtime qnn-htp)"
        package = find_package(_PACKAGE, _MODULE, enables=enables, get=_GET)
        reason = self.unavailable()
        if package.status != "ok" or reason is None:
            return package
        return found_or_missing(_PACKAGE, None, missing=reason, enables=enables, get=None)
