"""The steps of `mobile-sdk search`: the start net, the search itself, the net that was found, the plot."""

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobile_sdk.cli.latency_judge import LatencyJudge
from mobile_sdk.cli.pictures import in_order_of, load_pictures, make_contract, size_px
from mobile_sdk.cli.run_folder import NET_FILE, plan_settings, stage
from mobile_sdk.cli.search_settings import SearchSettings, target_from
from mobile_sdk.cli.terminal import say
from mobile_sdk.errors import DataError

if TYPE_CHECKING:
    from mobile_sdk.contract import Contract
    from mobile_sdk.report.data import Search
    from qat.data.pictures import Pictures
    from qat.nets.architecture import Architecture
    from qat.search.evaluation import Parent, Task
    from qat.search.record import Candidate, SearchRecord, SearchResult
    from qat.search.rounds import Method
    from qat.search.target import Judge
    from qat.training.plan import TrainPlan

POPULATION = 16  # of evolution
PLOTS = ("pareto.svg", "pareto.png")


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """What a search begins with; `state` is None where the start net is still to be trained."""

    net: str
    width: float
    architecture: "Architecture"
    contract: "Contract"
    pictures: "Pictures"
    state: "dict[str, Any] | None" = None


def choose_source(asked: SearchSettings, size: int | None, name: str | None) -> Source:
    """The start net and its pictures; SettingError for a net that is not of the family, DataError for the pictures."""
    from mobile_sdk.contract import ImageSpec
    from qat.nets.classifiers.mobilenet_v3 import architecture_of
    from qat.nets.saved_net import load_net

    if asked.weights is None:
        architecture = architecture_of(asked.net, asked.width)
        pictures = load_pictures(asked.data)
        contract = make_contract(name, asked.data, pictures.labels, ImageSpec(size_px=size_px(asked.data, size)))
        return Source(net=asked.net, width=asked.width, architecture=architecture, contract=contract, pictures=pictures)
    net, saved = load_net(asked.weights)
    if saved.contract.task != "classification":
        raise DataError(f"expected a classifier in {asked.weights}, found a detector", hint="name a classifier's file")
    contract = make_contract(name or saved.contract.name, asked.data, saved.contract.labels, saved.contract.image)
    return Source(
        net=saved.net,
        width=saved.width,
        architecture=saved.architecture or architecture_of(saved.net, saved.width),
        contract=contract,
        pictures=in_order_of(contract, load_pictures(asked.data)),
        state=net.state_dict(),
    )


def run_search(
    asked: SearchSettings,
    judge: LatencyJudge,
    plan: "TrainPlan",
    source: Source,
    out: Path,
    *,
    workers: int | None,
    address: str | None,
) -> "SearchRecord":
    """Searches in `out`, or goes on there, and then trains what was found: `out/net.safetensors`."""
    from qat.search.evaluation import Task, held_apart
    from qat.search.record import SearchFolder
    from qat.search.rounds import search
    from qat.search.space.architecture_graph import drawn_graph
    from qat.search.workers import ray_workers

    classes, side = len(source.contract.labels), source.contract.image.size_px
    drawn = partial(drawn_graph, classes=classes, size_px=side)

    @cache
    def latency_ms(architecture: "Architecture") -> float:
        return judge.latency_ms(drawn(architecture))

    folder = SearchFolder(out, _settings(asked, judge, plan, source))
    known = folder.record.candidates
    start_ms = known[0].latency_ms if known else latency_ms(source.architecture)
    target_ms = target_from(asked.target_ms, asked.target_share, start_ms)
    method = _method(asked, latency_ms, source, start_ms)
    if not known:
        method.check(source.architecture, start_ms)
    say(f"start net {start_ms:.3f} ms, target {target_ms:.3f} ms ({judge.said})")
    pictures, length = held_apart(source.pictures), asked.candidate_epochs
    of_candidates = plan if method.carries_weights else plan.over(length)
    task = Task(pictures=pictures, contract=source.contract, plan=of_candidates, steps=asked.steps)
    start = _start(task, source, out, is_trained=method.carries_weights)
    with ray_workers(task, workers=workers, address=address) as evaluate:
        record = search(method, evaluate, folder, start, start_ms, seed=asked.seed)
    found = record.candidates[record.taken[-1]]
    again_ms = judge.latency_ms(drawn(found.architecture)) if judge.is_measured else None
    result = _trained_result(found, plan, source, out)
    is_met = (again_ms or found.latency_ms) <= target_ms
    update = {"target_ms": target_ms, "is_met": is_met, "measured_again_ms": again_ms}
    folder.conclude(result.model_copy(update=update))
    return folder.record


def save_plots(search: "Search", out: Path) -> None:
    """Writes the Pareto plot of all candidates, as SVG and as PNG."""
    from mobile_sdk.report.plots.pareto_plot import save_pareto_plot

    for name in PLOTS:
        save_pareto_plot(search, out / name)


def told(record: "SearchRecord") -> "Search":
    """A search that is at its end, as a report tells of it."""
    from mobile_sdk.report.data import Search, SearchedNet
    from qat.search.pareto import pareto_front
    from qat.search.target import target_line

    if record.result is None:
        raise DataError("expected a search that came to its end, found one on its way", hint="let it go on: search")
    settings, result = record.settings, record.result
    nets = [
        SearchedNet(
            number=each.number,
            latency_ms=each.latency_ms,
            accuracy_share=each.accuracy_share or 0.0,
            change=each.change,
        )
        for each in record.candidates
    ]
    target_ms = target_from(settings["target_ms"], settings["target_share"], nets[0].latency_ms)  # type: ignore[arg-type]
    again_ms = result.measured_again_ms
    return Search(
        method=str(settings["method"]),
        latencies=str(settings["device"]),
        target_ms=target_ms,
        candidates=tuple(nets),
        front=tuple(pareto_front([(each.latency_ms, each.accuracy_share) for each in nets])),
        taken=record.taken,
        accuracy_share=result.float_accuracy_share,
        pictures=result.pictures,
        measured_again_ms=again_ms,
        target_said=target_line(target_ms, nets[record.taken[-1]].latency_ms, nets=len(nets), again_ms=again_ms),
    )


def _settings(asked: SearchSettings, judge: LatencyJudge, plan: "TrainPlan", source: Source) -> dict[str, Any]:
    """All that decides the result: a search goes on only where none of it has changed."""
    import hashlib

    from mobile_sdk.system.regular_file import MOST_WEIGHTS, read_regular
    from qat.data.content_hash import data_fingerprint

    content = None if asked.weights is None else read_regular(asked.weights, at_most=MOST_WEIGHTS)
    return {
        **asked.for_record(),
        "weights": content and hashlib.sha256(content).hexdigest(),
        "device": judge.said,
        **data_fingerprint(source.pictures.train, source.pictures.validation, "labels"),
        "contract": source.contract.model_dump(mode="json"),
        "plan": plan_settings(plan),
    }


def _method(asked: SearchSettings, judge: "Judge", source: Source, start_ms: float) -> "Method":
    from qat.search.evolution import Rewarded
    from qat.search.netadapt import NetAdapt
    from qat.search.reward import Reward
    from qat.search.space.space import Space

    target_ms = target_from(asked.target_ms, asked.target_share, start_ms)
    if asked.method == "netadapt":
        return NetAdapt(judge=judge, target_ms=target_ms, step_share=asked.step_share)
    return Rewarded(
        judge=judge,
        space=Space(start=source.architecture),
        reward=Reward(target_ms=target_ms, exponent=asked.exponent, is_hard=asked.is_hard),
        count=asked.candidates,
        seed=asked.seed,
        population=POPULATION if asked.method == "evolution" else None,
    )


def _start(task: "Task", source: Source, out: Path, *, is_trained: bool) -> "Parent":
    """The start net with its weights, where those are carried on: trained in `out/start`, unless it came trained."""
    import torch

    from qat.nets.classifiers.mobilenet_v3 import build_for
    from qat.search.evaluation import Parent
    from qat.tasks.classification.training import fit

    if source.state is not None or not is_trained:
        return Parent(architecture=source.architecture, state=source.state or {})
    say("training the start net")
    torch.manual_seed(task.plan.seed)
    net = build_for(source.architecture, task.contract)
    fit(net, task.pictures, task.plan, out=out / "start")
    return Parent(architecture=source.architecture, state=net.state_dict())


def _trained_result(found: "Candidate", plan: "TrainPlan", source: Source, out: Path) -> "SearchResult":
    """The net that was found, trained from nothing on all pictures to learn from, as the paper does (section 4.2)."""
    import torch

    from qat.nets.classifiers.mobilenet_v3 import build_for
    from qat.nets.saved_net import SavedNet, save_net
    from qat.search.record import SearchResult
    from qat.tasks.classification.training import fit

    say("training the net that was found")
    torch.manual_seed(plan.seed)
    net = build_for(found.architecture, source.contract)
    epochs = fit(net, source.pictures, plan, out=out / "final").epochs
    saved = SavedNet(
        net=source.net,
        width=source.width,
        architecture=found.architecture,
        contract=source.contract,
        settings=plan_settings(plan),
        history=stage("float", epochs),
    )
    save_net(net, saved, out / NET_FILE)
    return SearchResult(
        number=found.number,
        latency_ms=found.latency_ms,
        float_accuracy_share=epochs[-1].validation_accuracy_share or 0.0,
        pictures=len(source.pictures.validation),
    )
