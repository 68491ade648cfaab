"""`mobile-sdk train`: pictures → a trained float net."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli import task as of_task
from mobile_sdk.cli.named_net import build_named, header_fields
from mobile_sdk.cli.pictures import counts_line, labels_line, load_pictures, make_contract, size_px
from mobile_sdk.cli.processes import end_others
from mobile_sdk.cli.run_folder import NET_FILE, TRAINING, check_net_file, plan_settings, save_trained, stage
from mobile_sdk.cli.tasks import choose_task
from mobile_sdk.cli.terminal import quiet, say, show_json
from mobile_sdk.cli.weights import Weights, pictures_for, read_weights
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.tasks.class_quality import named, worst_labels

if TYPE_CHECKING:
    from mobile_sdk.cli.task import Task, Trained
    from mobile_sdk.contract import Contract, ImageSpec
    from qat.data.pictures import Pictures
    from qat.nets.saved_net import SavedNet
    from qat.training.plan import TrainPlan

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
    net: options.NetOrWeights = None,
    width: options.WidthOrWeights = None,
    head: options.Head = None,
    output_stride: options.OutputStride = None,
    size: options.Size = None,
    name: options.Name = None,
    recipe: Recipe = None,
    epochs: Epochs = None,
    weights: options.Weights = None,
    labels: options.Labels = None,
    class_balance: options.ClassBalance = False,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where net.safetensors goes.")] = Path("runs/train"),
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Train a float net. Killed at any moment, the same command goes on from the last epoch.

    With more --epochs than a finished training in DIR had, the further ones begin from its weights.

    torchrun --standalone --nproc-per-node 2 -m mobile_sdk train … does it on two processes or GPUs, and so do quantize
    and run.
    """
    quiet()
    options.check_balance(class_balance, task)
    if chosen := choose_task(task, head, output_stride):
        if recipe or weights or labels:
            raise SettingError(
                f"expected neither --recipe, --weights nor --labels for {task}, found one", hint="leave it out"
            )
        folder = options.folder_to_write(out)
        backbone, alpha = net or options.DEFAULT_NET, 1.0 if width is None else width
        plan = replace(of_task.choose_plan(chosen, epochs, seed), class_balance=class_balance)
        _train_for(chosen, data, backbone, alpha, size, name, plan, folder, overwrite, json)
        return
    plan = replace(choose_plan(recipe or default_recipe(data), epochs, seed), class_balance=class_balance)
    start = choose_start(data, weights, net=net, width=width, size=size, name=name, labels=labels)
    check_labelled(start.pictures, data)
    say(counts_line(start.pictures))
    saved = train_net(start, plan, options.folder_to_write(out), overwrite=overwrite)
    end_others()
    _show("float_accuracy_share", "validation accuracy", saved.title, saved, out, json)


def _train_for(
    task: "Task[Any]",
    data: str,
    net: str,
    width: float,
    size: int | None,
    name: str | None,
    plan: "TrainPlan",
    out: Path,
    overwrite: bool,
    json: bool,
) -> None:
    side = task.side_px(data, size)
    of_task.check_net(task, net, width, side)
    pictures = task.load_pictures(data)
    say(labels_line(pictures.labels))
    contract = of_task.make_contract(task, name, data, pictures.labels, side)
    trained = of_task.train(task, net, width, contract, pictures, plan, data, out, overwrite=overwrite)
    end_others()
    _show(task.share_field, task.measure, task.title(net), trained, out, json)


def _show(field: str, measure: str, title: str, trained: "SavedNet | Trained", out: Path, json: bool) -> None:
    """What the net came to on held-out pictures, on average and label by label."""
    share, labels = trained.history[-1]["validation_accuracy_share"], trained.contract.labels
    if json:
        by_label = named(labels, trained.by_label)
        show_json({"net": str(out / NET_FILE), field: share, "by_label": by_label, "history": trained.history})
        return
    print(f"{out / NET_FILE}: {title}, {measure} {share:.2%}")
    if worst := worst_labels(labels, trained.by_label):
        print(worst)


def default_recipe(data: str) -> str:
    """The recipe where none is named."""
    return "digits" if data == options.DIGITS else "default"


def choose_plan(recipe: str, epochs: int | None, seed: int) -> "TrainPlan":
    """The named recipe, with another number of epochs or seed where given; at most half of it is warm-up."""
    from qat.data.augmentation.classification import Augmentation
    from qat.training.plan import TrainPlan

    options.check_choice("a recipe", recipe, RECIPES)
    plans: dict[str, Callable[[], TrainPlan]] = {
        "default": TrainPlan,
        "digits": TrainPlan.digits,
        "mobilenet-v1": TrainPlan.mobilenet_v1_paper,
        "mobilenet-v2": TrainPlan.mobilenet_v2_paper,
        "mobilenet-v3": TrainPlan.mobilenet_v3_paper,
    }
    plan = plans[recipe]()
    return replace(plan.over(epochs or plan.epochs), seed=seed).augmenting(Augmentation)


def check_net(name: str, width: float, image: "ImageSpec") -> None:
    """Raises SettingError for a net that cannot be built, before pictures are read for it."""
    import torch

    from mobile_sdk.contract import Contract

    with torch.device("meta"):
        build_named(name, Contract(name="check", labels=("one", "other"), image=image), width)


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """What a classifier starts from: a net by name or file, its contract, its pictures, and weights if not nothing."""

    net: str
    width: float
    contract: "Contract"
    pictures: "Pictures"
    weights: Weights | None = None


def choose_start(
    data: str,
    weights: Path | None,
    *,
    net: str | None,
    width: float | None,
    size: int | None,
    name: str | None,
    labels: str | None,
    learns: bool = True,
    trains_float: bool = True,
) -> Start:
    """What the options ask for; `learns` and `trains_float` are as `pictures_for` takes them."""
    from mobile_sdk.contract import ImageSpec

    if weights is not None:
        found = read_weights(weights, data, net=net, width=width, size=size, labels=labels)
        pictures = pictures_for(found, data, learns=learns, trains_float=trains_float)
        contract = found.contract(name, data, pictures.labels)
        return Start(net=found.net, width=found.width, contract=contract, pictures=pictures, weights=found)
    if labels is not None:
        raise SettingError(
            "expected --labels beside --weights, found it alone", hint="the pictures' folders say labels"
        )
    chosen, alpha = net or options.DEFAULT_NET, 1.0 if width is None else width
    image = ImageSpec(size_px=size_px(data, size))
    check_net(chosen, alpha, image)
    pictures = load_pictures(data)
    return Start(net=chosen, width=alpha, contract=make_contract(name, data, pictures.labels, image), pictures=pictures)


def check_labelled(pictures: "Pictures", data: str) -> None:
    """Raises DataError for pictures that a float net cannot learn from."""
    if not is_labelled(pictures):
        raise DataError(
            f"expected pictures with labels to train on, found none with labels of the net in {data}",
            hint="lay them out as FOLDER/<label>/*.jpg; quantize, and run --epochs 0, do without labels",
        )


def is_labelled(pictures: "Pictures") -> bool:
    """Whether every picture says a label."""
    return min((*pictures.train.targets, *pictures.validation.targets)) >= 0


def train_net(start: Start, plan: "TrainPlan", out: Path, *, overwrite: bool = False) -> "SavedNet":
    """Trains the net in `out/train`, resuming there, and writes `out/net.safetensors`."""
    import torch

    from qat.distributed.torchrun import is_main_process
    from qat.nets.saved_net import SavedNet
    from qat.nets.weights.published import load_weights
    from qat.tasks.classification.training import fit

    torch.manual_seed(plan.seed)
    net = build_named(start.net, start.contract, start.width)
    if start.weights:
        say(str(load_weights(net, start.weights.path)))
    check_net_file(out, overwrite)
    learned = fit(net, start.pictures, plan, out=out / TRAINING, overwrite=overwrite)
    saved = SavedNet(
        **header_fields(start.net, start.width),
        contract=start.contract,
        settings=plan_settings(plan),
        history=stage("float", learned.epochs),
        by_label=learned.by_label,
    )
    if is_main_process():
        save_trained(net, saved, out)
    return saved
