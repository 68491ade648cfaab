"""`mobile-sdk train`: pictures → a trained float net."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.terminal import quiet, say, show_json

if TYPE_CHECKING:
    from mobile_sdk.contract import Contract
    from qat.data import Pictures
    from qat.plan import TrainPlan
    from qat.saved_net import SavedNet

RECIPES = ("default", "digits", "mobilenet-v1", "mobilenet-v2", "mobilenet-v3")

Epochs = Annotated[int | None, typer.Option("--epochs", min=1, help="Epochs. Default: the recipe's own.")]
Recipe = Annotated[
    str | None,
    typer.Option(
        "--recipe", metavar="NAME", help=f"{', '.join(RECIPES)} (the papers' own). Default: default, or digits."
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seeds weights, shuffling and augmentation.")]


def train(
    data: options.Data = options.DIGITS,
    net: options.Net = "mobilenet_v3_small",
    width: options.Width = 1.0,
    size: options.Size = None,
    name: options.Name = None,
    recipe: Recipe = None,
    epochs: Epochs = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="A published checkpoint to start from.")
    ] = None,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where net.safetensors goes.")] = Path("runs/train"),
    json: options.Json = False,
) -> None:
    """Train a float net. Killed at any moment, the same command goes on from the last epoch."""
    from mobile_sdk.contract import Contract, ImageSpec

    quiet()
    pictures = options.load_pictures(data)
    image = (
        ImageSpec.torchvision(options.size_px(data, size))
        if weights
        else ImageSpec(size_px=options.size_px(data, size))
    )
    contract = Contract(name=name or options.data_name(data), labels=pictures.labels, image=image)
    plan = choose_plan(recipe or ("digits" if data == options.DIGITS else "default"), epochs, seed)
    saved = train_net(net, width, contract, pictures, plan, out, weights)
    accuracy = saved.history[-1]["validation_accuracy_share"] if saved.history else None
    if json:
        show_json({"net": str(out / "net.safetensors"), "float_accuracy_share": accuracy, "history": saved.history})
    else:
        print(f"{out / 'net.safetensors'}: {net}, validation accuracy {accuracy:.2%}")


def choose_plan(recipe: str, epochs: int | None, seed: int) -> "TrainPlan":
    """The named recipe, with another number of epochs or seed where given."""
    from dataclasses import replace

    from qat.plan import TrainPlan

    options.check_choice("a recipe", recipe, RECIPES)
    plans: dict[str, Any] = {
        "default": TrainPlan,
        "digits": TrainPlan.digits,
        "mobilenet-v1": TrainPlan.mobilenet_v1_paper,
        "mobilenet-v2": TrainPlan.mobilenet_v2_paper,
        "mobilenet-v3": TrainPlan.mobilenet_v3_paper,
    }
    plan: TrainPlan = plans[recipe](epochs=epochs) if epochs else plans[recipe]()
    return replace(plan, seed=seed)


def train_net(
    name: str,
    width: float,
    contract: "Contract",
    pictures: "Pictures",
    plan: "TrainPlan",
    out: Path,
    weights: Path | None = None,
) -> "SavedNet":
    """Trains the named net in `out/train`, resuming there, and writes `out/net.safetensors`."""
    import torch

    from qat.nets import build_net
    from qat.saved_net import SavedNet, save_net
    from qat.training import fit
    from qat.weights import load_weights

    torch.manual_seed(plan.seed)
    net = build_net(name, contract, width=width)
    if weights:
        say(str(load_weights(net, weights)))
    history = fit(net, pictures, plan, out=out / "train")
    saved = SavedNet(
        net=name,
        width=width,
        contract=contract,
        settings=plan_settings(plan),
        history=tuple({"stage": "float", **epoch.model_dump()} for epoch in history.epochs),
    )
    save_net(net, saved, out / "net.safetensors")
    return saved


def plan_settings(plan: "TrainPlan") -> dict[str, Any]:
    """The plan as plain JSON, for the record."""
    from dataclasses import asdict

    return {
        key: value if isinstance(value, int | float | str | None) else str(value) for key, value in asdict(plan).items()
    }
