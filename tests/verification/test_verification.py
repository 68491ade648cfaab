"""Verification finds what sabotage leaves behind, and never calls green what did not run."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.bundle.manifest_file import BundleRefusalError
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.errors import BundleError, DataError, MachineError, SettingError
from mobile_sdk.graph.operators import Conv2d
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.tflite import TfliteRuntime
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.verification.verdict import Check, Verdict, read_verdicts, status_of, write_verdicts
from mobile_sdk.verification.verification import verify
from tests.support import bundles
from tests.support.written_here import WRITTEN_HERE


def verdict_of(folder: Path, program: Program | None = None, **options: Any) -> Verdict:
    return verify(open_bundle(folder), program or bundles.program(), bundles.pictures(), **options)


def failed(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if check.outcome == "fail"}


def outcome(verdict: Verdict, name: str) -> str:
    return next(check.outcome for check in verdict.checks if check.name == name)


# What is right passes


@pytest.mark.parametrize("runtime", [name for name in WRITTEN_HERE if name != "coreml"])
def test_every_element_of_an_integer_bundle_is_the_reference_s(runtime: str, tmp_path: Path) -> None:
    verdict = verify(bundles.lowered(tmp_path, runtime), bundles.program(), bundles.pictures(), min_accuracy=0.3)
    assert verdict.comparison is not None
    assert (verdict.comparison.differing, verdict.comparison.elements) == (0, 400)
    assert failed(verdict) == set()
    assert {check.outcome for check in verdict.checks if check.name != "apple's delegates"} == {"pass"}
    assert verdict.status == "pass"
    assert verdict.quality == verdict.reference_quality


@pytest.mark.skipif(sys.platform == "darwin", reason="on a Mac Apple's own runtime computes")
def test_core_ml_s_package_is_interpreted_exactly_and_apple_s_runtime_is_said_not_to_have_run(tmp_path: Path) -> None:
    verdict = verify(bundles.lowered(tmp_path, "coreml"), bundles.program(), bundles.pictures())
    assert verdict.comparison is not None
    assert (verdict.comparison.differing, verdict.comparison.elements) == (0, 400)
    assert verdict.status == "pass"
    assert outcome(verdict, "steps apart") == "pass"
    assert outcome(verdict, "apple's own runtime") == "not_run"


@pytest.mark.skipif(sys.platform == "darwin", reason="on a Mac delegates compute")
@pytest.mark.skipif("coreai" not in WRITTEN_HERE, reason="Core AI has no package for this system")
def test_apple_s_delegates_are_said_not_to_have_run_where_apple_s_interpreter_computes(tmp_path: Path) -> None:
    verdict = verify(bundles.lowered(tmp_path, "coreai"), bundles.program(), bundles.pictures())
    assert (verdict.status, outcome(verdict, "apple's delegates")) == ("pass", "not_run")


@pytest.mark.parametrize("runtime", WRITTEN_HERE)
def test_a_float_twin_is_near_pytorch(runtime: str, tmp_path: Path) -> None:
    program = bundles.program(int8=False)
    verdict = verify(bundles.lowered(tmp_path, runtime, int8=False), program, bundles.pictures())
    assert verdict.comparison is not None
    assert verdict.comparison.reaches_db(100.0)
    assert failed(verdict) <= {"recorded accuracy"}  # the record is the int8 net's


def test_a_verdict_is_json_and_comes_back_equal(pristine: Bundle, tmp_path: Path) -> None:
    verdict = verdict_of(pristine.path)
    write_verdicts([verdict], tmp_path / "verify.json")
    assert read_verdicts(tmp_path / "verify.json") == (verdict,)
    with pytest.raises(BundleError):
        read_verdicts(tmp_path / "nothing.json")


def test_the_golden_predictions_are_real_scores_of_both(pristine: Bundle) -> None:
    verdict, program = verdict_of(pristine.path), bundles.program()
    grid = program.graph.output.quantization
    assert grid is not None
    for index, golden in enumerate(verdict.golden):
        codes = Reference(program.graph).run(pristine.golden_picture(index)[np.newaxis])[0]
        assert golden.found_scores == tuple(float(code - grid.zero_point) * grid.scale for code in codes.astype(int))
        assert golden.found_top1_index == int(codes.argmax())


# Sabotage


def test_a_flipped_weight_byte_is_refused_or_found(folder: Path) -> None:
    model = bytearray((folder / "model.tflite").read_bytes())
    convolution = next(each for each in bundles.program().graph.operators if isinstance(each, Conv2d))
    model[bundles.weights_position(bytes(model), convolution)] ^= 0x40
    before = (folder / "model.tflite").read_bytes()
    (folder / "model.tflite").write_bytes(model)
    with pytest.raises(BundleRefusalError) as caught:
        open_bundle(folder)
    assert caught.value.check == "hash"
    (folder / "model.tflite").write_bytes(before)
    bundles.forge(folder, bundles.nothing, model__tflite=bytes(model))
    assert {"model file", "steps apart"} <= failed(verdict_of(folder))


def test_the_least_bit_of_any_weight_is_found_even_where_no_score_shows_it(folder: Path) -> None:
    model = bytearray((folder / "model.tflite").read_bytes())
    last = [each for each in bundles.program().graph.operators if isinstance(each, Conv2d)][-1]
    model[bundles.weights_position(bytes(model), last) + 7] ^= 1
    bundles.forge(folder, bundles.nothing, model__tflite=bytes(model))
    assert "model file" in failed(verdict_of(folder))


def test_swapped_labels_are_found_though_manifest_and_file_agree(folder: Path) -> None:
    labels = list(bundles.program().contract.labels)
    labels[2], labels[5] = labels[5], labels[2]
    data = "".join(f"{label}\n" for label in labels).encode()
    bundles.forge(folder, lambda content: content.update(labels=labels), labels__txt=data)
    verdict = verdict_of(folder)
    assert failed(verdict) == {"labels"}
    assert verdict.status == "fail"


def test_a_changed_scale_is_found_though_the_seal_is_right(folder: Path) -> None:
    bundles.forge(folder, lambda content: content["outputs"][0].update(scale=0.5))
    assert "output scale" in failed(verdict_of(folder))


def test_a_changed_zero_point_is_found_though_the_seal_is_right(folder: Path) -> None:
    bundles.forge(folder, lambda content: content["outputs"][0].update(zero_point=100))
    assert "output scale" in failed(verdict_of(folder))


@pytest.mark.parametrize("runtime", ["tflite", "executorch"])
@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.99])
def test_a_truncated_model_fails_by_name_though_its_hash_is_right(tmp_path: Path, runtime: str, kept: float) -> None:
    folder = bundles.lowered(tmp_path, runtime).path
    name = runtimes.get(runtime).model_file
    model = (folder / name).read_bytes()
    data = model[: int(kept * len(model)) if kept < 1 else int(kept)]
    bundles.forge(folder, bundles.nothing, **{name.replace(".", "__"): data})
    verdict = verdict_of(folder)
    assert "structure" in failed(verdict) or "model file" in failed(verdict)
    assert verdict.status == "fail"


def test_golden_outputs_that_the_program_does_not_give_are_found(folder: Path) -> None:
    output = bytearray((folder / "golden/0.output.bin").read_bytes())
    weakest = int(np.frombuffer(bytes(output), np.int8).argmin())
    output[weakest] = (output[weakest] + 1) % 256
    bundles.forge(folder, bundles.nothing, **{"golden/0__output__bin": bytes(output)})
    assert failed(verdict_of(folder)) == {"golden"}


def test_a_manifest_that_flatters_the_structure_is_found(folder: Path) -> None:
    bundles.forge(folder, lambda content: content["structure"].update(float_convolutions=3))
    assert failed(verdict_of(folder)) == {"structure"}


def test_a_bundle_of_another_program_is_found(pristine: Bundle) -> None:
    record = bundles.program().record.model_copy(update={"net": "another"})
    verdict = verdict_of(pristine.path, replace(bundles.program(), record=record))
    assert failed(verdict) == {"program"}


def test_a_bundle_of_other_pictures_is_not_compared_and_fails(pristine: Bundle) -> None:
    program = bundles.program()
    image = program.contract.image.model_copy(update={"crop_share": 0.5})
    verdict = verdict_of(
        pristine.path, replace(program, contract=program.contract.model_copy(update={"inputs": (image,)}))
    )
    assert {"program", "contract"} <= failed(verdict)
    assert outcome(verdict, "steps apart") == "not_run"
    assert verdict.status == "fail"


def test_a_bundle_damaged_since_it_was_opened_is_refused(folder: Path) -> None:
    bundle = open_bundle(folder)
    (folder / "labels.txt").write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(BundleRefusalError):
        verify(bundle, bundles.program(), bundles.pictures())


# Bounds and accuracies


def test_an_accuracy_below_the_minimum_fails(pristine: Bundle) -> None:
    assert failed(verdict_of(pristine.path, min_accuracy=0.999)) == {"accuracy"}


def test_a_record_that_the_reference_cannot_repeat_fails(tmp_path: Path) -> None:
    program = bundles.program()
    record = program.record.model_copy(
        update={"reference_quality": Quality(measure="top-1 accuracy", value=1.0, images=1000)}
    )
    boastful = replace(program, record=record)
    from mobile_sdk.bundle.lowering import lower

    bundle = lower(boastful, tmp_path, runtimes=["tflite"])[0]
    assert failed(verify(bundle, boastful, bundles.pictures())) == {"recorded accuracy"}


@pytest.mark.parametrize("minimum", [-0.1, 90])
def test_a_minimum_that_is_no_share_is_a_setting_error(pristine: Bundle, minimum: float) -> None:
    with pytest.raises(SettingError):
        verdict_of(pristine.path, min_accuracy=minimum)


def test_no_pictures_are_no_verdict(pristine: Bundle) -> None:
    with pytest.raises(DataError):
        verify(pristine, bundles.program(), [])


# What does not run is never green


def test_a_runtime_that_is_missing_leaves_the_verdict_open(pristine: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TfliteRuntime, "unavailable", lambda _: "the package is not installed")
    verdict = verdict_of(pristine.path)
    assert verdict.status == "not_run"
    assert outcome(verdict, "steps apart") == "not_run"
    assert verdict.comparison is None


def test_a_machine_that_fails_on_loading_leaves_the_verdict_open(
    pristine: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise MachineError("no memory is left", hint="close something")

    monkeypatch.setattr(MODELS, "loaded", refuse)
    assert verdict_of(pristine.path).status == "not_run"


def test_only_the_model_file_and_numbers_make_a_pass() -> None:
    model = Check.judged("model file", True, measured="equal", required="equal")
    passed = Check.judged("program", True, measured="a", required="a")
    compared = Check.judged("steps apart", True, measured=0.0, required="0 steps")
    skipped = Check.skipped("steps apart", required="0 steps", reason="no machine")
    assert status_of([passed]) == "not_run"
    assert status_of([passed, skipped]) == "not_run"
    assert status_of([passed, compared]) == "not_run"
    assert status_of([model, skipped]) == "not_run"
    assert status_of([Check.skipped("model file", required="equal", reason="no package"), compared]) == "not_run"
    assert status_of([passed, model, compared]) == "pass"
    assert status_of([model, compared, Check.judged("labels", False, measured="a", required="b")]) == "fail"


def test_a_runtime_that_reads_other_files_is_a_setting_error(pristine: Bundle) -> None:
    with pytest.raises(SettingError, match=r"model\.tflite"):
        verdict_of(pristine.path, runtime="executorch")


def test_an_old_runtime_that_is_not_installed_leaves_the_verdict_open(
    pristine: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobile_sdk.runtimes.tflite_legacy.find_python", lambda: None)
    verdict = verdict_of(pristine.path, runtime="tflite-runtime")
    assert (verdict.runtime, verdict.status) == ("tflite-runtime", "not_run")


def test_an_unknown_device_is_a_setting_error(pristine: Bundle) -> None:
    with pytest.raises(SettingError, match="toaster"):
        verdict_of(pristine.path, device="toaster")
