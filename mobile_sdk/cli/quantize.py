"""`mobile-sdk quantize`: a float net → the int8 program and its float32 twin."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_sdk.cli import float_net, options
from mobile_sdk.cli import task as of_task
from mobile_sdk.cli.float_net import FloatNet
from mobile_sdk.cli.kept_float import PICTURES, named_layers, show_change, with_change
from mobile_sdk.cli.processes import end_others
from mobile_sdk.cli.run_folder import INT8_TRAINING, PROGRAM, TWIN, plan_settings, stage
from mobile_sdk.cli.splitting import named_parts, with_split
from mobile_sdk.cli.stages import choose_calibration
from mobile_sdk.cli.tasks import trained
from mobile_sdk.cli.terminal import quiet, say, show_json, show_table
from mobile_sdk.cli.train import choose_plan, default_recipe
from mobile_sdk.cli.weights import check_net_is_named, check_weights, pictures_for, read_weights
from mobile_sdk.errors import SettingError
from mobile_sdk.tasks.class_quality import label_lines, right_counts, shares_of

if TYPE_CHECKING:
    from torch import nn

    from mobile_sdk.program.program import Program
    from qat.calibration.plan import CalibrationPlan
    from qat.data.picture_set import PictureSet
    from qat.data.pictures import Pictures
    from qat.preparation.fake_quant_net import FakeQuantNet
    from qat.training.plan import TrainPlan


def quantize(
    data: options.DataOrNone,
    weights: options.Weights = None,
    net: Annotated[
        str | None, typer.Option("--net", metavar="NAME", help="The checkpoint's net: `mobile-sdk nets`.")
    ] = None,
    width: Annotated[
        float | None, typer.Option("--width", help="The checkpoint's width multiplier. Default: 1.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="MODULE:FUNCTION", help="A net of your own: a function that returns it."),
    ] = None,
    labels: options.Labels = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", min=0, help="Epochs of training in int8; 0 only calibrates. Default: 3; without data 0."
        ),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            "--calibration",
            metavar="STAGE[,…]",
            help="Stages after the ranges from smallest to largest value (alone: 'extremes'). 'ranges': those that "
            "lose least. 'rounding': codes that keep each layer's output near. 'biases': no layer's mean is shifted. "
            "'reconstruction': all codes and biases tuned together. 'equalisation' rescales channels first. "
            "Default: all but that; without data, no 'ranges': they reach beyond what was seen.",
        ),
    ] = None,
    keep_float: options.KeepFloat = None,
    split: options.Split = None,
    size: options.Size = None,
    name: options.Name = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the programs go.")] = Path("runs/quantize"),
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Turn a net into program.pt2 (int8) and float.pt2 (its float32 twin).

    A net of your own may carry the attributes `image` (an ImageSpec: what its pictures look like) and `labels`.

    Pictures may lie in DIR without labels: int8 is then calibrated on them, or learned from the float net alone.

    A published checkpoint keeps its head, unless pictures have other labels and --labels is not given.
    """
    quiet()
    stages = choose_calibration(data, calibration)
    if weights is not None and model is None and (ready := trained(weights)) is not None:
        if any(option is not None for option in (net, width, size, name, labels)):
            raise SettingError(
                f"expected neither --net, --width, --size, --name nor --labels beside the net in {weights}, found one",
                hint="leave them out: the file says them",
            )
        if named_parts(split):
            raise SettingError(
                f"expected no --split for {ready.task.name}, whose blocks are not computed in parts, found it",
                hint="leave it out; export --max-activation-kib gives less memory",
            )
        chosen = stages if calibration else None
        _quantize_trained(ready, data, epochs or 0, chosen, named_layers(keep_float), out, overwrite, json)
        return
    epochs = _epochs(data, epochs)
    parts = named_parts(split)
    source, pictures = _choose(data, weights, net, width, model, labels, epochs, size, name)
    source = with_split(source, parts)
    after = choose_plan(default_recipe(data), None, seed=0)
    plan = plan_in_int8(source, epochs, after) if epochs else None
    folder, kept = options.folder_to_write(out), named_layers(keep_float)
    program = quantize_net(source, pictures, plan, folder, stages, keep_float=kept, overwrite=overwrite)
    _show(program, out, json)


def _quantize_trained(
    source: of_task.Trained,
    data: str,
    epochs: int,
    stages: "CalibrationPlan | None",
    kept: Sequence[str],
    out: Path,
    overwrite: bool,
    json: bool,
) -> None:
    task = source.task
    pictures = of_task.in_order_of(source.contract, task.load_pictures(data))
    plan = of_task.plan_in_int8(epochs, of_task.choose_plan(task, None, 0)) if epochs else None
    folder = options.folder_to_write(out)
    program = of_task.quantize(source, pictures, plan, folder, stages, keep_float=kept, overwrite=overwrite)
    of_task.show(task, program, out, json)


def plan_in_int8(source: FloatNet, epochs: int, after: "TrainPlan") -> "TrainPlan":
    """The plan for int8 after `after`: learning from the float net, or from labels where it cannot teach."""
    from qat.training.plan import TrainPlan

    return (TrainPlan.distil if source.can_teach else TrainPlan.finetune)(epochs, after=after)


def quantize_net(
    source: FloatNet,
    pictures: "Pictures | None",
    plan: "TrainPlan | None",
    out: Path,
    calibration: "CalibrationPlan | None" = None,
    *,
    keep_float: Sequence[str] = (),
    overwrite: bool = False,
) -> "Program":
    """Writes `out/program.pt2` and `out/float.pt2`: trained by `plan` in `out/qat`, or calibrated if None.

    What is trained starts from what is calibrated, and learns from the float net, where that can teach. Without
    pictures it is calibrated on some that are made up, and judged on none. The layers named in `keep_float` stay in
    float32, and the record says what that changed.
    """
    from mobile_sdk.program.record import Record
    from mobile_sdk.system.environment import installed_versions
    from qat.calibration.calibration import calibrate, stage_figures
    from qat.freezing.freezing import float_twin, freeze
    from qat.preparation.preparation import prepare

    float_net.check_scores(source)
    settings: dict[str, Any] = plan_settings(plan) if plan else {}
    seen = pictures.train if pictures else _made_up(source)
    prepared = prepare(source.net, source.contract, keep_float=keep_float, pictures=seen)
    if source.can_teach:
        settings["calibration"] = stage_figures(calibrate(prepared, seen, calibration))
        settings["calibrated_on"] = "pictures" if pictures else f"{len(seen)} pictures made up from batch norms"
    learned = _train(prepared, source, pictures, plan, out / INT8_TRAINING, overwrite) if plan and pictures else ()
    end_others()
    record = Record(
        net=source.name,
        quantized="qat" if plan else "calibrated",
        history=source.history + learned,
        settings=settings,
        versions=installed_versions(("mobile-sdk", "torch", "torchao")),
    )
    program = freeze(prepared, source.contract, record)
    if keep_float:
        whole = prepared if plan else prepare(source.net, source.contract)
        if not plan:  # rounding left the kept layers as they were
            calibrate(whole, seen, calibration)
        in_int8 = freeze(whole, source.contract, record, all_int8=True)
        pixels = (pictures.validation if pictures else seen)[:PICTURES].bytes(source.contract.image)
        program = with_change(program, in_int8, float_twin(source.net, source.contract), pixels)
    if pictures:
        program = judged(program, source.net, pictures.validation)
    of_float = {"quantized": "float32", "reference_quality": None, "agreement": None}
    float_twin(source.net, source.contract, program.record.model_copy(update=of_float)).save(out / TWIN)
    program.save(out / PROGRAM)
    return program


def judged(program: "Program", net: "nn.Module", held_out: "PictureSet") -> "Program":
    """The program, its record saying how its reference, and so the phone, does: beside the labels and the float net."""
    import numpy as np

    from mobile_sdk.comparison import compare, top1
    from mobile_sdk.graph.score_steps import in_steps
    from mobile_sdk.program.expected_scores import expected_scores
    from mobile_sdk.program.record import Agreement
    from mobile_sdk.tasks.classification import MEASURE
    from mobile_sdk.tasks.quality import Quality
    from qat.capture.float_scores import without_last_activation
    from qat.tasks.classification.training import scores

    own = without_last_activation(net, program.contract.image.size_px)
    wanted = scores(own, held_out, program.contract).numpy()
    codes = expected_scores(program, held_out.bytes(program.contract.image))
    grid = program.graph.output.quantization
    found = in_steps(codes, program.graph) * (grid.scale if grid else 1.0)
    near, count = compare(found, wanted), len(held_out)
    agreement = Agreement(top1_agreement=near.top1_agreement, sqnr_db=near.sqnr_db, images=count)
    said: dict[str, Agreement | Quality] = {"agreement": agreement}
    if min(held_out.targets) >= 0:
        targets, labels = np.array(held_out.targets), len(program.contract.labels)
        for name, each in (("float_quality", wanted), ("reference_quality", found)):
            by_class = shares_of(right_counts(top1(each), targets, labels))
            value = float((top1(each) == targets).mean())
            said[name] = Quality(measure=MEASURE, value=value, images=count, by_class=by_class)
    return replace(program, record=program.record.model_copy(update=said))


def _made_up(source: FloatNet) -> "PictureSet":
    from qat.calibration.synthesis import synthesise

    say("making up pictures to calibrate on")
    return synthesise(source.net, source.contract)


def _epochs(data: str, epochs: int | None) -> int:
    """The default where none is asked for; SettingError for training without data."""
    if data == options.NONE and epochs:
        raise SettingError(
            f"expected --epochs 0 beside --data none, found {epochs}", hint="give pictures to train on: --data DIR"
        )
    return epochs if epochs is not None else 0 if data == options.NONE else 3


def _train(
    prepared: "FakeQuantNet", source: FloatNet, pictures: "Pictures", plan: "TrainPlan", out: Path, overwrite: bool
) -> tuple[dict[str, Any], ...]:
    from qat.tasks.classification.training import fit

    teacher = source.net if plan.distillation else None
    settings: dict[str, Any] = {"teacher": teacher, "contract": source.contract, "out": out, "overwrite": overwrite}
    return stage("qat", fit(prepared, pictures, plan, **settings).epochs)


def _choose(
    data: str,
    weights: Path | None,
    net: str | None,
    width: float | None,
    model: str | None,
    labels: str | None,
    epochs: int,
    size: int | None,
    name: str | None,
) -> "tuple[FloatNet, Pictures | None]":
    """The net that the options name, and its pictures; SettingError where they name none, or two."""
    if (model is None) == (weights is None):
        found = "neither" if model is None else "both"
        raise SettingError(f"expected one of --weights and --model, found {found}", hint="name the net to quantize")
    if model is not None:
        if net is not None or width is not None:
            raise SettingError(
                "expected --net and --width beside --weights, found them beside --model", hint="leave them out"
            )
        return float_net.users_own(model, data, size=size, name=name, labels=labels)
    assert weights is not None
    check_weights(weights)
    check_net_is_named(weights, net)
    start = read_weights(weights, data, net=net, width=width, size=size, labels=labels)
    pictures = None
    if data != options.NONE:
        pictures = pictures_for(start, data, learns=epochs > 0, trains_float=False)
    source = start.float_net(start.contract(name, data, pictures.labels if pictures else start.labels))
    if not source.can_teach:
        say(f"float.pt2 keeps the new head untrained: `train --weights {weights}` gives a float net to compare with")
    return source, pictures


def _show(program: "Program", out: Path, json: bool) -> None:
    record = program.record
    if json:
        paths = {"program": str(out / PROGRAM), "float_twin": str(out / TWIN), "digest": program.digest()}
        show_json({**paths, **record.model_dump(mode="json")})
        return
    if stages := record.settings.get("calibration"):
        _show_stages(stages)
    if record.agreement is None:
        print(f"{out / PROGRAM}: int8, {record.quantized} on {record.settings['calibrated_on']}; judged on none")
        print(f"{out / TWIN}: its float32 twin")
        return
    if record.float_quality is not None and record.reference_quality is not None:
        told = f"float {record.float_quality.value:.2%}, int8 reference {record.reference_quality.value:.2%}"
    else:
        told = f"without labels; int8 reference and float net agree on {record.agreement.top1_agreement:.2%}"
    sqnr = "no noise" if record.agreement.sqnr_db is None else f"{record.agreement.sqnr_db:.1f} dB SQNR"
    print(
        f"{out / PROGRAM}: int8, {record.quantized}; {told} of {record.agreement.images} held-out pictures, "
        f"scores at {sqnr} of the float net's"
    )
    print(f"{out / TWIN}: its float32 twin")
    if record.reference_quality:
        print("\n".join(label_lines(program.contract.labels, record.reference_quality.by_class)))
    show_change(record)


def _show_stages(stages: Any) -> None:
    """What each stage of calibration gave, on the pictures that it was calibrated on."""
    show_table(
        ("calibration", "SQNR dB"), [(row["stage"], f"{row['sqnr_db']:.1f}") for row in stages], numbers=("SQNR dB",)
    )
