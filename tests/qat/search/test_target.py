"""A search ends at or below its target, or says by how much it misses it; a target that can be none is refused."""

import math
import re
from dataclasses import replace
from pathlib import Path
from random import Random

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from mobile_sdk.errors import SettingError
from mobile_sdk.report.data import Search, SearchedNet
from mobile_sdk.report.plots.canvas import STYLE
from mobile_sdk.report.sections.pareto import ParetoColors, draw_pareto
from qat.nets.architecture import Architecture
from qat.search.evolution import Rewarded
from qat.search.netadapt import NetAdapt
from qat.search.record import SearchRecord
from qat.search.reward import Reward
from qat.search.space.space import Space
from qat.search.target import fastest, rounded_up, target_line
from tests.support.nets.search_space import START, latency_ms, searched

SPACE = Space(start=START)
START_MS = latency_ms(START)
LEAST_MS = latency_ms(fastest(SPACE, latency_ms))


def rewarded(target_ms: float, *, count: int = 12, population: int | None = 6, is_hard: bool = False) -> Rewarded:
    reward = Reward(target_ms=target_ms, is_hard=is_hard)
    return Rewarded(
        judge=latency_ms, space=SPACE, reward=reward, count=count, seed=3, population=population, children=3
    )


def found_ms(record: SearchRecord) -> float:
    return record.candidates[record.taken[-1]].latency_ms


@pytest.mark.parametrize("is_hard", [False, True])
@pytest.mark.parametrize("population", [None, 6])
@pytest.mark.parametrize("place", [0.02, 0.3, 0.8])  # between the fastest net of the space and the start net
def test_the_best_rewarded_net_at_or_below_the_target_is_taken(
    place: float, population: int | None, is_hard: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target_ms = LEAST_MS + place * (START_MS - LEAST_MS)
    record = searched(rewarded(target_ms, population=population, is_hard=is_hard), tmp_path)
    below = [each for each in record.candidates if each.latency_ms <= target_ms]
    assert record.candidates[record.taken[-1]] == max(below, key=lambda each: each.score or 0.0)
    assert len(below) == 12, "every net but the start net is one that could be taken"
    assert f"target {target_ms:.3f} ms met: {found_ms(record):.3f} ms" in capsys.readouterr().err


@pytest.mark.parametrize("population", [None, 6])
def test_one_candidate_is_enough(population: int | None, tmp_path: Path) -> None:
    target_ms = 1.001 * LEAST_MS
    record = searched(rewarded(target_ms, count=1, population=population), tmp_path)
    assert len(record.candidates) == 2 and found_ms(record) <= target_ms


@pytest.mark.parametrize("target_ms", [0.999 * LEAST_MS, 0.1 * LEAST_MS])
def test_a_target_below_the_fastest_net_is_refused_before_anything_is_evaluated(
    target_ms: float, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match=f"nets of the space can reach, {rounded_up(LEAST_MS)} at the least, found"):
        searched(rewarded(target_ms), tmp_path, evaluate=None)
    with pytest.raises(SettingError, match="expected a target that narrower layers can reach"):
        searched(NetAdapt(judge=latency_ms, target_ms=target_ms), tmp_path, evaluate=None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("factor", [0.99, 1.0, 1.0003, 1.01])
def test_the_least_latency_that_a_refusal_tells_is_one_that_can_be_asked_for(factor: float) -> None:
    def judge(architecture: Architecture) -> float:
        return factor * latency_ms(architecture)

    for method in (replace(rewarded(0.1 * LEAST_MS), judge=judge), NetAdapt(judge=judge, target_ms=0.1 * LEAST_MS)):
        with pytest.raises(SettingError) as refused:
            method.check(START, judge(START))
        (least,) = re.findall(r"([0-9.]+) ms at the least", str(refused.value))
        asked = replace(method.reward, target_ms=float(least)) if isinstance(method, Rewarded) else None
        again = replace(method, reward=asked) if asked else replace(method, target_ms=float(least))
        again.check(START, judge(START))


def test_no_net_of_the_space_is_faster_than_the_one_that_is_named() -> None:
    drawn = [SPACE.draw(Random(seed)) for seed in range(100)]
    fast = fastest(SPACE, latency_ms)
    children = [SPACE.mutated(fast, Random(seed)) for seed in range(200)]
    assert min(map(latency_ms, [*drawn, *children])) >= LEAST_MS


def test_a_larger_kernel_that_is_faster_is_found() -> None:
    def prefers_large(architecture: Architecture) -> float:
        return latency_ms(architecture) - 0.01 * sum(block.kernel == 5 for block in architecture.blocks)

    assert {block.kernel for block in fastest(SPACE, prefers_large).blocks} == {5}


def test_a_target_between_the_start_net_and_the_widest_is_searched_and_one_above_all_refused(tmp_path: Path) -> None:
    record = searched(rewarded(1.2 * START_MS, count=4), tmp_path)
    assert found_ms(record) <= 1.2 * START_MS
    with pytest.raises(SettingError, match="expected a target below the slowest net of the space"):
        searched(rewarded(1.01 * latency_ms(SPACE.widest)), tmp_path / "new")


@pytest.mark.parametrize("target_ms", [math.nan, math.inf, -math.inf, 0.0, -1.0])
def test_a_target_that_is_no_latency_is_refused(target_ms: float) -> None:
    with pytest.raises(SettingError, match="expected a target above 0 ms, found"):
        rewarded(target_ms)
    with pytest.raises(SettingError, match="expected a target above 0 ms, found"):
        NetAdapt(judge=latency_ms, target_ms=target_ms).check(START, START_MS)


def test_a_search_that_reaches_nothing_takes_the_nearest_and_says_by_how_much(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A device that measured the fastest net too fast once: no candidate comes there again."""
    once = [0.5 * LEAST_MS]

    def noisy(architecture: Architecture) -> float:
        return once.pop() if once else latency_ms(architecture)

    method = rewarded(0.9 * LEAST_MS, count=8)
    method = Rewarded(judge=noisy, space=SPACE, reward=method.reward, count=8, seed=3, population=6, children=3)
    record = searched(method, tmp_path)
    assert found_ms(record) == min(each.latency_ms for each in record.candidates) > 0.9 * LEAST_MS
    above = 100 * (found_ms(record) / (0.9 * LEAST_MS) - 1)
    said = f"ms missed: none of 9 nets reached it, the nearest takes {found_ms(record):.3f} ms, {above:.1f} % above it"
    assert said in capsys.readouterr().err


def test_netadapt_that_finds_no_way_on_keeps_what_it_has_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target_ms = 0.9 * START_MS

    def stuck(architecture: Architecture) -> float:
        """Only the narrowest net is fast: no single width leads there."""
        return 0.5 * START_MS if architecture.hidden == architecture.last == 8 else START_MS

    record = searched(NetAdapt(judge=stuck, target_ms=target_ms), tmp_path)
    assert record.taken == (0,)
    assert "missed: none of 1 nets reached it" in capsys.readouterr().err


def test_what_is_told_of_a_target() -> None:
    assert target_line(2.0, 1.9, nets=5) == "target 2.000 ms met: 1.900 ms, 5.0 % below it"
    assert target_line(2.0, 2.0, nets=5) == "target 2.000 ms met: 2.000 ms, 0.0 % below it"
    missed = "target 2.000 ms missed: none of 1,005 nets reached it, the nearest takes 2.500 ms, 25.0 % above it"
    assert target_line(2.0, 2.5, nets=1005) == missed
    assert target_line(2.0, 2.0001, nets=1).endswith("less than 0.1 % above it")
    again = target_line(2.0, 1.9, nets=5, again_ms=2.2)
    assert again.endswith("5.0 % below it; measured again 2.200 ms, 10.0 % above it")


def test_a_second_measurement_decides_whether_a_measured_target_is_met() -> None:
    nets = [SearchedNet(number=0, latency_ms=1.9, accuracy_share=0.5, change="start")]
    told = Search(
        method="random",
        latencies="host, tflite, 1 thread, measured",
        target_ms=2.0,
        candidates=tuple(nets),
        front=(0,),
        taken=(0,),
        accuracy_share=0.5,
        pictures=3,
        measured_again_ms=2.2,
    )
    assert told.result_ms == 2.2
    with mpl.rc_context(STYLE):
        figure = Figure()
        draw_pareto(figure.add_subplot(), told, ParetoColors(ink="k", muted="k", front="k", taken="k"))
        (legend,) = figure.legends
    assert "target, missed by 10.0 %" in [text.get_text() for text in legend.get_texts()]
