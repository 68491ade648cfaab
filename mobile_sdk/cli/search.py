"""`mobile-sdk search`: a net for a latency, found from one of MobileNetV3's family."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.latency_judge import choose_judge
from mobile_sdk.cli.run_folder import NET_FILE
from mobile_sdk.cli.search_run import PLOTS, Source, choose_source, run_search, save_plots, told
from mobile_sdk.cli.search_settings import METHODS, SearchSettings
from mobile_sdk.cli.terminal import quiet, show_json, show_table
from mobile_sdk.cli.train import Epochs, Recipe, Seed, choose_plan, default_recipe

if TYPE_CHECKING:
    from mobile_sdk.report.data import Search
    from qat.nets.architecture import Architecture
    from qat.search.record import SearchRecord

LAYERS = ("layer", "kernel", "expansion", "channels", "squeeze-and-excite", "activation")
COLUMNS = ("candidate", "latency ms", "of the start net's", "accuracy, short training %", "change")


def search(
    context: typer.Context,
    data: options.Data = options.DIGITS,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="NAME",
            help="netadapt: the net made narrower step by step, weights carried over, always where it costs least "
            "accuracy for its latency. evolution, random: widths, expansions, kernels, squeeze-and-excite and "
            "activations, every candidate trained from nothing, ranked by accuracy × (latency / target)^w.",
        ),
    ] = "netadapt",
    net: Annotated[
        str, typer.Option("--net", metavar="NAME", help="The net to start from: one of mobilenet_v3_*.")
    ] = "mobilenet_v3_small",
    width: options.Width = 1.0,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="FILE",
            help="net.safetensors of train or search: NetAdapt starts from it instead of training the start net first.",
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="NAME|FILE",
            help="Whose latency counts, in int8: pixel-1 … (predicted); a file that calibrate wrote; or host, "
            "adb:SERIAL, ssh:user@host, where every candidate is measured.",
        ),
    ] = "pixel-1",
    runtime: Annotated[
        str | None,
        typer.Option("--runtime", metavar="NAME", help="tflite-2019 …; where it is measured, tflite or executorch."),
    ] = None,
    target_ms: Annotated[
        float | None, typer.Option("--target-ms", help="The latency to come to, in milliseconds.")
    ] = None,
    target_share: Annotated[
        float | None, typer.Option("--target-share", help="The same as a share of the start net's latency: 0.5.")
    ] = None,
    step_share: Annotated[
        float,
        typer.Option(
            "--step-share", help="NetAdapt's δ: what a step cuts at least, as a share of the start's latency."
        ),
    ] = 0.01,
    steps: Annotated[int, typer.Option("--steps", min=1, help="NetAdapt's T: training steps of each proposal.")] = 50,
    candidates: Annotated[
        int, typer.Option("--candidates", min=1, help="How many nets evolution or random search try.")
    ] = 100,
    candidate_epochs: Annotated[
        int, typer.Option("--candidate-epochs", min=1, help="Epochs that evolution and random search train each net.")
    ] = 5,
    exponent: Annotated[
        float,
        typer.Option(
            "--exponent", help="The reward's w: -0.07 as in MnasNet; -0.15 for small nets, as in MobileNetV3."
        ),
    ] = -0.07,
    hard: Annotated[
        bool, typer.Option("--hard", help="Reward nothing below the target, and charge what is above it in full.")
    ] = False,
    size: options.Size = None,
    name: options.Name = None,
    recipe: Recipe = None,
    epochs: Epochs = None,
    seed: Seed = 0,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Candidates at a time, a core each. Default: all cores.")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            "--address", help="A Ray cluster: auto, 10.0.0.1:6379. Default: RAY_ADDRESS, else this machine alone."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where all of it goes.")] = Path("runs/search"),
    json: options.Json = False,
) -> None:
    """Search a net for a latency, and train it: net.safetensors, search.json, pareto.svg and .png.

    Candidates are judged on a fifth of the pictures to learn from; the result's accuracy is on pictures that the search
    never saw. Killed at any moment, the same command goes on and ends with the same net, whatever --workers says.
    """
    quiet()
    asked = SearchSettings(
        data=data,
        method=options.check_choice("a method", method, METHODS),
        net=net,
        width=width,
        weights=weights,
        target_ms=target_ms,
        target_share=target_share,
        step_share=step_share,
        steps=steps,
        candidates=candidates,
        candidate_epochs=candidate_epochs,
        exponent=exponent,
        is_hard=hard,
        seed=seed,
    )
    asked.check()
    _check_read(context, asked)
    from qat.search.workers import check_ray

    check_ray(address)
    judge = choose_judge(device, runtime)
    plan = choose_plan(recipe or default_recipe(data), epochs, seed)
    source = choose_source(asked, size, name)
    folder = options.folder_to_write(out)
    record = run_search(asked, judge, plan, source, folder, workers=workers, address=address)
    tale = told(record)
    save_plots(tale, folder)
    if json:
        show_json({"net": str(folder / NET_FILE), **record.model_dump(mode="json")})
    else:
        _show(record, tale, source, folder)


def _check_read(context: typer.Context, asked: SearchSettings) -> None:
    """Raises SettingError for an option that the method, or what the weights say, leaves nothing to do."""
    if asked.method == "netadapt":
        names = ("candidates", "candidate_epochs", "exponent", "hard")
        options.check_unread(context, "for netadapt", *names)
    else:
        options.check_unread(context, f"for {asked.method}", "step_share", "steps")
    if asked.is_hard:
        options.check_unread(context, "beside --hard, whose exponent is -1", "exponent")
    if asked.weights is not None:
        options.check_unread(context, f"beside {asked.weights}, which says it", "net", "width", "size")


def _show(record: "SearchRecord", tale: "Search", source: Source, out: Path) -> None:
    """The way that was taken, and what came of it."""
    start = record.candidates[0]
    taken = [record.candidates[number] for number in record.taken]
    rows = [
        (
            str(each.number),
            f"{each.latency_ms:.3f}",
            f"{each.latency_ms / start.latency_ms:.0%}",
            f"{100 * (each.accuracy_share or 0.0):.2f}",
            each.change,
        )
        for each in taken
    ]
    show_table(COLUMNS, rows, numbers=COLUMNS[1:4])
    result = record.result
    assert result is not None
    _show_net(source.architecture, taken[-1].architecture)
    print(
        f"{out / NET_FILE}: {result.latency_ms:.3f} ms, trained to {result.float_accuracy_share:.2%} of "
        f"{result.pictures} held-out pictures"
    )
    print(tale.target_said)
    print(f"{len(record.candidates)} candidates: {out / 'search.json'}, {out / PLOTS[1]}")
    print(f"next: mobile-sdk quantize --weights {out / NET_FILE} --data …")


def _show_net(start: "Architecture", found: "Architecture") -> None:
    """Every block of the net that was found, and what it was in the start net."""
    rows: list[tuple[str, ...]] = [("stem", "", "", _changed(start.stem, found.stem), "", "")]
    for index, (old, new) in enumerate(zip(start.blocks, found.blocks, strict=True), start=1):
        fields = (_changed(before, after) for before, after in zip(old[:5], new[:5], strict=True))
        rows.append((f"block {index}", *fields))
    rows += [
        (name, "", "", _changed(getattr(start, name), getattr(found, name)), "", "") for name in ("last", "hidden")
    ]
    show_table(LAYERS, rows)


def _changed(before: object, after: object) -> str:
    words: dict[object, str] = {True: "yes", False: "no"}
    was, now = (words.get(value, str(value)) if isinstance(value, bool) else str(value) for value in (before, after))
    return now if was == now else f"{was} → {now}"
