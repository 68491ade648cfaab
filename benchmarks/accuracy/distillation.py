"""Calibrates EfficientNet-Lite0 with its ImageNet weights, then distils it on photographs without labels.

Run: python -m benchmarks.accuracy.distillation

It is calibrated on the crops of `benchmarks.accuracy.calibration`, and evaluated on the first of that benchmark's
evaluation crops by the int8 reference, which computes the phone's scores.
"""

import time
from dataclasses import replace
from typing import Any

from benchmarks.core.photographs import CALIBRATED, JUDGED, crops
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from benchmarks.core.user_nets import EfficientNetLite0, efficientnet_lite0
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.comparison import compare
from mobile_sdk.contract import Contract
from mobile_sdk.program.agreement import Agreement
from mobile_sdk.system.environment import installed_versions
from mobile_sdk.workflow.quantization import judged
from mobile_sdk.workflow.tasks.classification import Classification
from qat.calibration.calibration import calibrate
from qat.data.augmentation.classification import Augmentation
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.freezing.freezing import freeze
from qat.layers.quantizers.fake_quant import TensorQuantizer
from qat.layers.weighted import Weighted
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.preparation import prepare
from qat.tasks.classification.training import fit, scores
from qat.training.distillation import Distillation
from qat.training.plan import StepAdam, TrainPlan

CALIBRATION_CROPS, TAUGHT, HELD_OUT = 16, 256, 100
EPOCHS, BATCH = 6, 8
GENTLY = {"optimizer": StepAdam(weight_steps=2e-4), "learning_rate": 2e-4}  # the photographs are few and soon memorized
CROPS = Augmentation(
    crop_area_share=(0.5, 1.0),
    rotation_deg=0.0,
    brightness_jitter_share=0.0,
    contrast_jitter_share=0.0,
    saturation_jitter_share=0.0,
    white_balance_jitter_share=0.0,
)


def main() -> None:
    """Calibrates, distils, and evaluates after both."""
    quiet()
    net = efficientnet_lite0().eval()
    contract = Contract(name="lite0", labels=net.labels, image=net.image)
    calibration, taught = crops(CALIBRATED, CALIBRATION_CROPS, seed=1), crops(CALIBRATED, TAUGHT, seed=2)
    held_out = crops(JUDGED, HELD_OUT, seed=2)
    student, start_s, rows = prepare(net, contract), time.perf_counter(), []
    calibrate(student, calibration)
    rows.append(row("calibrated", judged_by_reference(student, net, held_out), time.perf_counter() - start_s))
    rows.append(row("its activations alone rounded", without_rounded_weights(student, net, held_out), 0.0))
    distil(student, net, taught, held_out)
    rows.append(row("distilled from there", judged_by_reference(student, net, held_out), time.perf_counter() - start_s))
    rows.append(row("the same, on crops that it was taught", judged_by_reference(student, net, taught[:HELD_OUT]), 0.0))
    calibrated_db, activations_db, distilled_db, taught_db = (each["SQNR dB"] for each in rows)
    work = f"EfficientNet-Lite0 distilled on photographs without labels, {HELD_OUT} crops of others"
    limit = (
        f"rounding the activations alone, weights in float, leaves {activations_db:.1f} dB; even on what it was taught "
        f"it comes to {taught_db:.1f} dB. Calibration ends with a reconstruction, which is such a lesson already"
    )
    gain = Target.gain(work, "dB SQNR", stock=calibrated_db, ours=distilled_db, at_least=3.0, limit=limit)
    write_result("distillation", rows, installed_versions(("mobile-sdk", "torch", "torchao")), [gain])


def distil(student: FakeQuantNet, net: EfficientNetLite0, taught: PictureSet, held_out: PictureSet) -> None:
    """Distils for some three minutes of a core on crops of the crops, since photographs are few."""
    pictures = Pictures(train=taught, validation=held_out[:8], labels=student.contract.labels)
    plan = TrainPlan.distil(
        EPOCHS, after=TrainPlan(batch=BATCH, augmentation=CROPS), distillation=Distillation(features=1.0)
    )
    fit(student, pictures, replace(plan, **GENTLY), teacher=net)


def judged_by_reference(student: FakeQuantNet, net: EfficientNetLite0, held_out: PictureSet) -> Agreement:
    """Compares the reference of the student in its present state with the float net."""
    found = judged(freeze(student, student.contract), Classification(), net, held_out).record.agreement
    assert found is not None
    return found


def without_rounded_weights(student: FakeQuantNet, net: EfficientNetLite0, held_out: PictureSet) -> Agreement:
    """Compares `net`'s own weights on the student's grids: the error that no weights of the net's function remove."""
    float_weights = prepare(net, student.contract).eval()
    for name, quantizer in student.captured.named_children():
        if isinstance(quantizer, TensorQuantizer):
            float_weights.captured.get_submodule(name).load_state_dict(quantizer.state_dict())
    for module in float_weights.modules():
        if isinstance(module, Weighted):
            module.quantizing = False
    wanted, found = (scores(each, held_out, student.contract).numpy() for each in (net, float_weights))
    near = compare(found, wanted)
    return Agreement(top1_agreement=near.top1_agreement, sqnr_db=near.sqnr_db, images=len(held_out))


def row(int8: str, near: Agreement, duration_s: float) -> dict[str, Any]:
    """Returns one line of the table."""
    assert near.sqnr_db is not None
    share, spent = round(100 * near.top1_agreement, 1), round(duration_s) or "–"
    return {"int8": int8, "SQNR dB": round(near.sqnr_db, 2), "top-1 as float %": share, "s": spent}


if __name__ == "__main__":
    main()
