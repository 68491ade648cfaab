"""Speed benchmarks: contenders take turns, and every bound of the bundles' table is held."""

from collections import Counter
from types import SimpleNamespace

import pytest

from benchmarks.core import latency
from benchmarks.core.latency import ROUNDS, RUNS, interleaved_ms, interleaved_rounds
from benchmarks.speed import bundles, qat_step


def test_contenders_run_equally_often_and_rounds_begin_with_each_in_turn() -> None:
    ran: list[str] = []
    medians = interleaved_ms({name: lambda name=name: ran.append(name) for name in "abc"})  # type: ignore[misc]
    assert list(medians) == ["a", "b", "c"]
    assert Counter(ran) == dict.fromkeys("abc", (ROUNDS + 1) * (RUNS + 1))
    first_of_rounds = ran[:: 3 * (RUNS + 1)]
    assert first_of_rounds[:4] == ["a", "b", "c", "a"]


def test_the_median_is_that_of_the_run_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now_s=0.0, perf_counter=lambda: clock.now_s)
    monkeypatch.setattr(latency, "time", clock)

    def takes(seconds: float) -> None:
        clock.now_s += seconds

    medians = interleaved_ms({"short": lambda: takes(0.0), "long": lambda: takes(0.001)})
    assert medians == {"short": 0.0, "long": pytest.approx(1.0)}


def test_a_ratio_can_be_taken_round_by_round() -> None:
    taken = interleaved_rounds({"a": lambda: None, "b": lambda: None}, rounds=3, runs=2)
    assert {name: ms.shape for name, ms in taken.items()} == {"a": (3, 2), "b": (3, 2)}


def test_every_bundle_of_the_table_is_judged_against_stock_float32_and_openvino() -> None:
    runs = [f"{side} {suffix}" for side in ("ours", "stock", "float32") for suffix in (".pte", ".tflite")]
    twice_as_fast = {**dict.fromkeys(runs, 2.0), "ours .pte": 1.0, "ours .tflite": 1.0, "OpenVINO int8": 1.0}
    judged = [target for name in bundles.NETS for target in bundles.targets(name, twice_as_fast)]
    against = Counter(target.work.partition("against ")[2] for target in judged)
    assert against == {
        "litert-torch's int8 file": 3,
        "XNNPACKQuantizer's file": 2,
        "its own float32": 6,
        "OpenVINO's int8": 1,
    }
    assert {target.figure for target in judged if "OpenVINO" not in target.work} == {0.5}
    assert all(target.is_met == (target.bound >= target.figure) for target in judged)


def test_a_training_step_is_judged_in_time_and_in_memory_against_the_float32_step_of_its_net() -> None:
    measured = [
        {"net": name, "step": step, "ms / float32": ratio, "MiB / float32": 1 + ratio}
        for name in qat_step.NETS
        for step, ratio in (("float32", 1.0), ("stock", 3.0), ("ours", 1.4))
    ]
    judged = qat_step.targets(measured)
    assert [(target.stock, target.ours, target.bound, target.is_met) for target in judged] == [
        *[(3.0, 1.4, 1.4, True)] * 2,
        (3.0, 1.4, 1.5, True),
        *[(4.0, 2.4, 1.3, False)] * 3,
    ]
