"""Loads a model in ONNX Runtime, on its CPU provider."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import TensorProto, helper

from mobile_sdk.errors import BundleError
from mobile_sdk.graph.outputs import joined
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.input_array import input_array
from mobile_sdk.runtimes.onnx.writer import IR_VERSION, OPERATOR_SET

EXACT_PRODUCTS = "session.x64quantprecision"
"""With this option ONNX Runtime adds products on x86 in more than the 16 bits that end at 32,767."""
_ERRORS_ONLY = 3
_CPU = ["CPUExecutionProvider"]


class OnnxSession:
    """Runs one model."""

    def __init__(self, path: Path, interface: Interface, *, threads: int) -> None:
        self._session = self._open(path, threads=threads)
        for what, found, specs in (
            ("inputs", self._session.get_inputs(), (interface.input,)),
            ("outputs", self._session.get_outputs(), interface.outputs),
        ):
            ends = [(each.name, each.type, tuple(each.shape)) for each in found]
            expected = [(spec.name, _TYPES[spec.dtype], spec.shape) for spec in specs]
            if ends != expected:
                raise BundleError(
                    f"expected the {what} {expected} in {path.name}, found {ends}", hint="export it again"
                )
        self._spec = interface.input
        self._outputs = [spec.name for spec in interface.outputs]

    def run(self, picture: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Returns the output without its batch, or a record of several, for bytes (H, W, C)."""
        given = {self._spec.name: input_array(picture, self._spec)[np.newaxis]}
        found = self._session.run(self._outputs, given)
        first: NDArray[np.generic] = joined(dict(zip(self._outputs, found, strict=True)))[0]
        return first

    def close(self) -> None:
        """Frees the session."""
        self._session = None

    def _open(self, path: Path, *, threads: int) -> Any:
        return open_session(path, options(threads=threads))


_TYPES = {"uint8": "tensor(uint8)", "int8": "tensor(int8)", "float32": "tensor(float)", "image": "none"}


def options(*, threads: int) -> Any:
    """Returns ONNX Runtime's own options, but for threads and silence, and exact products where it has others."""
    chosen = silent_options(threads=threads)
    if products_saturate():
        chosen.add_session_config_entry(EXACT_PRODUCTS, "1")
    return chosen


def open_session(path: Path, chosen: Any) -> Any:
    """Returns ONNX Runtime's session of the file. Raises BundleError if it refuses the file."""
    return opened(path.read_bytes(), chosen, path.name, providers=_CPU)


@cache
def products_saturate() -> bool:
    """Tells whether ONNX Runtime's sums of two products end at 32,767 here, as on x86 without VNNI.

    One row of the largest codes is multiplied: nothing else says which kernel a processor gets.
    """
    count, code, weight = 64, 255, 127
    ends = [
        helper.make_tensor_value_info(name, kind, shape)
        for name, kind, shape in (
            ("codes", TensorProto.UINT8, (1, count)),
            ("weights", TensorProto.INT8, (count, 16)),
            ("sums", TensorProto.INT32, (1, 16)),
        )
    ]
    node = helper.make_node("MatMulInteger", ["codes", "weights"], ["sums"])
    graph = helper.make_graph([node], "products", ends[:2], ends[2:])
    operators = [helper.make_opsetid("", OPERATOR_SET)]
    model = helper.make_model(graph, ir_version=IR_VERSION, opset_imports=operators)
    session = opened(model.SerializeToString(), silent_options(threads=1), "a product", providers=_CPU)
    codes, weights = np.full((1, count), code, np.uint8), np.full((count, 16), weight, np.int8)
    (sums,) = session.run(None, {"codes": codes, "weights": weights})
    return bool((sums != count * code * weight).any())


def silent_options(*, threads: int) -> Any:
    """Returns options for so many threads that tell of errors alone."""
    chosen = onnxruntime.SessionOptions()
    chosen.inter_op_num_threads, chosen.intra_op_num_threads = 1, threads
    chosen.log_severity_level = _ERRORS_ONLY
    return chosen


def opened(data: bytes, chosen: Any, name: str, **providers: Any) -> Any:
    """Returns a session of a file's bytes, whose `providers` may be in the options. Raises BundleError."""
    try:
        return onnxruntime.InferenceSession(data, chosen, **providers)
    except Exception as error:  # its bindings raise classes of their own
        reason = str(error).splitlines()[0]
        raise BundleError(f"ONNX Runtime refuses {name}: {reason}", hint="export it again") from error
