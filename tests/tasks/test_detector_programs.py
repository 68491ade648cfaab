"""Detectors as programs and bundles: captured, saved, and computed alike in every runtime, decoded boxes included."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.bundle.manifest_file import BundleRefusalError
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import DecodeBoxes
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from mobile_sdk.tasks.detection import Detection, golden_detections
from mobile_sdk.verification.verification import verify
from qat.freezing.freezing import float_twin
from tests.support.bundles import forge
from tests.support.nets import detectors


def test_a_regular_ssd_is_exact_too(tmp_path: Path) -> None:
    program = detectors.program("mobilenet_v2", is_lite=False)
    pixels = detectors.pictures(3).bytes(program.contract.image)
    runtime = runtimes.get("tflite")
    session = runtime.load(tmp_path / "model.tflite", _exported(program, tmp_path), threads=1)
    np.testing.assert_array_equal(
        np.stack([session.run(picture) for picture in pixels]), Reference(program.graph).run(pixels)
    )


def test_the_twin_computes_what_the_float_net_does_and_int8_is_near_it() -> None:
    asked, net, pictures = detectors.contract(), detectors.detector(), detectors.pictures()
    twin, pixels = float_twin(net, asked), pictures.bytes(asked.image)
    wanted = detectors.values(net, pictures, asked.image)
    np.testing.assert_allclose(FloatReference(twin.graph).run(pixels), wanted, atol=2e-3)
    noise = Reference(detectors.program().graph).run(pixels).astype(np.float64) - wanted
    assert np.square(noise[..., 4:]).mean() < 0.2 * np.square(wanted[..., 4:]).mean()
    assert np.abs(noise[..., :4]).mean() < 1.5  # pixels


def test_a_detectors_graph_is_int8_up_to_its_boxes() -> None:
    graph = detectors.program().graph
    assert graph.is_int8 and isinstance(graph.operators[-1], DecodeBoxes) and graph.output.quantization is None
    assert float_twin(detectors.detector(), detectors.contract()).graph.precision == "float32"


def test_a_detectors_program_survives_saving_and_runs_in_plain_pytorch(tmp_path: Path) -> None:
    asked = detectors.contract()
    for program in (detectors.program(), float_twin(detectors.detector(), asked)):
        program.save(tmp_path / "program.pt2")
        assert Program.load(tmp_path / "program.pt2").graph.digest() == program.graph.digest()
        exported = torch.export.load(tmp_path / "program.pt2").module()
        codes = torch.zeros(1, 3, 64, 64, dtype=torch.int8)
        assert exported(codes).shape == (1, *program.graph.output.shape)


def test_layers_of_a_detector_may_stay_in_float() -> None:
    from qat.calibration.calibration import quantize

    program = quantize(
        detectors.detector(),
        detectors.contract(),
        detectors.pictures().pictures,
        detectors.EXTREMES,
        keep_float=["scores.0.1"],
    )
    assert program.graph.precision == "mixed"
    outputs = Reference(program.graph).run(detectors.pictures(2).bytes(program.contract.image))
    assert outputs.shape == (2, *program.graph.output.shape)


def test_a_detectors_bundle_is_verified_exact_with_the_references_precision(tmp_path: Path) -> None:
    program, pictures = _recorded(), detectors.pictures()
    bundle = lower(program, tmp_path, runtimes=["tflite"], pictures=pictures)[0]
    verdict = verify(bundle, program, pictures, min_accuracy=0.0)
    assert verdict.status == "pass", [check.found for check in verdict.checks]
    outcomes = {check.name: check.outcome for check in verdict.checks}
    assert outcomes["steps apart"] == outcomes["precision"] == outcomes["recorded precision"] == "pass"
    assert verdict.quality == verdict.reference_quality is not None


def test_golden_detections_are_what_suppression_makes_of_the_golden_output(tmp_path: Path) -> None:
    program = detectors.program()
    bundle = lower(program, tmp_path, runtimes=["tflite"], pictures=detectors.pictures())[0]
    written = json.loads((bundle.path / "golden/0.detections.json").read_text(encoding="utf-8"))
    expected = golden_detections(bundle.golden_output(0), program.contract)
    assert written == expected.model_dump(mode="json") and expected.detections


def test_other_golden_detections_are_refused(tmp_path: Path) -> None:
    bundle = lower(detectors.program(), tmp_path, runtimes=["tflite"], pictures=detectors.pictures())[0]
    name = "golden/0.detections.json"
    content = json.loads((bundle.path / name).read_text(encoding="utf-8"))
    content["detections"][0]["box_px"][0] += 0.5
    forge(bundle.path, lambda manifest: None, **{name.replace(".", "__"): json.dumps(content).encode()})
    with pytest.raises(BundleRefusalError, match=r"0\.output\.bin gives") as refused:
        open_bundle(bundle.path)
    assert refused.value.check == "golden"


@pytest.mark.parametrize("shape", [[1, 3], [1, 66, 3]])
def test_a_manifest_whose_output_does_not_fit_its_task_is_refused(shape: list[int], tmp_path: Path) -> None:
    bundle = lower(detectors.program(), tmp_path, runtimes=["tflite"])[0]
    forge(bundle.path, lambda manifest: manifest["outputs"][0].update(shape=shape))
    with pytest.raises(BundleRefusalError, match="expected an output") as refused:
        open_bundle(bundle.path)
    assert refused.value.check == "interface"


def _exported(program: Program, folder: Path) -> runtimes.base.Interface:
    return runtimes.get("tflite").export(program.graph, program.contract, folder / "model.tflite")


def _recorded() -> Program:
    """The program with the precision that its reference really has on the pictures."""
    program, pictures = detectors.program(), detectors.pictures()
    image = program.contract.image
    outputs = Reference(program.graph).run(pictures.bytes(image))
    quality = Detection().quality(outputs, pictures.truths_in(image), program.contract)
    return replace(program, record=Record(net="ssd", quantized="calibrated", reference_quality=quality))
