"""Quantizes a float net: calibration, training in int8, the recorded quality → program.pt2 and its float32 twin."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from mobile_sdk.errors import SettingError
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from mobile_sdk.system.environment import installed_versions
from mobile_sdk.system.progress import Progress
from mobile_sdk.workflow.choices import DEFAULT_NET, NONE
from mobile_sdk.workflow.contracts import licensed
from mobile_sdk.workflow.kept_float import with_change
from mobile_sdk.workflow.main_process import end_others
from mobile_sdk.workflow.output_paths import folder_to_write
from mobile_sdk.workflow.run_files import INT8_TRAINING, PROGRAM, TWIN
from mobile_sdk.workflow.run_folder import logged, plan_settings, stage
from mobile_sdk.workflow.settings import QuantizeSettings
from mobile_sdk.workflow.sources.package_nets import is_package_net, package_net
from mobile_sdk.workflow.sources.published_weights import publisher_of, weights_file
from mobile_sdk.workflow.sources.source_net import SourceNet, task_of_weights, trained
from mobile_sdk.workflow.sources.users_net import users_own, with_contract
from mobile_sdk.workflow.sources.weights import check_net_is_named, check_weights, pictures_for, read_weights
from mobile_sdk.workflow.tasks import TASKS
from mobile_sdk.workflow.tasks.classification import Classification
from mobile_sdk.workflow.tasks.few_pictures import with_more_views
from mobile_sdk.workflow.tasks.judged_pictures import to_judge_on
from mobile_sdk.workflow.tasks.task import Task
from qat.arguments.bit_target import AUTO, BitTarget
from qat.arguments.weight_bits import WeightBits
from qat.bit_allocation.allocation import AllocatedNet, allocate_bits
from qat.calibration.calibration import calibrate, stage_figures
from qat.calibration.plan import CalibrationPlan
from qat.calibration.synthesis import synthesise
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.freezing.freezing import float_twin, freeze
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.preparation import prepare
from qat.preparation.weight_bits import weight_settings
from qat.progress import Shown, say, shown
from qat.training.plan import TrainPlan


def quantize(asked: QuantizeSettings, *, progress: Progress = True) -> Program:
    """Quantizes the net that the settings name, and writes `program.pt2` and `float.pt2` in the folder `out`.

    Of the processes that `torchrun` started the main one returns; the others end by OtherProcess.
    """
    with shown(progress):
        source, pictures, epochs = _choose(asked)
        source = source.split(asked.split)
        if asked.licence is not None:
            source = replace(source, contract=licensed(source.contract, asked.licence))
        if asked.tensorboard and not epochs:
            raise SettingError("expected --tensorboard beside epochs, found none of them", hint="leave it out")
        folder = folder_to_write(asked.out)
        with logged(folder, tensorboard=asked.tensorboard):
            return quantize_net(
                source,
                pictures,
                plan_in_int8(source, epochs, source.task.plan(None, asked.data, None, 0)) if epochs else None,
                folder,
                asked.calibration,
                keep_float=asked.keep_float,
                weight_bits=asked.asked_bits,
                overwrite=asked.overwrite,
            )


def plan_in_int8(source: SourceNet, epochs: int, after: TrainPlan) -> TrainPlan:
    """Returns the plan for int8 after `after`, which trained the float net."""
    return source.task.plan_in_int8(epochs, after, can_teach=source.can_teach)


def quantize_net(
    source: SourceNet,
    pictures: Any,
    plan: TrainPlan | None,
    out: Path,
    calibration: CalibrationPlan | None = None,
    *,
    keep_float: Sequence[str] = (),
    weight_bits: WeightBits | BitTarget = 8,
    overwrite: bool = False,
) -> Program:
    """Writes `out/program.pt2` and `out/float.pt2`: trained by `plan` in `out/qat`, or only calibrated if None.

    Training starts from the calibrated net, with the float net as teacher if that can teach. Without pictures the net
    is calibrated on made-up ones, and evaluated on none. The layers named in `keep_float` stay in float32; the
    record says what that changed. `weight_bits` is 8, 4 or the bits of layers by name, as in `qat.prepare`; or what
    they are chosen for, layer by layer: then the record has the choice, and `out/sensitivities.json` what was measured.
    """
    task, net, contract = source.task, source.net, source.contract
    task.check_outputs(net, source.name, contract)
    seen = task.to_calibrate_on(pictures) if pictures else _made_up(source)
    calibration = calibration or task.calibration(has_pictures=pictures is not None)
    allocated, bits, stages = None, weight_bits, None
    if isinstance(bits, BitTarget):
        validation = pictures.validation if isinstance(pictures, Pictures) and task.compares_scores else None
        allocated = _allocated(source, seen, bits, calibration, keep_float, out, validation)
        prepared, stages, bits = allocated.net, allocated.stages, allocated.bits
        keep_float = (*keep_float, *allocated.in_float)
    else:
        prepared = prepare(net, contract, keep_float=keep_float, weight_bits=bits, pictures=seen)
        if source.can_teach:
            stages = calibrate(prepared, seen, calibration, progress=Shown.get())
    plan = task.augmenting(plan, pictures, composes=False) if plan else None
    taught = pictures
    if plan and isinstance(pictures, Pictures):
        plan, taught = with_more_views(plan, pictures, contract)
    settings: dict[str, Any] = {
        **({"float_training": dict(source.settings)} if source.settings else {}),
        **(plan_settings(plan) if plan else {}),
        **weight_settings(prepared, AUTO if allocated else bits),
    }
    if stages is not None:
        settings["calibration"] = stage_figures(stages)
        settings["calibrated_on"] = "pictures" if pictures else f"{len(seen)} pictures made up from batch norms"
    history = source.history
    if plan and taught:
        history += _train(prepared, source, taught, plan, out / INT8_TRAINING, overwrite)
    end_others()
    record = Record(
        net=source.name,
        quantized="qat" if plan else "calibrated",
        history=history,
        settings=settings,
        versions=installed_versions(("mobile-sdk", "torch", "torchao")),
        bit_allocation=allocated.allocation if allocated else None,
    )
    program = freeze(prepared, contract, record)
    if keep_float and task.compares_scores:
        whole = (
            prepared if plan else _calibrated(source, seen, calibration, bits)
        )  # rounding left the kept layers as they were
        in_int8 = freeze(whole, contract, record, all_int8=True)
        shown_by = to_judge_on(pictures.validation, contract.input) if pictures else seen
        program = with_change(program, in_int8, float_twin(net, contract), shown_by)
    if pictures:
        program = judged(program, task, net, pictures.validation, kept_away=pictures.kept_away)
    of_float = {
        "quantized": "float32",
        "reference_quality": None,
        "agreement": None,
        "decisions": None,
        "bit_allocation": None,
    }
    float_twin(net, contract, program.record.model_copy(update=of_float)).save(out / TWIN)
    program.save(out / PROGRAM)
    return program


def judged(program: Program, task: Task[Any], net: nn.Module, held_out: Any, *, kept_away: bool = True) -> Program:
    """Returns the program; its record holds the quality of the float net and of the int8 reference, hence the phone.

    The record says it if the pictures were not kept away from calibration.
    """
    record = program.record.model_copy(update=task.judged(net, program, held_out))
    if not kept_away:
        agreement = record.agreement and record.agreement.model_copy(update={"kept_away": False})
        outputs = tuple(each.model_copy(update={"kept_away": False}) for each in record.outputs)
        record = record.model_copy(update={"agreement": agreement, "outputs": outputs})
    return replace(program, record=record)


def _train(
    prepared: FakeQuantNet, source: SourceNet, pictures: Any, plan: TrainPlan, out: Path, overwrite: bool
) -> tuple[dict[str, Any], ...]:
    learned = source.task.train(
        prepared, source.contract, pictures, plan, teacher=source.net, out=out, overwrite=overwrite
    )
    return stage("qat", learned.epochs)


def _calibrated(
    source: SourceNet, seen: PictureSet, calibration: CalibrationPlan, weight_bits: WeightBits
) -> FakeQuantNet:
    prepared = prepare(source.net, source.contract, weight_bits=weight_bits)
    calibrate(prepared, seen, calibration, progress=Shown.get())
    return prepared


def _allocated(
    source: SourceNet,
    seen: PictureSet,
    target: BitTarget,
    calibration: CalibrationPlan,
    keep_float: Sequence[str],
    out: Path,
    validation: PictureSet | None,
) -> AllocatedNet:
    """Returns the calibrated net with its bits; raises SettingError for a net that nothing can be measured against."""
    if not source.can_teach:
        raise SettingError(
            "expected a trained net for --weight-bits auto, whose scores its layers' noise is measured in, "
            "found one with a new head",
            hint="train it first, by `mobile-sdk train`, or give the bits",
        )
    return allocate_bits(
        source.net,
        source.contract,
        seen,
        target,
        calibration,
        keep_float=keep_float,
        folder=out,
        validation=validation,
    )


def _made_up(source: SourceNet) -> PictureSet:
    say("making up pictures to calibrate on")
    return synthesise(source.net, source.contract)


def _choose(asked: QuantizeSettings) -> tuple[SourceNet, Any, int]:
    """Returns the net that the settings name, its pictures and the epochs in int8; raises SettingError for two nets."""
    if asked.model is None and asked.net is not None and is_package_net(asked.net):
        return *_of_package(asked, asked.net), _epochs(asked)
    if (asked.model is None) == (asked.weights is None):
        found = "neither" if asked.model is None else "both"
        raise SettingError(f"expected one of --weights and --model, found {found}", hint="name the net to quantize")
    if asked.model is not None:
        epochs = _epochs(asked) if asked.task == Classification.name else asked.epochs or 0
        if asked.net is not None or asked.width is not None:
            raise SettingError(
                "expected --net and --width beside --weights, found them beside --model", hint="leave them out"
            )
        own = users_own(
            asked.model,
            asked.data,
            task=asked.task,
            size=asked.size,
            channels=asked.channels,
            array=asked.input,
            name=asked.name,
            labels=asked.labels,
        )
        return *own, epochs
    assert asked.weights is not None
    if asked.input is not None:
        raise SettingError("expected --input beside --model, found it beside --weights", hint="leave it out")
    if asked.task != Classification.name:
        raise SettingError(
            f"expected --task beside --model, found {asked.task!r} beside --weights",
            hint="leave it out: the file says it",
        )
    net = asked.net or (DEFAULT_NET if publisher_of(asked.weights) else None)
    weights = weights_file(asked.weights, net, asked.width)
    task = task_of_weights(weights)
    if task is None or TASKS[task].starts_from_weights:
        return *_from_weights(replace(asked, net=net), weights, _epochs(asked)), _epochs(asked)
    return _trained(asked, weights)


def _of_package(asked: QuantizeSettings, reference: str) -> tuple[SourceNet, Any]:
    """Returns a net of timm or torchvision, and its pictures."""
    if asked.width is not None or asked.input is not None:
        raise SettingError(
            f"expected neither --width nor --input beside {reference}, found one", hint="leave it out: its name says it"
        )
    return with_contract(
        package_net(reference, asked.weights),
        reference,
        asked.data,
        task=asked.task,
        size=asked.size,
        channels=asked.channels,
        array=None,
        name=asked.name,
        labels=asked.labels,
    )


def _trained(asked: QuantizeSettings, weights: Path) -> tuple[SourceNet, Any, int]:
    """Returns a net whose file holds everything, and its pictures."""
    options = (asked.net, asked.width, asked.size, asked.channels, asked.name, asked.labels)
    if any(option is not None for option in options):
        raise SettingError(
            f"expected neither --net, --width, --size, --channels, --name nor --labels beside the net in {weights}, "
            "found one",
            hint="leave them out: the file says them",
        )
    source = trained(weights)
    if asked.split:
        raise SettingError(
            f"expected no --split for {source.task.name}, whose blocks are not computed in parts, found it",
            hint="leave it out; export --max-activation-kib gives less memory",
        )
    epochs = source.task.epochs_in_int8 if asked.epochs is None else asked.epochs
    return source, source.task.pictures_of(source.contract, asked.data), epochs


def _from_weights(asked: QuantizeSettings, weights: Path, epochs: int) -> tuple[SourceNet, Any]:
    """Returns a net whose head the pictures' labels may replace, and the pictures, if there are any."""
    check_weights(weights)
    check_net_is_named(weights, asked.net)
    start = read_weights(
        weights,
        asked.data,
        net=asked.net,
        width=asked.width,
        size=asked.size,
        channels=asked.channels,
        labels=asked.labels,
    )
    pictures = None
    if asked.data != NONE:
        pictures = pictures_for(start, asked.data, learns=epochs > 0, trains_float=False)
    source = start.float_net(start.contract(asked.name, asked.data, pictures.labels if pictures else start.labels))
    if not source.can_teach:
        say(f"float.pt2 keeps the new head untrained: `train --weights {weights}` gives a float net to compare with")
    return source, pictures


def _epochs(asked: QuantizeSettings) -> int:
    """Returns the epochs in int8, by default none without data; raises SettingError for training without data."""
    if asked.data == NONE and asked.epochs:
        raise SettingError(
            f"expected --epochs 0 beside --data none, found {asked.epochs}",
            hint="give pictures to train on: --data DIR",
        )
    return asked.epochs if asked.epochs is not None else 0 if asked.data == NONE else Classification.epochs_in_int8
