"""Searches a net for a latency, from the start net to the found net and its plot."""

import hashlib
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from mobile_sdk.program.earlier_documents import EarlierContract
from mobile_sdk.report.data import Search
from mobile_sdk.system.progress import Progress
from mobile_sdk.system.regular_file import MOST_WEIGHTS, read_regular
from mobile_sdk.workflow.output_paths import folder_to_write
from mobile_sdk.workflow.run_files import NET_FILE
from mobile_sdk.workflow.run_folder import plan_settings, stage
from mobile_sdk.workflow.search.latency_judge import LatencyJudge, choose_judge
from mobile_sdk.workflow.search.settings import SearchSettings, target_from
from mobile_sdk.workflow.search.source import Source, choose_source
from mobile_sdk.workflow.search.summary import save_plots, summary_of
from mobile_sdk.workflow.sources.weights import check_weights
from mobile_sdk.workflow.tasks.classification import Classification
from qat.data.content_hash import data_fingerprint
from qat.nets.architecture import Architecture
from qat.nets.classifiers.mobilenet_v3 import build_for
from qat.nets.saved_net import SavedNet, save_net
from qat.progress import Shown, say, shown
from qat.search.evaluation import CandidateTraining, Parent, held_apart
from qat.search.evolution import Rewarded
from qat.search.netadapt import NetAdapt
from qat.search.record import Candidate, SearchFolder, SearchRecord, SearchResult
from qat.search.reward import Reward
from qat.search.rounds import Method
from qat.search.rounds import search as search_rounds
from qat.search.space.architecture_graph import drawn_graph
from qat.search.space.space import Space
from qat.search.target import Judge
from qat.search.workers import check_ray, ray_workers
from qat.tasks.classification.training import fit
from qat.training.checkpoint import alone_in
from qat.training.plan import TrainPlan

POPULATION = 16  # nets in a generation of evolution


@dataclass(frozen=True, kw_only=True, eq=False)
class Searched:
    """Holds a finished search: its record, its summary for a report, and the net that it began with."""

    record: SearchRecord
    summary: Search
    start: Architecture


def search(asked: SearchSettings, *, progress: Progress = True) -> Searched:
    """Runs the search of the settings, or resumes it; writes net.safetensors, search.json and the plots.

    Candidates are evaluated on a fifth of the training pictures, the found net on held-out ones.
    """
    with shown(progress):
        asked.check()
        if asked.weights is not None:
            check_weights(asked.weights)
        check_ray(asked.address)
        judge = choose_judge(asked.device, asked.runtime)
        plan = Classification().plan(asked.recipe, asked.data, asked.epochs, asked.seed)
        source = choose_source(asked)
        folder = folder_to_write(asked.out)
        with alone_in(folder, work="search"):
            record = _run(asked, judge, plan, source, folder)
            summary = summary_of(record)
            save_plots(summary, folder)
        return Searched(record=record, summary=summary, start=source.architecture)


def _run(asked: SearchSettings, judge: LatencyJudge, plan: TrainPlan, source: Source, out: Path) -> SearchRecord:
    """Searches in `out`, or resumes there, and then trains the found net: `out/net.safetensors`."""
    classes, shape = len(source.contract.labels), source.contract.image.shape
    drawn = partial(drawn_graph, classes=classes, size_px=shape)

    @cache
    def latency_ms(architecture: Architecture) -> float:
        return judge.latency_ms(drawn(architecture))

    folder = SearchFolder(out, settings_of(asked, judge, plan, source))
    known = folder.record.candidates
    start_ms = known[0].latency_ms if known else latency_ms(source.architecture)
    target_ms = target_from(asked.target_ms, asked.target_share, start_ms)
    method = _method(asked, latency_ms, source, start_ms)
    if not known:
        method.check(source.architecture, start_ms)
    say(f"start net {start_ms:.3f} ms, target {target_ms:.3f} ms ({judge.said})")
    pictures, length = held_apart(source.pictures), asked.candidate_epochs
    of_candidates = plan if method.carries_weights else plan.over(length)
    training = CandidateTraining(pictures=pictures, contract=source.contract, plan=of_candidates, steps=asked.steps)
    start = _start(training, source, out, is_trained=method.carries_weights)
    with ray_workers(training, workers=asked.workers, address=asked.address) as evaluate:
        record = search_rounds(method, evaluate, folder, start, start_ms, seed=asked.seed)
    found = record.candidates[record.taken[-1]]
    again_ms = judge.latency_ms(drawn(found.architecture)) if judge.is_measured else None
    result = _trained_result(found, plan, source, out)
    is_met = (again_ms or found.latency_ms) <= target_ms
    update = {"target_ms": target_ms, "is_met": is_met, "measured_again_ms": again_ms}
    folder.conclude(result.model_copy(update=update))
    return folder.record


def settings_of(asked: SearchSettings, judge: LatencyJudge, plan: TrainPlan, source: Source) -> dict[str, Any]:
    """Returns everything that decides the result: a search resumes only if none of it has changed."""
    content = None if asked.weights is None else read_regular(asked.weights, at_most=MOST_WEIGHTS)
    return {
        **asked.for_record(),
        "weights": content and hashlib.sha256(content).hexdigest(),
        "device": judge.said,
        **data_fingerprint(source.pictures.train, source.pictures.validation, "labels"),
        "contract": EarlierContract.of(source.contract).model_dump(mode="json"),  # as earlier records spell it
        "plan": plan_settings(plan),
    }


def _method(asked: SearchSettings, judge: Judge, source: Source, start_ms: float) -> Method:
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


def _start(training: CandidateTraining, source: Source, out: Path, *, is_trained: bool) -> Parent:
    """Returns the start net, with weights if those are inherited: trained in `out/start`, unless it came trained."""
    if source.state is not None or not is_trained:
        return Parent(architecture=source.architecture, state=source.state or {})
    say("training the start net")
    torch.manual_seed(training.plan.seed)
    net = build_for(source.architecture, training.contract)
    fit(net, training.pictures, training.plan, out=out / "start", progress=Shown.get())
    return Parent(architecture=source.architecture, state=net.state_dict())


def _trained_result(found: Candidate, plan: TrainPlan, source: Source, out: Path) -> SearchResult:
    """Trains the found net from scratch, on all training pictures, as the paper does (section 4.2)."""
    say("training the net that was found")
    torch.manual_seed(plan.seed)
    net = build_for(found.architecture, source.contract)
    epochs = fit(net, source.pictures, plan, out=out / "final", progress=Shown.get()).epochs
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
