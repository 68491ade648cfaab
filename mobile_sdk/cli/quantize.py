"""`mobile-sdk quantize`: a float net → the int8 program and its float32 twin."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobile_sdk.cli import float_net, options
from mobile_sdk.cli.float_net import FloatNet
from mobile_sdk.cli.terminal import quiet, say, show_json
from mobile_sdk.cli.train import choose_plan, default_recipe, plan_settings, stage
from mobile_sdk.errors import SettingError

if TYPE_CHECKING:
    from mobile_sdk.program import Program
    from qat.data import Pictures
    from qat.plan import TrainPlan

PROGRAM, TWIN = "program.pt2", "float.pt2"


def quantize(
    data: options.Data,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights", metavar="FILE", help="net.safetensors of `train`, or a published PyTorch checkpoint."
        ),
    ] = None,
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
    epochs: Annotated[int, typer.Option("--epochs", min=0, help="Epochs of training in int8; 0 only calibrates.")] = 3,
    size: options.Size = None,
    name: options.Name = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the programs go.")] = Path("runs/quantize"),
    json: options.Json = False,
) -> None:
    """Turn a net into program.pt2 (int8) and float.pt2 (its float32 twin).

    A net of your own may carry the attributes `image` (an ImageSpec: what its pictures look like) and `labels`.
    """
    quiet()
    from qat.plan import TrainPlan

    source, pictures = _choose(data, weights, net, width, model, epochs, size, name)
    after = choose_plan(default_recipe(data), None, seed=0)
    plan = TrainPlan.finetune(epochs=epochs, after=after) if epochs else None
    program = quantize_net(source, pictures, plan, options.folder_to_write(out))
    _show(program, out, json)


def quantize_net(source: FloatNet, pictures: "Pictures", plan: "TrainPlan | None", out: Path) -> "Program":
    """Writes `out/program.pt2` and `out/float.pt2`: trained by `plan` in `out/qat`, or calibrated if None."""
    from mobile_sdk.environment import installed_versions
    from mobile_sdk.program import Accuracy, Record
    from qat.calibration import calibrate
    from qat.freezing import float_twin, freeze
    from qat.preparation import prepare
    from qat.training import evaluate, fit

    float_net.check_scores(source)
    contract, history = source.contract, source.history
    prepared = prepare(source.net, contract)
    if plan is None:
        say("calibrating")
        calibrate(prepared, pictures.train)
    else:
        history += stage("qat", fit(prepared, pictures, plan, contract=contract, out=out / "qat").epochs)
    share = evaluate(source.net, pictures.validation, contract)
    record = Record(
        net=source.name,
        quantized="qat" if plan else "calibrated",
        float_accuracy=Accuracy(share=share, pictures=len(pictures.validation)),
        history=history,
        settings=plan_settings(plan) if plan else {},
        versions=installed_versions(("mobile-sdk", "torch", "torchao")),
    )
    program = with_reference_accuracy(freeze(prepared, contract, record), pictures)
    float_twin(source.net, contract, record.model_copy(update={"quantized": "float32"})).save(out / TWIN)
    program.save(out / PROGRAM)
    return program


def with_reference_accuracy(program: "Program", pictures: "Pictures") -> "Program":
    """The program, its record saying how the reference, and so the phone, does on the validation pictures."""
    import numpy as np

    from mobile_sdk.expected import expected_scores
    from mobile_sdk.numerics import top1
    from mobile_sdk.program import Accuracy

    pixels = pictures.validation.bytes(program.contract.image)
    winners = top1(expected_scores(program, pixels))
    share = float((winners == np.array(pictures.validation.targets)).mean())
    accuracy = Accuracy(share=share, pictures=len(pictures.validation))
    return replace(program, record=program.record.model_copy(update={"reference_accuracy": accuracy}))


def _choose(
    data: str,
    weights: Path | None,
    net: str | None,
    width: float | None,
    model: str | None,
    epochs: int,
    size: int | None,
    name: str | None,
) -> "tuple[FloatNet, Pictures]":
    """The net that the options name, and its pictures; SettingError where they name none, or two."""
    if (model is None) == (weights is None):
        found = "neither" if model is None else "both"
        raise SettingError(f"expected one of --weights and --model, found {found}", hint="name the net to quantize")
    if model is not None:
        if net is not None or width is not None:
            raise SettingError(
                "expected --net and --width beside --weights, found them beside --model", hint="leave them out"
            )
        return float_net.users_own(model, data, size=size, name=name)
    assert weights is not None
    float_net.check_weights(weights)
    from qat.saved_net import read_header

    if (saved := read_header(weights)) is not None:
        return float_net.trained_with_pictures(weights, saved, data, net=net, width=width, size=size, name=name)
    if net is None:
        raise SettingError(
            f"expected a net that `train` wrote in {weights}, or --net beside a published checkpoint, found neither",
            hint="name the checkpoint's net: mobile-sdk nets lists them",
        )
    alpha = 1.0 if width is None else width
    return float_net.published(weights, data, net=net, width=alpha, size=size, name=name, epochs=epochs)


def _show(program: "Program", out: Path, json: bool) -> None:
    record = program.record
    if json:
        paths = {"program": str(out / PROGRAM), "float_twin": str(out / TWIN), "digest": program.digest()}
        show_json({**paths, **record.model_dump(mode="json")})
        return
    assert record.float_accuracy is not None and record.reference_accuracy is not None
    print(
        f"{out / PROGRAM}: int8, {record.quantized}; float {record.float_accuracy.share:.2%}, "
        f"int8 reference {record.reference_accuracy.share:.2%} of {record.reference_accuracy.pictures} pictures"
    )
    print(f"{out / TWIN}: its float32 twin")
