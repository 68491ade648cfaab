"""`mobile-sdk run`: the whole way, from pictures to a report."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobile_sdk.cli import options, quantize, train
from mobile_sdk.cli.terminal import progress, quiet, say, show_json, show_rich

if TYPE_CHECKING:
    from mobile_sdk.bundle import Bundle
    from mobile_sdk.measurements import Numbers
    from mobile_sdk.program import Program
    from mobile_sdk.verdict import Verdict
    from mobile_sdk.report.data import Report
    from qat.data import Pictures
    from qat.picture_set import PictureSet
    from qat.plan import TrainPlan

STEPS = 6
LAYER_PICTURES = 64  # for the distance of every layer: enough for a steady figure, all tensors of them fit in memory
RUN_EPOCHS = 10  # the digits are learned by then (98 %), and a first run should not take longer than a coffee


def run(
    data: options.Data = options.DIGITS,
    net: options.Net = "mobilenet_v3_small",
    width: options.Width = 1.0,
    size: options.Size = None,
    name: options.Name = None,
    epochs: train.Epochs = None,
    qat_epochs: Annotated[int, typer.Option("--qat-epochs", min=0, help="Epochs in int8; 0 only calibrates.")] = 3,
    seed: train.Seed = 0,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where everything goes.")] = Path("runs/digits"),
    json: options.Json = False,
) -> None:
    """Go the whole way: pictures → int8 program → three exact bundles → verdict → numbers → report.html.

    Without --data it learns the built-in MNIST digits. Killed at any moment, the same command goes on.
    """
    from mobile_sdk.contract import Contract, ImageSpec

    quiet()
    started = time.monotonic()
    with _step(1, "pictures"):
        pictures = options.load_pictures(data)
        say(
            f"{len(pictures.train)} to learn from, {len(pictures.validation)} to validate, {len(pictures.labels)} labels"
        )
        image = ImageSpec(size_px=options.size_px(data, size))
        contract = Contract(name=name or options.data_name(data), labels=pictures.labels, image=image)
    with _step(2, f"train {net} in float"):
        digits = data == options.DIGITS
        plan = train.choose_plan("digits" if digits else "default", epochs or (RUN_EPOCHS if digits else None), seed)
        train.train_net(net, width, contract, pictures, plan, out)
    with _step(3, "train in int8 and freeze" if qat_epochs else "calibrate and freeze"):
        program = _quantize(out, pictures, plan, qat_epochs)
    with _step(4, "export"):
        bundles = _export(program, out, pictures.validation)
    with _step(5, "verify"):
        verdicts = _verify(bundles, program, out, pictures.validation)
    with _step(6, "bench and report"):
        numbers = _bench(bundles, out)
        report = _report(
            out, verdicts, numbers, program, bundles, pictures, f"--net {net} --width {width:g} --seed {seed}"
        )
    say(f"done in {time.monotonic() - started:.0f} s")
    if json:
        show_json(report.model_dump(mode="json"))
    else:
        from mobile_sdk.report.terminal import summary_table

        show_rich(summary_table(report))
        print(f"{out / 'report.html'}  {out / 'report.json'}")
    if any(verdict.status == "fail" for verdict in verdicts):
        raise typer.Exit(1)


@contextmanager
def _step(number: int, what: str) -> Iterator[None]:
    """Says which step begins, and how long it took."""
    say(f"[{number}/{STEPS}] {what}")
    started = time.monotonic()
    yield
    say(f"[{number}/{STEPS}] {what}: {time.monotonic() - started:.1f} s")


def _quantize(out: Path, pictures: "Pictures", plan: "TrainPlan", epochs: int) -> "Program":
    from qat.plan import TrainPlan
    from qat.saved_net import load_net

    float_net, saved = load_net(out / "net.safetensors")
    finetune = TrainPlan.finetune(epochs=epochs, after=plan) if epochs else None
    return quantize.quantize_net(float_net, saved.net, saved.contract, pictures, finetune, out, saved.history)


def _export(program: "Program", out: Path, pictures: "PictureSet") -> "list[Bundle]":
    """The int8 bundles, and their float32 twins for the runtimes that are measured here."""
    from mobile_sdk.lowering import lower
    from mobile_sdk.program import Program

    twin = Program.load(out / quantize.TWIN)
    with progress("export") as report:
        bundles = lower(program, out / "bundles", pictures=pictures, progress=report)
        twins = lower(twin, out / "bundles", runtimes=("executorch", "tflite"), pictures=pictures, progress=report)
    return [*bundles, *twins]


def _verify(bundles: "list[Bundle]", program: "Program", out: Path, pictures: "PictureSet") -> "list[Verdict]":
    from mobile_sdk.program import Program
    from mobile_sdk.verdict import write_verdicts
    from mobile_sdk.verification import verify

    twin = Program.load(out / quantize.TWIN)
    verdicts = []
    for bundle in bundles:
        with progress(f"verify {bundle.path.name}") as report:
            source = program if bundle.manifest.precision == "int8" else twin
            verdicts.append(verify(bundle, source, pictures, progress=report))
    write_verdicts(verdicts, out / "verify.json")
    return verdicts


def _bench(bundles: "list[Bundle]", out: Path) -> "Numbers":
    from mobile_sdk.benchmarking import benchmark, write_numbers

    with progress("bench") as report:
        numbers = benchmark(bundles, progress=report)
    write_numbers(numbers, out / "bench.json")
    return numbers


def _report(
    out: Path,
    verdicts: "list[Verdict]",
    numbers: "Numbers",
    program: "Program",
    bundles: "list[Bundle]",
    pictures: "Pictures",
    settings: str,
) -> "Report":
    from mobile_sdk.layers import layer_distances
    from mobile_sdk.program import Program
    from mobile_sdk.report.write import write_report

    twin = Program.load(out / quantize.TWIN)
    sample = pictures.validation[:LAYER_PICTURES].bytes(program.contract.image)
    layers = layer_distances(program.graph, twin.graph, sample)
    command = f"mobile-sdk run {settings} --out {out}"
    return write_report(
        out / "report.html", verdicts, numbers, program=program, bundles=bundles, layers=layers, commands=[command]
    )
