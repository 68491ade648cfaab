"""Runs the same net in other runtimes, each by its own documented int8 flow, to compare with on this processor.

OpenVINO: NNCF's post-training quantization. ONNX Runtime: `quantize_static`, QDQ, per channel. ncnn: float32, because
its int8 tools (`ncnn2table`, `ncnn2int8`) are in no Python package.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.against.stock import quiet_flow

Run = Callable[[NDArray[np.float32]], Any]
"""It takes one picture (1, 3, H, W)."""


def openvino_int8(net: nn.Module, pictures: torch.Tensor) -> Run:
    """Returns `net` calibrated on `pictures` (N, 3, H, W); the rest is float32, not OpenVINO's default bfloat16."""
    with quiet_flow():
        import nncf
        import openvino

        model = openvino.convert_model(net, example_input=pictures[:1], input=list(pictures[:1].shape))
        model = nncf.quantize(model, nncf.Dataset([picture[None].numpy() for picture in pictures]))
        settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    return lambda picture: request.infer([picture], share_inputs=True, share_outputs=True)


def onnxruntime_int8(net: nn.Module, pictures: torch.Tensor, folder: Path) -> Run:
    """Returns `net` calibrated on `pictures` (N, 3, H, W)."""
    with quiet_flow():
        import onnxruntime
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process

        exported, prepared, quantized = (str(folder / f"{step}.onnx") for step in ("exported", "prepared", "quantized"))
        torch.onnx.export(net, (pictures[:1],), exported, input_names=["picture"], dynamo=True, verbose=False)
        quant_pre_process(exported, prepared)

        class Pictures(quantization.CalibrationDataReader):  # type: ignore[misc]
            def __init__(self) -> None:
                self._rest: Iterator[torch.Tensor] = iter(pictures)

            def get_next(self) -> dict[str, NDArray[np.float32]] | None:
                picture = next(self._rest, None)
                return None if picture is None else {"picture": picture[None].numpy()}

        unsigned = quantization.QuantType.QUInt8  # U8S8 is the faster combination on x86-64
        quantization.quantize_static(prepared, quantized, Pictures(), per_channel=True, activation_type=unsigned)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(quantized, options, providers=["CPUExecutionProvider"])
    return lambda picture: session.run(None, {"picture": picture})


def ncnn_float32(net: nn.Module, picture: torch.Tensor, folder: Path) -> Run:
    """Returns `net` converted by pnnx; `picture` (1, 3, H, W) shows the input."""
    with quiet_flow():
        import ncnn
        import pnnx

        pnnx.export(net, str(folder / "net.pt"), (picture,))
        loaded = ncnn.Net()
        loaded.opt.num_threads = 1
        loaded.load_param(str(folder / "net.ncnn.param"))
        loaded.load_model(str(folder / "net.ncnn.bin"))

    def run(picture: NDArray[np.float32]) -> Any:
        extractor = loaded.create_extractor()
        extractor.input("in0", ncnn.Mat(picture[0]))
        return extractor.extract("out0")

    return run
