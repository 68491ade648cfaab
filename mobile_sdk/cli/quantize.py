"""`mobile-sdk quantize`: a float net → the int8 program and its float32 twin."""

import importlib
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.terminal import quiet, say, show_json
from mobile_sdk.errors import CaptureError, SettingError

if TYPE_CHECKING:
    from torch import nn

    from mobile_sdk.contract import Contract
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
    width: options.Width = 1.0,
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
    if (model is None) == (weights is None):
        raise SettingError("expected one of --weights and --model", hint="name the net that is to be quantized")
    pictures = options.load_pictures(data)
    side = options.size_px(data, size)
    bundle_name = name or options.data_name(data)
    if model:
        float_net, contract = load_model(model, pictures, bundle_name, size)
        history: tuple[dict[str, Any], ...] = ()
        net_name = model
    else:
        assert weights is not None
        float_net, contract, history, net_name = load_weighted(weights, net, width, pictures, bundle_name, side)
    from qat.plan import TrainPlan

    plan = TrainPlan.finetune(epochs=epochs) if epochs else None
    program = quantize_net(float_net, net_name, contract, pictures, plan, out, history)
    _show(program, out, json)


def load_model(reference: str, pictures: "Pictures", name: str, size: int | None) -> "tuple[nn.Module, Contract]":
    """The user's own net, and the contract that its attributes and the pictures give."""
    from mobile_sdk.contract import Contract, ImageSpec

    module_name, _, function_name = reference.partition(":")
    if not function_name:
        raise SettingError(
            f"expected --model MODULE:FUNCTION, found {reference!r}", hint="write package.module:function"
        )
    sys.path.insert(0, os.getcwd())
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise SettingError(
            f"cannot load --model {reference}: {error}", hint="run from the folder that holds it"
        ) from error
    float_net = function()
    from torch import nn

    if not isinstance(float_net, nn.Module):
        raise CaptureError(
            f"expected {reference} to return an nn.Module, found {type(float_net).__name__}",
            hint="return the net itself",
        )
    image = getattr(float_net, "image", None) or ImageSpec()
    if size:
        image = image.model_copy(update={"size_px": size})
    labels = getattr(float_net, "labels", None) or pictures.labels
    return float_net.eval(), Contract(name=name, labels=labels, image=image)


def load_weighted(
    weights: Path, net: str | None, width: float, pictures: "Pictures", name: str, side: int
) -> "tuple[nn.Module, Contract, tuple[dict[str, Any], ...], str]":
    """A net that `train` wrote, or a published checkpoint in a net of this SDK; its head fits the pictures' labels."""
    from mobile_sdk.contract import Contract, ImageSpec
    from qat.nets import build_net
    from qat.saved_net import load_net, read_header
    from qat.weights import load_weights

    if read_header(weights) is not None:
        trained, saved = load_net(weights)
        if saved.contract.labels != pictures.labels:
            raise SettingError(
                f"expected pictures with the net's {len(saved.contract.labels)} labels, found others",
                hint="train it on these",
            )
        return trained, saved.contract, saved.history, saved.net
    if net is None:
        raise SettingError("expected --net beside a published checkpoint", hint="list them with mobile-sdk nets")
    contract = Contract(name=name, labels=pictures.labels, image=ImageSpec.torchvision(side))
    published = build_net(net, contract, width=width)
    say(str(load_weights(published, weights)))
    return published.eval(), contract, (), net


def quantize_net(
    float_net: "nn.Module",
    net_name: str,
    contract: "Contract",
    pictures: "Pictures",
    plan: "TrainPlan | None",
    out: Path,
    history: tuple[dict[str, Any], ...] = (),
) -> "Program":
    """Writes `out/program.pt2` and `out/float.pt2`: calibrated where `plan` is None, else trained by it."""
    from mobile_sdk.cli.train import plan_settings
    from mobile_sdk.program import Accuracy, Record
    from qat.calibration import calibrate
    from qat.freezing import float_twin, freeze
    from qat.preparation import prepare
    from qat.training import evaluate, fit

    _check_classes(float_net, contract)
    prepared = prepare(float_net, contract)
    if plan is None:
        say("calibrating")
        calibrate(prepared, pictures.train)
    else:
        learned = fit(prepared, pictures, plan, out=out / "qat")
        history += tuple({"stage": "qat", **epoch.model_dump()} for epoch in learned.epochs)
    float_accuracy = Accuracy(
        share=evaluate(float_net, pictures.validation, contract), pictures=len(pictures.validation)
    )
    record = Record(
        net=net_name,
        quantized="qat" if plan else "calibrated",
        float_accuracy=float_accuracy,
        history=history,
        settings=plan_settings(plan) if plan else {},
        versions=_versions(),
    )
    program = with_reference_accuracy(freeze(prepared, contract, record), pictures)
    program.save(out / PROGRAM)
    float_record = record.model_copy(update={"quantized": "float32"})
    float_twin(float_net, contract, float_record).save(out / TWIN)
    return program


def with_reference_accuracy(program: "Program", pictures: "Pictures") -> "Program":
    """The program, its record saying how the reference, and so the phone, does on the validation pictures."""
    import numpy as np

    from mobile_sdk.expected import expected_scores
    from mobile_sdk.program import Accuracy

    pixels = pictures.validation.bytes(program.contract.image)
    winners = expected_scores(program, pixels).argmax(axis=1)
    share = float((winners == np.array(pictures.validation.targets)).mean())
    accuracy = Accuracy(share=share, pictures=len(pictures.validation))
    return replace(program, record=program.record.model_copy(update={"reference_accuracy": accuracy}))


def _check_classes(float_net: "nn.Module", contract: "Contract") -> None:
    """The net gives one score a label; found out before anything long begins."""
    import torch

    side = contract.image.size_px
    with torch.inference_mode():
        scores = float_net.eval()(torch.zeros(2, 3, side, side))
    if getattr(scores, "shape", None) != (2, len(contract.labels)):
        raise CaptureError(
            f"expected scores (2, {len(contract.labels)}) for two pictures, found {tuple(getattr(scores, 'shape', ()))}",
            hint="give the net one output per label, or the attribute `labels`",
        )


def _versions() -> dict[str, str]:
    from importlib import metadata

    return {name: metadata.version(name) for name in ("mobile-sdk", "torch", "torchao")}


def _show(program: "Program", out: Path, json: bool) -> None:
    record = program.record
    if json:
        show_json({"program": str(out / PROGRAM), "float_twin": str(out / TWIN), **record.model_dump()})
        return
    assert record.float_accuracy is not None and record.reference_accuracy is not None
    print(f"{out / PROGRAM}: int8, {record.quantized}; float {record.float_accuracy.share:.2%}, "
          f"int8 reference {record.reference_accuracy.share:.2%} of {record.reference_accuracy.pictures} pictures")  # fmt: skip
    print(f"{out / TWIN}: its float32 twin")
