"""Runs the stock flows as their documentation shows: PT2E with XNNPACKQuantizer to ExecuTorch, and the converters.

Sources: ExecuTorch, "XNNPACK Backend: Quantization" and "Model Export"; torchao, "PyTorch 2 Export Quantization-Aware
Training"; litert-torch, `docs/pytorch_converter/README.md`; coremltools, "Converting from PyTorch". Nets take float32
(N, 3, H, W), as they were trained.
"""

import copy
import io
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torchao.quantization.pt2e import allow_exported_model_train_eval, disable_observer
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e, prepare_qat_pt2e

from mobile_sdk.runtimes.quiet import silenced_stderr

Scores = NDArray[np.float32]


def quantize_pt2e(net: nn.Module, batches: Iterable[torch.Tensor]) -> nn.Module:
    """Returns `net` in int8 by XNNPACKQuantizer, calibrated on `batches` (N, 3, H, W), for `lower_to_pte`."""
    with quiet_flow():
        return convert_pt2e(_calibrated(net, batches, _xnnpack_quantizer()))


def quantize_for_litert(net: nn.Module, batches: Iterable[torch.Tensor]) -> nn.Module:
    """Returns `net` in int8 by litert-torch's quantizer, calibrated on `batches` (N, 3, H, W)."""
    with quiet_flow():
        return convert_pt2e(_calibrated(net, batches, _litert_quantizer()), fold_quantize=False)


def prepare_qat(net: nn.Module, batch: torch.Tensor) -> nn.Module:
    """Returns a copy of `net` with XNNPACKQuantizer's fake quantizers, to be trained on batches like `batch`.

    `batch` is (N ≥ 2, 3, H, W). The copy's `train()` and `eval()` switch dropout and batch norm, as those of `net` do.
    Observers move in both modes until `freeze_qat`.
    """
    batch_sizes = ({0: torch.export.Dim("batch")},)
    with quiet_flow():
        captured = torch.export.export(copy.deepcopy(net).train(), (batch,), dynamic_shapes=batch_sizes).module()
        prepared = prepare_qat_pt2e(captured, _xnnpack_quantizer(is_qat=True))
    allow_exported_model_train_eval(prepared)
    prepared.train()  # it returns None on an exported net
    return prepared


def freeze_qat(prepared: nn.Module) -> None:
    """Ends the observers' updates, as torchao's tutorial does after the first epochs."""
    prepared.apply(disable_observer)


def convert_qat(prepared: nn.Module) -> nn.Module:
    """Returns the converted int8 copy of a trained net of `prepare_qat`; `prepared` can be trained further."""
    prepared = copy.deepcopy(prepared)
    prepared.eval()
    with quiet_flow():
        return convert_pt2e(prepared)


def lower_to_pte(net: nn.Module, picture: torch.Tensor, path: Path) -> Path:
    """Writes `net`, converted or float32, for XNNPACK; `picture` (1, 3, H, W) shows the input."""
    with quiet_flow():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        exported = torch.export.export(net, (picture,))
        edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
        path.write_bytes(edge.to_executorch().buffer)
    return path


def lower_to_tflite(net: nn.Module, picture: torch.Tensor, path: Path) -> Path:
    """Writes the result of `quantize_for_litert` as a `.tflite`; `picture` (1, 3, H, W) shows the input."""
    with quiet_flow():
        import litert_torch
        from litert_torch.quantize.quant_config import QuantConfig

        config = QuantConfig(pt2e_quantizer=_litert_quantizer())
        litert_torch.convert(net, (picture,), quant_config=config).export(str(path))
    return path


def to_coreml(net: nn.Module, picture: torch.Tensor, path: Path) -> Path:
    """Writes `net` in float: coremltools runs the model to quantize its activations, which takes a Mac."""
    with quiet_flow():
        import coremltools

        traced = torch.jit.trace(net.eval(), picture)
        inputs = [coremltools.TensorType(name="picture", shape=picture.shape)]
        target = coremltools.target.iOS17
        coremltools.convert(traced, inputs=inputs, minimum_deployment_target=target).save(str(path))
    return path


@dataclass(frozen=True, kw_only=True)
class Model:
    """Holds a loaded file: `run(prepare(picture))` returns its outputs, raw and flat; latency covers only `run`."""

    prepare: Callable[[torch.Tensor], Any]
    run: Callable[[Any], list[NDArray[Any]]]
    to_floats: Callable[[list[NDArray[Any]]], list[Scores]]

    def logits(self, pictures: torch.Tensor) -> Scores:
        """Returns the only output, (N, classes), for pictures (N, 3, H, W)."""
        (scores,) = self.outputs(pictures)
        return scores

    def outputs(self, pictures: torch.Tensor) -> list[Scores]:
        """Returns each output, (N, elements), for pictures (N, C, H, W); maps have the channels where the file has."""
        rows = [self.to_floats(self.run(self.prepare(picture[None]))) for picture in pictures]
        return [np.stack(column) for column in zip(*rows, strict=True)]


def load_pte(path: Path, *, threads: int = 1) -> Model:
    """Loads the file in ExecuTorch's Python runtime, whose pool all loaded programs share."""
    with quiet_flow():
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime

        portable_lib._unsafe_reset_threadpool(threads)  # it takes all cores by default
        program = Runtime.get().load_program(path)
        method = program.load_method("forward")

    def run(picture: torch.Tensor) -> list[Scores]:
        assert program is not None  # the method needs it alive
        return [output.numpy().copy().ravel() for output in method.execute([picture])]

    return Model(prepare=lambda picture: picture.contiguous(), run=run, to_floats=lambda outputs: outputs)


def load_tflite(path: Path, *, threads: int = 1) -> Model:
    """Loads the file in LiteRT, with its XNNPACK delegate as by default.

    Int8 inputs and outputs are on their own grids.
    """
    from mobile_sdk.runtimes.tflite.session import open_interpreter

    interpreter = open_interpreter(path, threads=threads)
    source, targets = interpreter.get_input_details()[0], interpreter.get_output_details()

    def prepare(picture: torch.Tensor) -> NDArray[Any]:
        scale, zero_point = source["quantization"]
        values = picture.numpy()
        if source["dtype"] is np.int8:
            values = np.rint(values / np.float32(scale) + zero_point).clip(-128, 127)
        return np.ascontiguousarray(values, source["dtype"])

    def run(values: NDArray[Any]) -> list[NDArray[Any]]:
        interpreter.set_tensor(source["index"], values)
        interpreter.invoke()
        return [interpreter.get_tensor(target["index"]).ravel() for target in targets]

    def to_floats(outputs: list[NDArray[Any]]) -> list[Scores]:
        return [_on_grid(values, target) for values, target in zip(outputs, targets, strict=True)]

    return Model(prepare=prepare, run=run, to_floats=to_floats)


@contextmanager
def quiet_flow() -> Iterator[None]:
    """Hides the output of torch and the flows on both streams, which says nothing about the result."""
    with warnings.catch_warnings(), silenced_stderr(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _on_grid(values: NDArray[Any], target: dict[str, Any]) -> Scores:
    scale, zero_point = target["quantization"]
    if target["dtype"] is np.int8:
        return (values.astype(np.float32) - zero_point) * np.float32(scale)
    floats: Scores = values
    return floats


def _xnnpack_quantizer(*, is_qat: bool = False) -> Any:
    from executorch.backends.xnnpack.quantizer import xnnpack_quantizer

    settings = xnnpack_quantizer.get_symmetric_quantization_config(is_per_channel=True, is_qat=is_qat)
    return xnnpack_quantizer.XNNPACKQuantizer().set_global(settings)


def _litert_quantizer() -> Any:
    from litert_torch.quantize import pt2e_quantizer

    settings = pt2e_quantizer.get_symmetric_quantization_config(is_per_channel=True, is_dynamic=False)
    return pt2e_quantizer.PT2EQuantizer().set_global(settings)


def _calibrated(net: nn.Module, batches: Iterable[torch.Tensor], quantizer: Any) -> nn.Module:
    """Returns `net` with observers that have seen every picture; captured for one picture, as phones run it."""
    pictures = torch.cat(list(batches)).contiguous()
    prepared = prepare_pt2e(torch.export.export(net.eval(), (pictures[:1],)).module(), quantizer)
    with torch.no_grad():
        for picture in pictures:
            prepared(picture[None])
    return prepared
