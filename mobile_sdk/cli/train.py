"""`mobile-sdk train`: pictures → a trained float net."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.float_net import check_weights
from mobile_sdk.cli.named_net import build_named, header_fields
from mobile_sdk.cli.pictures import counts_line, labels_line, load_pictures, make_contract, size_px
from mobile_sdk.cli.processes import end_others
from mobile_sdk.cli.run_folder import NET_FILE, plan_settings, stage
from mobile_sdk.cli.tasks import choose_task
from mobile_sdk.cli.terminal import quiet, say, show_json
from mobile_sdk.errors import SettingError

if TYPE_CHECKING:
    from mobile_sdk.cli.task import Task
    from mobile_sdk.contract import Contract, ImageSpec
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
    task: options.Task = "classification",
    net: options.Net = "mobilenet_v3_small",
    width: options.Width = 1.0,
    head: options.Head = None,
    output_stride: options.OutputStride = None,
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
    """Train a float net. Killed at any moment, the same command goes on from the last epoch.

    torchrun --standalone --nproc-per-node 2 -m mobile_sdk train … does it on two processes or GPUs, and so do quantize
    and run.
    """
    quiet()
    from mobile_sdk.contract import ImageSpec

    if chosen := choose_task(task, head, output_stride):
        if recipe or weights:
            raise SettingError(f"expected neither --recipe nor --weights for {task}, found one", hint="leave them out")
        _train_for(chosen, data, net, width, size, name, epochs, seed, options.folder_to_write(out), json)
        return
    plan = choose_plan(recipe or default_recipe(data), epochs, seed)
    side = size_px(data, size)
    image = ImageSpec.torchvision(side) if weights else ImageSpec(size_px=side)
    check_net(net, width, image)
    if weights:
        check_weights(weights)
    pictures = load_pictures(data)
    say(counts_line(pictures))
    contract = make_contract(name, data, pictures.labels, image)
    saved = train_net(net, width, contract, pictures, plan, options.folder_to_write(out), weights)
    end_others()
    accuracy = saved.history[-1]["validation_accuracy_share"]
    if json:
        show_json({"net": str(out / NET_FILE), "float_accuracy_share": accuracy, "history": saved.history})
    else:
        print(f"{out / NET_FILE}: {net}, validation accuracy {accuracy:.2%}")


def _train_for(
    task: "Task[Any]",
    data: str,
    net: str,
    width: float,
    size: int | None,
    name: str | None,
    epochs: int | None,
    seed: int,
    out: Path,
    json: bool,
) -> None:
    from mobile_sdk.cli import task as of_task

    side = task.side_px(data, size)
    of_task.check_net(task, net, width, side)
    pictures = task.load_pictures(data)
    say(labels_line(pictures.labels))
    contract = of_task.make_contract(task, name, data, pictures.labels, side)
    plan = of_task.choose_plan(task, epochs, seed)
    history = of_task.train(task, net, width, contract, pictures, plan, data, out).history
    end_others()
    share = history[-1]["validation_accuracy_share"]
    if json:
        show_json({"net": str(out / NET_FILE), task.share_field: share, "history": history})
    else:
        print(f"{out / NET_FILE}: {task.title(net)}, {task.measure} {share:.2%}")


def default_recipe(data: str) -> str:
    """The recipe where none is named."""
    return "digits" if data == options.DIGITS else "default"


def choose_plan(recipe: str, epochs: int | None, seed: int) -> "TrainPlan":
    """The named recipe, with another number of epochs or seed where given; at most half of it is warm-up."""
    from qat.plan import TrainPlan

    options.check_choice("a recipe", recipe, RECIPES)
    plans: dict[str, Callable[[], TrainPlan]] = {
        "default": TrainPlan,
        "digits": TrainPlan.digits,
        "mobilenet-v1": TrainPlan.mobilenet_v1_paper,
        "mobilenet-v2": TrainPlan.mobilenet_v2_paper,
        "mobilenet-v3": TrainPlan.mobilenet_v3_paper,
    }
    plan = plans[recipe]()
    return replace(plan.over(epochs or plan.epochs), seed=seed)


def check_net(name: str, width: float, image: "ImageSpec") -> None:
    """Raises SettingError for a net that cannot be built, before pictures are read for it."""
    import torch

    from mobile_sdk.contract import Contract

    with torch.device("meta"):
        build_named(name, Contract(name="check", labels=("one", "other"), image=image), width)


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

    from qat.launch import is_main_process
    from qat.saved_net import SavedNet, save_net
    from qat.training import fit
    from qat.weights import load_weights

    torch.manual_seed(plan.seed)
    net = build_named(name, contract, width)
    if weights:
        say(str(load_weights(net, weights)))
    learned = fit(net, pictures, plan, out=out / "train")
    saved = SavedNet(
        **header_fields(name, width),
        contract=contract,
        settings=plan_settings(plan),
        history=stage("float", learned.epochs),
    )
    if is_main_process():
        save_net(net, saved, out / NET_FILE)
    return saved
