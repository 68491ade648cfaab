"""`mobile-sdk run`: the whole way, from pictures to a report."""

import shlex
import sys
import time
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_sdk.cli import float_net, options, quantize, train
from mobile_sdk.cli import task as of_task
from mobile_sdk.cli.pictures import counts_line, labels_line
from mobile_sdk.cli.run_folder import NET_FILE, TWIN
from mobile_sdk.cli.tasks import choose_task
from mobile_sdk.cli.terminal import progress, quiet, say, show_json, show_rich
from mobile_sdk.errors import SettingError

if TYPE_CHECKING:
    from mobile_sdk.benchmarking.measurements import Numbers
    from mobile_sdk.bundle.bundle import Bundle
    from mobile_sdk.cli.tasks import HeldOut
    from mobile_sdk.program.program import Program
    from mobile_sdk.report.data import Report
    from mobile_sdk.verification.verdict import Verdict
    from qat.training.plan import TrainPlan

    Learned = tuple[Program, Path, HeldOut]

STEPS = 6
LAYER_PICTURES = 64  # for the distance of every layer: enough for a steady figure, all tensors of them fit in memory
DIGITS_EPOCHS = 10  # the digits are learned by then (98 %), and a first run should not take longer than a coffee


def run(
    data: options.Data = options.DIGITS,
    task: options.Task = "classification",
    weights: options.Weights = None,
    labels: options.Labels = None,
    net: options.NetOrWeights = None,
    width: options.WidthOrWeights = None,
    head: options.Head = None,
    output_stride: options.OutputStride = None,
    size: options.Size = None,
    name: options.Name = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            min=0,
            help="Epochs in float; 0 takes --weights as they are, which is the default for pictures without labels. "
            "Default: the recipe's own.",
        ),
    ] = None,
    qat_epochs: Annotated[
        int | None,
        typer.Option(
            "--qat-epochs", min=0, help="Epochs in int8; 0 only calibrates. Default: 3 for classification, else 0."
        ),
    ] = None,
    class_balance: options.ClassBalance = False,
    seed: train.Seed = 0,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where everything goes. Default: runs/NAME.")
    ] = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Go the whole way: pictures → int8 program → three exact bundles → verdict → numbers → report.html.

    Without --data it learns the built-in MNIST digits. With --weights it starts from a checkpoint; with --epochs 0 too,
    pictures need no labels. Killed at any moment, the same command goes on.
    """
    quiet()
    started_s = time.monotonic()
    options.check_balance(class_balance, task)
    chosen = choose_task(task, head, output_stride)
    asked = _Asked(
        data=data,
        weights=weights,
        labels=labels,
        net=net,
        width=width,
        size=size,
        name=name,
        epochs=epochs,
        qat_epochs=qat_epochs,
        class_balance=class_balance,
        seed=seed,
        out=out,
        overwrite=overwrite,
    )
    program, folder, pictures = _learn(chosen, asked) if chosen else _classify(asked)
    report = _deploy(program, folder, pictures)
    say(f"done in {time.monotonic() - started_s:.0f} s")
    _show(report, folder, json)
    if any(line.outcome == "fail" for line in report.bundles):
        raise typer.Exit(1)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """The options of `run`, as they were given."""

    data: str
    weights: Path | None
    labels: str | None
    net: str | None
    width: float | None
    size: int | None
    name: str | None
    epochs: int | None
    qat_epochs: int | None
    class_balance: bool
    seed: int
    out: Path | None
    overwrite: bool


def _classify(asked: _Asked) -> "Learned":
    """Steps 1 to 3 of a classifier."""
    data = asked.data
    if asked.epochs == 0 and asked.weights is None:
        raise SettingError("expected --epochs 0 beside --weights, found no weights", hint="train for an epoch or more")
    length = asked.epochs or (DIGITS_EPOCHS if data == options.DIGITS else None)
    plan = train.choose_plan(train.default_recipe(data), length, asked.seed)
    plan = replace(plan, class_balance=asked.class_balance)
    qat_epochs = 3 if asked.qat_epochs is None else asked.qat_epochs
    with _step(1, "pictures"):
        start = train.choose_start(
            data,
            asked.weights,
            net=asked.net,
            width=asked.width,
            size=asked.size,
            name=asked.name,
            labels=asked.labels,
            learns=asked.epochs != 0 or qat_epochs > 0,
            trains_float=asked.epochs != 0,
        )
        pictures = start.pictures
        _say_sizes(pictures.train, pictures.validation)
        say(counts_line(pictures))
    folder = options.folder_to_write(asked.out or Path("runs", start.contract.name))
    source = _float_net(start, asked, plan, folder)
    with _step(3, "train in int8 and freeze" if qat_epochs else "calibrate and freeze"):
        finetune = quantize.plan_in_int8(source, qat_epochs, plan) if qat_epochs else None
        program = quantize.quantize_net(source, pictures, finetune, folder, overwrite=asked.overwrite)
    return program, folder, pictures.validation


def _float_net(start: train.Start, asked: _Asked, plan: "TrainPlan", folder: Path) -> float_net.FloatNet:
    """Step 2: the net trained in float, or as its weights are, where that is asked for or nothing says labels."""
    is_taken = asked.epochs == 0 or (asked.epochs is None and not train.is_labelled(start.pictures))
    if start.weights and is_taken:
        if asked.class_balance:
            raise SettingError(
                "expected --class-balance beside training in float, found weights that are taken as they are",
                hint="leave it out, or give --epochs 1 or more",
            )
        with _step(2, f"{start.weights.title} as it is in {start.weights.path}"):
            return start.weights.float_net(start.contract)
    train.check_labelled(start.pictures, asked.data)
    with _step(2, f"train {start.weights.title if start.weights else start.net} in float"):
        train.train_net(start, plan, folder, overwrite=asked.overwrite)
    return float_net.trained(folder / NET_FILE)


def _learn(task: of_task.Task[Any], asked: _Asked) -> "Learned":
    """Steps 1 to 3 of a detector or segmenter."""
    if asked.weights or asked.labels or asked.epochs == 0:
        raise SettingError(
            f"expected neither --weights, --labels nor --epochs 0 for {task.name}, found one", hint="leave it out"
        )
    net, width = asked.net or options.DEFAULT_NET, 1.0 if asked.width is None else asked.width
    plan = replace(of_task.choose_plan(task, asked.epochs, asked.seed), class_balance=asked.class_balance)
    side = task.side_px(asked.data, asked.size)
    of_task.check_net(task, net, width, side)
    with _step(1, f"pictures for {task.name}"):
        pictures = task.load_pictures(asked.data)
        _say_sizes(pictures.train, pictures.validation)
        say(labels_line(pictures.labels))
    contract = of_task.make_contract(task, asked.name, asked.data, pictures.labels, side)
    folder = options.folder_to_write(asked.out or Path("runs", contract.name))
    with _step(2, f"train {task.title(net)} in float"):
        source = of_task.train(
            task, net, width, contract, pictures, plan, asked.data, folder, overwrite=asked.overwrite
        )
    with _step(3, "train in int8 and freeze" if asked.qat_epochs else "calibrate and freeze"):
        finetune = of_task.plan_in_int8(asked.qat_epochs, plan) if asked.qat_epochs else None
        program = of_task.quantize(source, pictures, finetune, folder, overwrite=asked.overwrite)
    return program, folder, pictures.validation


def _say_sizes(train: Sized, validation: Sized) -> None:
    say(f"{len(train)} pictures to learn from, {len(validation)} to validate")


@contextmanager
def _step(number: int, what: str) -> Iterator[None]:
    """Says which step begins, and how long it took."""
    say(f"[{number}/{STEPS}] {what}")
    started_s = time.monotonic()
    yield
    say(f"[{number}/{STEPS}] {what}: {time.monotonic() - started_s:.1f} s")


def _deploy(program: "Program", out: Path, pictures: "HeldOut") -> "Report":
    """Everything after the program: bundles, verdicts, numbers and the page, all in `out`."""
    from mobile_sdk.program.program import Program

    twin = Program.load(out / TWIN)
    with _step(4, "export"):
        bundles = _export(program, twin, out, pictures)
    with _step(5, "verify"):
        verdicts = _verify(bundles, program, twin, out, pictures)
    with _step(6, "bench and report"):
        numbers = _bench(bundles, out)
        return _report(out, verdicts, numbers, program, twin, bundles, pictures)


def _export(program: "Program", twin: "Program", out: Path, pictures: "HeldOut") -> "list[Bundle]":
    """The int8 bundles, and their float32 twins for the runtimes that are measured here."""
    from mobile_sdk.bundle.lowering import lower

    with progress("export") as report:
        bundles = lower(program, out / "bundles", pictures=pictures, progress=report)
    with progress("export twins") as report:
        twins = lower(twin, out / "bundles", runtimes=("executorch", "tflite"), pictures=pictures, progress=report)
    return [*bundles, *twins]


def _verify(
    bundles: "list[Bundle]", program: "Program", twin: "Program", out: Path, pictures: "HeldOut"
) -> "list[Verdict]":
    from mobile_sdk.verification.verdict import write_verdicts
    from mobile_sdk.verification.verification import verify

    verdicts = []
    for bundle in bundles:
        source = program if bundle.manifest.precision != "float32" else twin
        with progress(f"verify {bundle.path.name}") as report:
            verdicts.append(verify(bundle, source, pictures, progress=report))
    write_verdicts(verdicts, out / "verify.json")
    return verdicts


def _bench(bundles: "list[Bundle]", out: Path) -> "Numbers":
    from mobile_sdk.benchmarking.benchmark import benchmark, write_numbers

    with progress("bench") as report:
        numbers = benchmark(bundles, progress=report)
    write_numbers(numbers, out / "bench.json")
    return numbers


def _report(
    out: Path,
    verdicts: "list[Verdict]",
    numbers: "Numbers",
    program: "Program",
    twin: "Program",
    bundles: "list[Bundle]",
    pictures: "HeldOut",
) -> "Report":
    from mobile_sdk.analysis.layer_distances import layer_distances
    from mobile_sdk.report.write import write_report

    layers = layer_distances(program.graph, twin.graph, pictures[:LAYER_PICTURES].bytes(program.contract.image))
    command = shlex.join(("mobile-sdk", *sys.argv[1:]))
    return write_report(
        out / "report.html",
        verdicts,
        numbers,
        program=program,
        bundles=bundles,
        layers=layers,
        commands=[command],
        pictures=pictures,
    )


def _show(report: "Report", out: Path, json: bool) -> None:
    from mobile_sdk.report.terminal import summary_table

    if json:
        show_json(report.model_dump(mode="json"))
        return
    show_rich(summary_table(report))
    print(f"{out / 'report.html'}  {out / 'report.json'}")
