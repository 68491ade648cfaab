"""Segmenters as programs and bundles: captured, saved, and computed alike in every runtime, to the last pixel."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.bundle.manifest_file import BundleRefusalError
from mobile_sdk.devices import EmulatedCore
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import Conv2d, ResizeBilinear
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from mobile_sdk.tasks.segmentation import masks_of, mean_iou
from mobile_sdk.verification.verification import verify
from qat.freezing.freezing import float_twin
from tests.support.bundles import forge
from tests.support.nets import segmenters
from tests.support.written_here import WRITTEN_HERE

SEGMENTERS: dict[str, tuple[str, dict[str, Any]]] = {
    "DeepLabv3 on V1, stride 8": ("mobilenet_v1", {"head": "aspp", "output_stride": 8}),
    "DeepLabv3 on V2, stride 16": ("mobilenet_v2", {"head": "aspp"}),
    "R-ASPP on V2, stride 8": ("mobilenet_v2", {"head": "r-aspp", "output_stride": 8}),
    "LR-ASPP on V3-Large, stride 32": ("mobilenet_v3_large", {"output_stride": 32}),
    "LR-ASPP on V3-Small, stride 16": ("mobilenet_v3_small", {}),
}


@pytest.mark.parametrize("title", SEGMENTERS)
def test_every_pixels_scores_are_the_references_in_every_runtime(title: str, tmp_path: Path) -> None:
    name, settings = SEGMENTERS[title]
    program = segmenters.program(name, **settings)
    pixels = segmenters.pictures(2).bytes(program.contract.image)
    expected = Reference(program.graph).run(pixels)
    grid = program.graph.output.quantization
    assert grid is not None and expected.shape == (2, 64, 64, 3) and len(np.unique(expected)) > 40
    for runtime in map(runtimes.get, WRITTEN_HERE):
        model = tmp_path / runtime.model_file
        interface = runtime.export(program.graph, program.contract, model)
        structure = runtime.structure(model)
        assert structure.partitions == 1 and structure.not_delegated == ()
        assert interface.output.shape == (1, 64, 64, 3)
        session = runtime.load(model, interface, threads=1)
        found = np.stack([session.run(picture) for picture in pixels])
        session.close()
        codes = found if found.dtype == np.int8 else np.rint(found / np.float32(grid.scale)) + grid.zero_point
        np.testing.assert_array_equal(codes, expected, err_msg=runtime.name)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["tflite", "executorch"])
@pytest.mark.parametrize("title", ["DeepLabv3 on V2, stride 16", "LR-ASPP on V3-Small, stride 16"])
def test_scores_on_arm_are_the_references(title: str, runtime: str, cortex_a76: EmulatedCore, tmp_path: Path) -> None:
    name, settings = SEGMENTERS[title]
    program, chosen = segmenters.program(name, **settings), runtimes.get(runtime)
    model = tmp_path / chosen.model_file
    pixels = segmenters.pictures(2).bytes(program.contract.image)
    interface = chosen.export(program.graph, program.contract, model)
    with cortex_a76.loaded(chosen, model, interface) as run:
        found = run(pixels)
    expected = Reference(program.graph).run(pixels)
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)


def test_the_twin_computes_what_the_float_net_does_and_int8_is_near_it(tmp_path: Path) -> None:
    asked, net, pictures = segmenters.contract(), segmenters.segmenter(), segmenters.pictures()
    twin, pixels = float_twin(net, asked), pictures.bytes(asked.image)
    with torch.no_grad():
        wanted = net.eval()(pictures.pictures.tensors(asked.image)).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(FloatReference(twin.graph).run(pixels), wanted, atol=2e-3)
    program = segmenters.program()
    grid = program.graph.output.quantization
    assert grid is not None
    noise = (Reference(program.graph).run(pixels).astype(np.float64) - grid.zero_point) * grid.scale - wanted
    assert np.square(noise).mean() < 0.1 * np.square(wanted).mean()
    for name in WRITTEN_HERE:
        runtime = runtimes.get(name)
        model = tmp_path / runtime.model_file
        session = runtime.load(model, runtime.export(twin.graph, asked, model), threads=1)
        np.testing.assert_allclose(session.run(pixels[0]), wanted[0], atol=5e-3)
        session.close()


def test_a_segmenters_program_survives_saving_and_runs_in_plain_pytorch(tmp_path: Path) -> None:
    for program in (segmenters.program(), float_twin(segmenters.segmenter(), segmenters.contract())):
        program.save(tmp_path / "program.pt2")
        assert Program.load(tmp_path / "program.pt2").graph.digest() == program.graph.digest()
        assert isinstance(program.graph.operators[-1], ResizeBilinear)
        exported = torch.export.load(tmp_path / "program.pt2").module()
        assert exported(torch.zeros(1, 3, 64, 64, dtype=torch.int8)).shape == (1, 3, 64, 64)


def test_layers_of_a_segmenter_may_stay_in_float() -> None:
    from qat.calibration.calibration import quantize

    program = quantize(
        segmenters.segmenter(),
        segmenters.contract(),
        segmenters.pictures().pictures,
        segmenters.EXTREMES,
        keep_float=["head.classifier"],
    )
    assert program.graph.precision == "mixed"
    outputs = Reference(program.graph).run(segmenters.pictures(2).bytes(program.contract.image))
    assert outputs.shape == (2, 64, 64, 3)


def test_a_segmenters_bundle_is_verified_exact_with_the_references_overlap(tmp_path: Path) -> None:
    program, pictures = _recorded(), segmenters.pictures()
    for bundle in lower(program, tmp_path, pictures=pictures):
        verdict = verify(bundle, program, pictures, min_accuracy=0.0)
        failed = [check.found for check in verdict.checks if check.outcome == "fail"]
        assert verdict.status == "pass" and not failed
        outcomes = {check.name: check.outcome for check in verdict.checks}
        assert outcomes["steps apart"] == outcomes["mIoU"] == outcomes["recorded mIoU"] == "pass"
        assert verdict.quality == verdict.reference_quality is not None


def test_the_model_of_swapped_labels_is_found(tmp_path: Path) -> None:
    """A classifier whose first two labels changed places gives masks that are as likely, and other."""
    program, pictures = _recorded(), segmenters.pictures()
    graph = program.graph
    swapped = [
        replace(each, **{name: getattr(each, name)[[1, 0, 2]] for name in ("weight", "bias", "weight_scales")})
        if isinstance(each, Conv2d) and each.path.endswith("classifier")
        else each
        for each in graph.operators
    ]
    assert sum(one is not other for one, other in zip(swapped, graph.operators, strict=True)) == 2
    other = replace(program, graph=replace(graph, operators=tuple(swapped)))
    bundle = lower(other, tmp_path, runtimes=["tflite"], pictures=pictures)[0]
    verdict = verify(bundle, program, pictures)
    outcomes = {check.name: check.outcome for check in verdict.checks}
    assert verdict.status == "fail"
    assert outcomes["steps apart"] == outcomes["golden"] == outcomes["model file"] == "fail"


def test_golden_masks_are_what_the_golden_output_says(tmp_path: Path) -> None:
    program = segmenters.program()
    for bundle in lower(program, tmp_path, pictures=segmenters.pictures()):
        for index in range(3):
            output = bundle.golden_output(index).reshape(64, 64, 3)
            written = np.frombuffer((bundle.path / f"golden/{index}.mask.bin").read_bytes(), np.uint8)
            np.testing.assert_array_equal(written.reshape(64, 64), masks_of(output))
            expected = np.bincount(written, minlength=3).argmax()
            assert bundle.manifest.golden.pictures[index].top1_index == expected


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda mask: bytes([(mask[0] + 1) % 3]) + mask[1:], r"0\.output\.bin gives"),
        (lambda mask: mask[64:] + mask[:64], r"0\.output\.bin gives"),  # rows that begin at another one
        (lambda mask: mask[:-64], "bytes of golden/0.mask.bin"),
    ],
    ids=["another label", "rows moved", "a row too few"],
)
def test_other_golden_masks_are_refused(damage: Any, said: str, tmp_path: Path) -> None:
    bundle = lower(segmenters.program(), tmp_path, runtimes=["tflite"], pictures=segmenters.pictures())[0]
    mask = (bundle.path / "golden/0.mask.bin").read_bytes()
    assert damage(mask) != mask
    forge(bundle.path, lambda manifest: None, **{"golden/0__mask__bin": damage(mask)})
    with pytest.raises(BundleRefusalError, match=said) as refused:
        open_bundle(bundle.path)
    assert refused.value.check == "golden"


@pytest.mark.parametrize("shape", [[1, 3], [1, 3, 64, 64], [1, 32, 32, 3]])
def test_a_manifest_whose_output_is_no_map_is_refused(shape: list[int], tmp_path: Path) -> None:
    bundle = lower(segmenters.program(), tmp_path, runtimes=["tflite"])[0]
    forge(bundle.path, lambda manifest: manifest["outputs"][0].update(shape=shape))
    with pytest.raises(BundleRefusalError, match="one score a pixel and label") as refused:
        open_bundle(bundle.path)
    assert refused.value.check == "interface"


def _recorded() -> Program:
    """The program with the overlap that its reference really has on the pictures."""
    program, pictures = segmenters.program(), segmenters.pictures()
    image = program.contract.image
    masks = masks_of(Reference(program.graph).run(pictures.bytes(image)))
    quality = mean_iou(masks, pictures.masks_in(image), 3)
    return replace(program, record=Record(net="lr-aspp", quantized="calibrated", reference_quality=quality))
