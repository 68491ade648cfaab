"""`mobile-sdk search` finds a net for a latency, starting from one of MobileNetV3's family."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.blocks import ContractOptions, RecipeOptions, fields_of
from mobile_sdk.cli.tables import show_table, show_text
from mobile_sdk.cli.terminal import quiet, show_json
from mobile_sdk.errors import SettingError
from mobile_sdk.runtimes import called
from mobile_sdk.workflow.choices import DIGITS
from mobile_sdk.workflow.run_files import NET_FILE, PARETO_PLOTS
from mobile_sdk.workflow.search.settings import SearchSettings
from qat.progress import Shown

if TYPE_CHECKING:
    from mobile_sdk.workflow.search.latency_search import Searched
    from qat.nets.architecture import Architecture

LAYERS = ("layer", "kernel", "expansion", "channels", "squeeze-and-excite", "activation")
COLUMNS = ("candidate", "latency ms", "of the start net's", "accuracy, short training %", "change")


@dataclass(frozen=True, kw_only=True)
class StartNetOptions:
    """Names the method, and the net that it starts from."""

    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="NAME",
            help="netadapt: the net made narrower step by step, weights carried over, always where it costs least "
            "accuracy for its latency. evolution, random: widths, expansions, kernels, squeeze-and-excite and "
            "activations, every candidate trained from nothing, ranked by accuracy × (latency / target)^w.",
        ),
    ] = "netadapt"
    net: Annotated[str, typer.Option("--net", metavar="NAME", help="The net to start from: one of mobilenet_v3_*.")] = (
        "mobilenet_v3_small"
    )
    width: options.Width = 1.0
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="FILE",
            help="net.safetensors of train or search: NetAdapt starts from it instead of training the start net first.",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class LatencyOptions:
    """Sets the device whose latency counts, and its target."""

    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="NAME|FILE",
            help="Whose latency counts, in int8: pixel-1 … (predicted); a file that calibrate wrote; or host, "
            "adb:SERIAL, ssh:user@host, where every candidate is measured.",
        ),
    ] = "pixel-1"
    runtime: Annotated[
        str | None,
        typer.Option("--runtime", metavar="NAME", help="tflite-2019 …; where it is measured, one that devices run."),
    ] = None
    target_ms: Annotated[float | None, typer.Option("--target-ms", help="The latency to come to, in milliseconds.")] = (
        None
    )
    target_share: Annotated[
        float | None, typer.Option("--target-share", help="The same as a share of the start net's latency: 0.5.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class BudgetOptions:
    """Sets the budget of each method, and how evolution and random search weigh latency."""

    step_share: Annotated[
        float,
        typer.Option(
            "--step-share", help="NetAdapt's δ: what a step cuts at least, as a share of the start's latency."
        ),
    ] = 0.01
    steps: Annotated[int, typer.Option("--steps", min=1, help="NetAdapt's T: training steps of each proposal.")] = 50
    candidates: Annotated[
        int, typer.Option("--candidates", min=1, help="How many nets evolution or random search try.")
    ] = 100
    candidate_epochs: Annotated[
        int, typer.Option("--candidate-epochs", min=1, help="Epochs that evolution and random search train each net.")
    ] = 5
    exponent: Annotated[
        float,
        typer.Option(
            "--exponent", help="The reward's w: -0.07 as in MnasNet; -0.15 for small nets, as in MobileNetV3."
        ),
    ] = -0.07
    hard: Annotated[
        bool, typer.Option("--hard", help="Reward nothing below the target, and charge what is above it in full.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class MethodOptions:
    """Sets a search's start, target and budget."""

    start: StartNetOptions
    latency: LatencyOptions
    budget: BudgetOptions


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """Seeds a search, and sets where its candidates are trained."""

    seed: options.Seed = 0
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Candidates at a time, a core each. Default: all cores.")
    ] = None
    address: Annotated[
        str | None,
        typer.Option(
            "--address", help="A Ray cluster: auto, 10.0.0.1:6379. Default: RAY_ADDRESS, else this machine alone."
        ),
    ] = None


def search(
    context: typer.Context,
    data: options.Data = DIGITS,
    *,
    method: MethodOptions,
    contract: ContractOptions,
    recipe: RecipeOptions,
    worker: WorkerOptions,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where all of it goes.")] = Path("runs/search"),
    json: options.Json = False,
) -> None:
    """Search a net for a latency, and train it: net.safetensors, search.json, pareto.svg and .png.

    Candidates are judged on a fifth of the pictures to learn from; the result's accuracy is on pictures that the search
    never saw. Killed at any moment, the same command goes on and ends with the same net, whatever --workers says.
    """
    quiet()
    given = fields_of(method, contract, recipe, worker)
    if (channels := given.pop("channels")) is not None:
        raise SettingError(f"expected a search for RGB pictures, found --channels {channels}", hint="leave it out")
    if method.latency.runtime is not None:
        given["runtime"] = called(method.latency.runtime)
    asked = SearchSettings(data=data, is_hard=given.pop("hard"), out=out, **given)
    asked.check()
    _check_read(context, asked)
    from mobile_sdk.workflow.search.latency_search import search as search_net

    found = search_net(asked, progress=Shown.get())
    if json:
        show_json({"net": str(out / NET_FILE), **found.record.model_dump(mode="json")})
    else:
        _show(found, out)


def _check_read(context: typer.Context, asked: SearchSettings) -> None:
    """Raises SettingError for an option that the method, or the file of weights, makes useless."""
    if asked.method == "netadapt":
        names = ("candidates", "candidate_epochs", "exponent", "hard")
        options.check_unread(context, "for netadapt", *names)
    else:
        options.check_unread(context, f"for {asked.method}", "step_share", "steps")
    if asked.is_hard:
        options.check_unread(context, "beside --hard, whose exponent is -1", "exponent")
    if asked.weights is not None:
        options.check_unread(context, f"beside {asked.weights}, which says it", "net", "width", "size")


def _show(found: "Searched", out: Path) -> None:
    """Shows the accepted candidates, and the result."""
    record = found.record
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
    _show_net(found.start, taken[-1].architecture)
    show_text(
        f"{out / NET_FILE}: {result.latency_ms:.3f} ms, trained to {result.float_accuracy_share:.2%} of "
        f"{result.pictures} held-out pictures"
    )
    show_text(found.summary.target_said)
    show_text(f"{len(record.candidates)} candidates: {out / 'search.json'}, {out / PARETO_PLOTS[1]}")
    print(f"next: mobile-sdk quantize --weights {out / NET_FILE} --data …")


def _show_net(start: "Architecture", found: "Architecture") -> None:
    """Shows every block of the found net beside that of the start net."""
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
