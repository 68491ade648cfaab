"""Puts ai-edge-quantizer's recipe for four-bit weights and int8 activations beside ours, on MobileNetV2.

Run: python -m benchmarks.quantization.four_bits_beside_stock

The net has its ImageNet weights. Both calibrate on the same crops of photographs, without training; crops of other
photographs are judged through the exported .tflite. The stock recipe gives four bits to what its policy allows
(CONV_2D and FULLY_CONNECTED, static_wi4_ai8) and eight to everything else. It has no simulation of its own, so its
file is held against LiteRT's plain kernels (OpResolverType.BUILTIN_REF); ours is held against the reference. Latencies
are of one core of this machine, in interleaved rounds.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ai_edge_quantizer import qtyping, quantizer, recipe_manager  # type: ignore[import-not-found]
from numpy.typing import NDArray
from torch import nn

from benchmarks.against import stock
from benchmarks.core.latency import interleaved_ms
from benchmarks.core.photographs import CALIBRATED, JUDGED, crops
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from benchmarks.nets.trained_nets import float_mobilenet_v2
from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.cli.freed_memory import keep_freed_memory
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.comparison import compare
from mobile_sdk.devices.host import Host
from mobile_sdk.graph.reference import Reference
from mobile_sdk.graph.score_steps import in_steps, real_values
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.tflite.session import open_interpreter
from mobile_sdk.system.environment import installed_versions
from mobile_sdk.system.temporary_folder import scratch_folder
from qat.calibration.calibration import quantize
from qat.progress import say

CALIBRATION_CROPS, JUDGED_CROPS, COMPARED = 16, 160, 8
BATCH = 20  # pictures that the float net computes at a time
FOUR_BITS_FIT = ("CONV_2D", "FULLY_CONNECTED")
VERSIONS = ("mobile-sdk", "torch", "ai-edge-litert", "ai-edge-quantizer", "litert-torch")


Run = Callable[[], object]


def main() -> None:
    """Quantizes by both flows, and writes a row for each."""
    quiet()
    keep_freed_memory()  # as the command line does
    net, contract = float_mobilenet_v2()
    calibration, judged = crops(CALIBRATED, CALIBRATION_CROPS, seed=1), crops(JUDGED, JUDGED_CROPS, seed=2)
    tensors = judged.tensors(contract.image)
    with torch.no_grad():
        wanted = torch.cat([net(batch) for batch in torch.split(tensors, BATCH)]).numpy()
    rows, runs = [], dict[str, Run]()
    with scratch_folder() as folder:
        for bits in (8, 4):
            flow = f"ai-edge-quantizer static_wi{bits}_ai8"
            path = stock_file(net, calibration.tensors(contract.image), bits, folder)
            model = stock.load_tflite(path)
            steps = steps_from_plain_kernels(path, tensors[:COMPARED])
            rows.append(_row(flow, path, model.logits(tensors), wanted, steps))
            runs[flow] = partial(model.run, model.prepare(tensors[:1]))
        for bits in (8, 4):
            flow = f"ours, {bits} bits"
            program = quantize(net, contract, calibration, weight_bits=bits, progress=False)
            (bundle,) = lower(program, folder / f"ours-{bits}", runtimes=["tflite"])
            pixels = judged.bytes(contract.image)
            scores, steps = our_scores(bundle, program, pixels)
            rows.append(_row(flow, bundle.model_path, scores, wanted, steps))
            session = runtimes.get("tflite").load(bundle.model_path, bundle.interface, threads=1)
            runs[flow] = partial(session.run, pixels[0])
        ms = interleaved_ms(runs)
    rows = [{**row, "ms": round(ms[row["flow"]], 2)} for row in rows]
    write_result("four_bits_beside_stock", rows, installed_versions(VERSIONS), _targets(rows))


def stock_file(net: nn.Module, calibration: torch.Tensor, bits: int, folder: Path) -> Path:
    """Writes the .tflite that the stock flow makes of `net`, calibrated on float pictures (N, 3, H, W)."""
    in_float, path = folder / "float.tflite", folder / f"stock-{bits}.tflite"
    with stock.quiet_flow():
        import litert_torch  # type: ignore[import-not-found]

        litert_torch.convert(net.eval(), (calibration[:1].contiguous(),)).export(str(in_float))
        (source,) = open_interpreter(in_float, threads=1).get_signature_list()["serving_default"]["inputs"]
        flow = quantizer.Quantizer(str(in_float), recipe(bits))
        samples = [{source: picture[None].numpy()} for picture in calibration]
        flow.quantize(flow.calibrate({"serving_default": samples})).export_model(str(path), overwrite=True)
    return path


def recipe(bits: int) -> Any:
    """Returns the recipe static_wi8_ai8, with weights of `bits` for what the tool's policy gives four."""
    manager, name = recipe_manager.RecipeManager(), qtyping.TFLOperationName
    common = {"regex": ".*", "activation_num_bits": 8}
    manager.add_static_config(operation_name=name.ALL_SUPPORTED, weight_num_bits=8, **common)
    for operation in FOUR_BITS_FIT:
        manager.add_static_config(operation_name=name[operation], weight_num_bits=bits, **common)
    return manager.get_quantization_recipe()


def our_scores(bundle: Bundle, program: Program, pixels: NDArray[np.uint8]) -> tuple[NDArray[Any], int]:
    """Returns the scores of our file for pictures (N, H, W, 3), and how many steps the reference is away, at most."""
    with Host().loaded(runtimes.get("tflite"), bundle.model_path, bundle.interface) as run:
        found = run(pixels)
    expected = in_steps(Reference(program.graph).run(pixels), program.graph)
    (scores,) = real_values(found, program.graph)
    return scores, int(np.abs(in_steps(found, program.graph).astype(np.int64) - expected).max())


def steps_from_plain_kernels(path: Path, pictures: torch.Tensor) -> int:
    """Returns how many steps the file's scores with XNNPACK are apart from those of LiteRT's plain kernels, at most."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType  # type: ignore[import-untyped]

    plain = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    plain.allocate_tensors()
    (source,), (target,) = plain.get_input_details(), plain.get_output_details()
    fast, most = stock.load_tflite(path), 0
    for picture in pictures:
        values = fast.prepare(picture[None])
        plain.set_tensor(source["index"], values)
        plain.invoke()
        (found,) = fast.run(values)
        apart = _steps(found, target) - _steps(plain.get_tensor(target["index"]).ravel(), target)
        most = max(most, int(np.abs(apart).max()))
    return most


def _steps(values: NDArray[Any], target: dict[str, Any]) -> NDArray[np.int64]:
    scale, _ = target["quantization"]
    return np.rint(values / scale if values.dtype == np.float32 and scale else values).astype(np.int64)


def _row(flow: str, path: Path, scores: NDArray[Any], wanted: NDArray[Any], steps: int) -> dict[str, Any]:
    found = compare(scores, wanted)
    assert found.sqnr_db is not None, "int8 scores are never equal to float ones"
    row = {
        "flow": flow,
        "MiB": round(path.stat().st_size / 2**20, 3),
        "SQNR dB": round(found.sqnr_db, 2),
        "same winner %": round(100 * found.top1_agreement, 1),
        "steps from its simulation": steps,
    }
    say(str(row))
    return row


def _targets(rows: list[dict[str, Any]]) -> list[Target]:
    _, theirs, _, ours = rows
    work = "MobileNetV2, 4-bit weights, calibrated"
    return [
        Target.gain(f"{work}: scores", "dB SQNR", stock=theirs["SQNR dB"], ours=ours["SQNR dB"], at_least=0.0),
        Target.ratio(f"{work}: file", "MiB", stock=theirs["MiB"], ours=ours["MiB"], at_most=1.05),
        Target.ratio(f"{work}: latency", "ms", stock=theirs["ms"], ours=ours["ms"], at_most=1.05),
    ]


if __name__ == "__main__":
    main()
