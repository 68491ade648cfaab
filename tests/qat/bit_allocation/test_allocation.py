"""Bits chosen layer by layer: the size or the quality that was asked for is met, and nothing is measured twice."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Weighted
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import BitAllocation, FrontierPoint, Record
from mobile_sdk.workflow.settings import QuantizeSettings, RunSettings
from qat.arguments.bit_target import BitTarget
from qat.bit_allocation import allocation as allocating
from qat.bit_allocation.allocation import AllocatedNet
from qat.bit_allocation.frontier import MIB, Candidate, above_floor, frontier, noise_of, within_budget
from qat.bit_allocation.sensitivities_file import SENSITIVITIES_FILE
from qat.freezing.freezing import freeze
from tests.support.nets.sensitive_net import QUIET, allocate
from tests.support.tiny_nets import CONTRACT


@pytest.fixture(scope="module")
def all_four(tmp_path_factory: pytest.TempPathFactory) -> tuple[AllocatedNet, Path]:
    """The smallest net, whose frontier the other tests choose their targets by, and its folder."""
    folder = tmp_path_factory.mktemp("all four")
    least_mib = (6 * 6 * 4 + 6 * 5) / 2 / MIB + 3 * 6 * 9 / MIB
    return allocate(BitTarget(max_mib=least_mib), folder), folder


def test_the_sensitive_layer_keeps_eight_bits_longest(all_four: tuple[AllocatedNet, Path]) -> None:
    order = [point.layer for point in all_four[0].allocation.frontier if point.layer]
    assert sorted(order) == sorted((*QUIET, "loud", "head"))
    assert order.index("loud") > max(order.index(name) for name in QUIET)
    half = all_four[0].allocation.frontier[3].weight_bytes / MIB
    found = allocate(BitTarget(max_mib=half), all_four[1])
    assert found.bits["loud"] == 8 and [found.bits[name] for name in QUIET] == [4, 4, 4]


def test_a_budget_is_met_by_as_few_layers_as_it_takes(all_four: tuple[AllocatedNet, Path]) -> None:
    points = all_four[0].allocation.frontier
    assert all_four[0].allocation.chosen == len(points) - 1
    asked = points[2].weight_bytes / MIB
    choice = allocate(BitTarget(max_mib=asked), all_four[1]).allocation
    assert choice.chosen == 2 and choice.point.weight_bytes <= asked * MIB < points[1].weight_bytes


def test_a_floor_is_met_by_the_measured_net_and_one_more_layer_misses_it_measured_or_predicted(
    all_four: tuple[AllocatedNet, Path],
) -> None:
    points = all_four[0].allocation.frontier
    last_db = points[-1].measured_db
    assert last_db is not None
    asked = (points[0].predicted_db + last_db) / 2
    found = allocate(BitTarget(min_db=asked), all_four[1])
    choice = found.allocation
    assert 0 < choice.chosen < len(points) - 1
    assert choice.point.measured_db == [stage.sqnr_db for stage in found.stages if stage.is_kept][-1] >= asked
    beyond = choice.frontier[choice.chosen + 1]
    start, there = (noise_of(db) for db in (points[0].predicted_db, choice.point.measured_db))
    factor = (there - start) / (noise_of(choice.point.predicted_db) - start)
    corrected = start + factor * (noise_of(beyond.predicted_db) - start)
    assert corrected > noise_of(asked) if beyond.measured_db is None else beyond.measured_db < asked


def test_the_frozen_program_has_the_bits_and_bytes_of_the_record(
    all_four: tuple[AllocatedNet, Path], tmp_path: Path
) -> None:
    found = allocate(BitTarget(max_mib=all_four[0].allocation.frontier[2].weight_bytes / MIB), all_four[1])
    record = Record(net="sensitive", quantized="calibrated", bit_allocation=found.allocation)
    freeze(found.net, CONTRACT, record).save(tmp_path / "program.pt2")
    program = Program.load(tmp_path / "program.pt2")
    choice = program.record.bit_allocation
    assert choice == found.allocation and choice is not None
    layers = [each for each in program.graph.operators if isinstance(each, Weighted)]
    assert choice.bits == {each.path: each.weight_bits for each in layers if each.path in choice.bits}
    assert {each.weight_bits for each in layers if each.path not in choice.bits} == {8}
    assert choice.point.weight_bytes == sum(each.weight_bytes for each in layers)


def test_layers_kept_in_float_are_no_candidates_and_count_whole(tmp_path: Path) -> None:
    found = allocate(BitTarget(max_mib=1.0), tmp_path, keep_float=("loud",))
    assert "loud" not in found.bits and found.allocation.chosen == 0
    graph = freeze(found.net, CONTRACT).graph
    layers = [each for each in graph.operators if isinstance(each, Weighted)]
    assert found.allocation.point.weight_bytes == sum(each.weight_bytes for each in layers)


def test_an_interrupted_choice_goes_on_where_it_stopped(
    all_four: tuple[AllocatedNet, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured, whole = list[str](), allocating.noise_shares

    def until_two(net: Any, layers: Any, *arguments: Any) -> Any:
        for layer, share in whole(net, layers, *arguments):
            if len(measured) == 2:
                raise KeyboardInterrupt
            measured.append(layer)
            yield layer, share

    monkeypatch.setattr(allocating, "noise_shares", until_two)
    least = BitTarget(max_mib=all_four[0].allocation.point.weight_bytes / MIB)
    with pytest.raises(KeyboardInterrupt):
        allocate(least, tmp_path)
    assert list(json.loads((tmp_path / SENSITIVITIES_FILE).read_text())["noise_shares"]) == measured

    def rest(net: Any, layers: Any, *arguments: Any) -> Any:
        measured.extend(layers)
        return whole(net, layers, *arguments)

    monkeypatch.setattr(allocating, "noise_shares", rest)
    assert allocate(least, tmp_path).allocation == all_four[0].allocation
    assert sorted(measured) == sorted((*QUIET, "loud", "head"))  # each once


def test_what_is_known_is_not_measured_again_and_a_file_of_another_net_is_not_taken(
    all_four: tuple[AllocatedNet, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def never(*arguments: Any) -> Any:
        raise AssertionError("measured again")

    with monkeypatch.context() as patched:
        patched.setattr(allocating, "noise_shares", never)
        least = BitTarget(max_mib=all_four[0].allocation.point.weight_bytes / MIB)
        assert allocate(least, all_four[1]).allocation == all_four[0].allocation
    text = (all_four[1] / SENSITIVITIES_FILE).read_text()
    other = json.loads(text)
    other["fingerprint"]["net"], other["noise_shares"] = "0" * 64, dict.fromkeys(other["noise_shares"], 0.5)
    (tmp_path / SENSITIVITIES_FILE).write_text(json.dumps(other))
    assert allocate(least, tmp_path).allocation == all_four[0].allocation
    assert "of another net" in capsys.readouterr().err
    (tmp_path / SENSITIVITIES_FILE).write_text(text[: len(text) // 2])
    assert allocate(least, tmp_path).allocation == all_four[0].allocation


def test_what_cannot_be_met_is_refused_with_the_figures(all_four: tuple[AllocatedNet, Path]) -> None:
    with pytest.raises(SettingError, match=r"expected --max-mib of 0\.001 or more, .*, found 1e-05"):
        allocate(BitTarget(max_mib=1e-5), all_four[1])
    int8 = all_four[0].allocation.frontier[0]
    with pytest.raises(SettingError, match=r"expected --min-db of \d+\.\d or less, .*, found 90") as refused:
        allocate(BitTarget(min_db=90), all_four[1])
    found_db = json.loads((all_four[1] / SENSITIVITIES_FILE).read_text())["measured_db"]
    best, int8_db = (math.floor(value * 10) / 10 for value in (found_db["-5"], int8.predicted_db))
    assert best > int8_db and f"expected --min-db of {best:.1f} or less, the SQNR with 5 layers" in str(refused.value)
    assert f"5 layers in float32 brought {best:.1f} dB instead of {int8_db:.1f} dB, in " in str(refused.value)
    assert f" MiB of weights instead of {int8.weight_bytes / MIB:.3f}" in str(refused.value)


# -- the frontier


def points() -> tuple[FrontierPoint, ...]:
    candidates = [
        Candidate(layer="costly", saved_bytes=100, noise_share=0.02),
        Candidate(layer="cheap", saved_bytes=100, noise_share=0.001),
        Candidate(layer="small", saved_bytes=10, noise_share=0.001),
    ]
    return frontier(candidates, int8_bytes=1000, int8_db=30.0)


def test_the_frontier_goes_by_noise_for_a_byte_and_adds_noises_up() -> None:
    found = points()
    assert [point.layer for point in found] == [None, "cheap", "small", "costly"]
    assert [point.weight_bytes for point in found] == [1000, 900, 890, 790]
    assert [noise_of(point.predicted_db) for point in found] == pytest.approx([0.001, 0.002, 0.003, 0.023])


def test_a_prediction_that_is_missed_is_stepped_back_from_and_one_that_is_exceeded_goes_on() -> None:
    asked_db, tried = 24.0, list[int]()

    def measured(found_db: dict[int, float]) -> Any:
        def measure(index: int) -> float:
            tried.append(index)
            return found_db[index]

        return measure

    assert above_floor(points(), asked_db, measured({2: 23.0, 1: 24.5})) == 1 and tried == [2, 1]
    tried.clear()
    assert above_floor(points(), asked_db, measured({2: 29.5, 3: 24.5})) == 3 and tried == [2, 3]
    tried.clear()
    assert above_floor(points(), asked_db, measured({2: 29.5, 3: 23.5})) == 2 and tried == [2, 3]
    tried.clear()
    assert above_floor(points(), asked_db, measured({2: 20.0})) == 0 and tried == [2]


def test_a_budget_that_eight_bits_keep_changes_nothing() -> None:
    assert within_budget(points(), 1.0) == 0


def test_a_choice_off_its_frontier_is_no_record() -> None:
    with pytest.raises(SettingError, match="expected one of 4 points"):
        BitAllocation(max_mib=1.0, images=24, frontier=points(), chosen=4)


# -- settings


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"weight_bits": "auto"}, "expected one of --max-mib, --min-db and --min-accuracy .*, found none"),
        ({"weight_bits": "auto", "max_mib": 1.0, "min_db": 20.0}, "expected one of .*, found --max-mib and --min-db"),
        ({"weight_bits": "auto", "max_mib": 0.0}, "expected a number above 0 for --max-mib, found 0"),
        ({"weight_bits": "auto", "min_db": float("nan")}, "expected a number above 0 for --min-db, found nan"),
        ({"weight_bits": "auto", "min_accuracy": 97.0}, r"expected --min-accuracy as a share, 0\.\.1, found 97"),
        ({"weight_bits": "auto", "min_accuracy": 0.9, "min_db": 9.0}, "found --min-db and --min-accuracy"),
        ({"min_accuracy": 0.9}, "expected --weight-bits auto beside --min-accuracy, found 8"),
        ({"weight_bits": 4, "max_mib": 1.0}, "expected --weight-bits auto beside --max-mib, found 4"),
        ({"min_db": 20.0}, "expected --weight-bits auto beside --min-db, found 8"),
    ],
)
def test_settings_without_one_target_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingError, match=told):
        QuantizeSettings(data="none", **settings)
    with pytest.raises(SettingError, match=told):
        RunSettings(**settings)


def test_a_run_says_its_target_again() -> None:
    asked = RunSettings(weight_bits="auto", max_mib=2.5)
    assert asked.command() == "mobile-sdk run --weight-bits auto --max-mib 2.5"
    assert asked.asked_bits == BitTarget(max_mib=2.5)
    accurate = RunSettings(weight_bits="auto", min_accuracy=0.97)
    assert accurate.command() == "mobile-sdk run --weight-bits auto --min-accuracy 0.97"
    assert accurate.asked_bits == BitTarget(min_accuracy=0.97)


def test_a_run_without_classes_refuses_an_accuracy_before_it_trains() -> None:
    with pytest.raises(SettingError, match=r"expected --min-accuracy for classification, .*, found it for detection"):
        RunSettings(task="detection", weight_bits="auto", min_accuracy=0.5)
