"""Loads a model in ONNX Runtime with Qualcomm's plugin, which compiles it for the HTP and simulates that."""

from functools import cache
from pathlib import Path
from typing import Any

import onnxruntime  # type: ignore[import-untyped]
import onnxruntime_qnn

from mobile_sdk.runtimes.onnx.session import OnnxSession, opened, silent_options
from mobile_sdk.runtimes.reader import Taken

_PLUGIN = "QNN"
_TELL = "session.record_ep_graph_assignment_info"
_CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")  # are a part of the operators around them


class HtpSession(OnnxSession):
    """Runs one model; what the HTP does not take, ONNX Runtime computes."""

    @property
    def taken(self) -> Taken:
        """Returns what the HTP takes of the model."""
        parts = [
            (part.ep_name, node.op_type)
            for part in self._session.get_provider_graph_assignment_info()
            for node in part.get_nodes()
            if node.op_type not in _CONVERSIONS
        ]
        left = tuple(operator for place, operator in parts if place != _PLUGIN)
        return Taken(by="the HTP", operators=len(parts), left=left)

    def _open(self, path: Path, *, threads: int) -> Any:
        chosen = silent_options(threads=threads)
        chosen.add_session_config_entry(_TELL, "1")
        chosen.add_provider_for_devices(_devices(), {"backend_path": onnxruntime_qnn.get_qnn_htp_path()})
        return opened(path.read_bytes(), chosen, path.name)


@cache
def _devices() -> list[Any]:
    """Returns the plugin's devices; it is registered once in a process."""
    onnxruntime.register_execution_provider_library(_PLUGIN, onnxruntime_qnn.get_library_path())
    return [each for each in onnxruntime.get_ep_devices() if each.ep_name == _PLUGIN]
