"""Layers kept in float32 for a quality that 8 bits do not reach: the noisiest for a byte, as few as it takes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Weighted
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import FrontierPoint, Record, int8_index
from qat.arguments.bit_target import BitTarget
from qat.bit_allocation import allocation as allocating
from qat.bit_allocation.allocation import AllocatedNet
from qat.bit_allocation.frontier import MOST_IN_FLOAT, Candidate, above_floor, frontier, noise_of
from qat.bit_allocation.sensitivities_file import SENSITIVITIES_FILE
from qat.freezing.freezing import freeze
from tests.support.nets.sensitive_net import QUIET, allocate
from tests.support.tiny_nets import CONTRACT

FLOOR_DB = 46.2  # of the sensitive net, which has 45.7 dB with 8 bits everywhere


@pytest.fixture(scope="module")
def above_int8(tmp_path_factory: pytest.TempPathFactory) -> tuple[AllocatedNet, Path]:
    """The net for more than 8 bits reach, and its folder."""
    folder = tmp_path_factory.mktemp("above int8")
    return allocate(BitTarget(min_db=FLOOR_DB), folder), folder


def test_a_floor_that_eight_bits_miss_is_met_by_the_noisiest_layer_in_float(
    above_int8: tuple[AllocatedNet, Path],
) -> None:
    found = above_int8[0].allocation
    assert found.int8_point.predicted_db < FLOOR_DB
    assert found.in_float == above_int8[0].in_float == ("loud",)
    assert found.point.measured_db is not None and found.point.measured_db >= FLOOR_DB
    assert found.chosen == int8_index(found.frontier) - 1 and set(found.bits.values()) == {8}
    sizes = [point.weight_bytes for point in found.frontier]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == len(sizes)


def test_the_frozen_program_keeps_the_layer_in_float_and_has_the_records_bytes(
    above_int8: tuple[AllocatedNet, Path], tmp_path: Path
) -> None:
    found = above_int8[0]
    record = Record(net="sensitive", quantized="calibrated", bit_allocation=found.allocation)
    freeze(found.net, CONTRACT, record).save(tmp_path / "program.pt2")
    program = Program.load(tmp_path / "program.pt2")
    assert program.record.bit_allocation == found.allocation
    layers = {each.path: each for each in program.graph.operators if isinstance(each, Weighted)}
    assert [path for path, each in layers.items() if each.output.quantization is None] == ["loud"]
    assert found.allocation.point.weight_bytes == sum(each.weight_bytes for each in layers.values())


def test_a_size_never_keeps_layers_in_float_and_is_told_of_none(above_int8: tuple[AllocatedNet, Path]) -> None:
    found = allocate(BitTarget(max_mib=1.0), above_int8[1])
    assert found.in_float == () and found.allocation.frontier[0].layer is None and found.allocation.chosen == 0


def test_an_interrupted_measurement_of_eight_bits_goes_on_where_it_stopped(
    above_int8: tuple[AllocatedNet, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured, whole = list[str](), allocating.noise_shares

    def until_two(net: Any, layers: Any, pictures: Any, judged: Any, bits: int) -> Any:
        for layer, share in whole(net, layers, pictures, judged, bits):
            if bits == 8:
                if len(measured) == 2:
                    raise KeyboardInterrupt
                measured.append(layer)
            yield layer, share

    monkeypatch.setattr(allocating, "noise_shares", until_two)
    with pytest.raises(KeyboardInterrupt):
        allocate(BitTarget(min_db=FLOOR_DB), tmp_path)
    assert list(json.loads((tmp_path / SENSITIVITIES_FILE).read_text())["int8_shares"]) == measured

    def rest(net: Any, layers: Any, pictures: Any, judged: Any, bits: int) -> Any:
        assert bits == 8, "four bits are measured again"
        measured.extend(layers)
        return whole(net, layers, pictures, judged, bits)

    monkeypatch.setattr(allocating, "noise_shares", rest)
    assert allocate(BitTarget(min_db=FLOOR_DB), tmp_path).allocation == above_int8[0].allocation
    assert sorted(measured) == sorted((*QUIET, "stem", "loud", "head"))  # each once


def test_files_of_before_layers_in_float_are_taken_up(above_int8: tuple[AllocatedNet, Path], tmp_path: Path) -> None:
    known = json.loads((above_int8[1] / SENSITIVITIES_FILE).read_text())
    for field in ("int8_shares", "activations_share", "accuracies"):
        del known[field]
    known["measured_db"] = {"0": known["measured_db"]["0"]}
    (tmp_path / SENSITIVITIES_FILE).write_text(json.dumps(known))
    assert allocate(BitTarget(min_db=FLOOR_DB), tmp_path).allocation == above_int8[0].allocation


# -- the frontier


def points(layers: int = 3, activations_share: float = 0.0) -> tuple[FrontierPoint, ...]:
    """Layers `a`, `b` … in float32, each half as noisy for a byte as the one before, then 8 bits, then `few`."""
    in_float = [
        Candidate(layer="abcdefghijklm"[index], saved_bytes=300, noise_share=0.004 / 2**index)
        for index in range(layers + 1)
    ]
    return frontier(
        [Candidate(layer="few", saved_bytes=100, noise_share=0.02)],
        int8_bytes=1000,
        int8_db=20.0,
        in_float=in_float[::-1],
        activations_share=activations_share,
    )


def measuring(found_db: dict[int, float], tried: list[int]) -> Callable[[int], float]:
    def measure(index: int) -> float:
        tried.append(index)
        return found_db[index]

    return measure


def test_the_frontier_goes_from_most_layers_in_float_over_eight_bits_to_four() -> None:
    found = points()
    assert [point.layer for point in found] == ["c", "b", "a", None, "few"]
    assert [point.weight_bytes for point in found] == [1900, 1600, 1300, 1000, 900]
    assert [noise_of(point.predicted_db) for point in found] == pytest.approx([0.003, 0.004, 0.006, 0.01, 0.03])


def test_the_activations_noise_stays_however_many_layers_are_in_float() -> None:
    found = points(activations_share=0.0085)  # which leaves the weights a fifth of what they add up to
    assert [noise_of(point.predicted_db) for point in found[:4]] == pytest.approx([0.0086, 0.0088, 0.0092, 0.01])
    assert [point.predicted_db for point in points(activations_share=0.02)[:4]] == pytest.approx([20.0] * 4)


def test_a_few_layers_are_kept_at_most_and_one_is_always_left() -> None:
    assert int8_index(points(layers=12)) == MOST_IN_FLOAT
    alone = frontier([], int8_bytes=10, int8_db=20.0, in_float=[Candidate(layer="a", saved_bytes=30, noise_share=1.0)])
    assert [point.layer for point in alone] == [None]


def test_as_few_layers_stay_in_float_as_the_measurements_allow() -> None:
    tried = list[int]()
    assert above_floor(points(), 21.5, measuring({2: 22.0}, tried)) == 2 and tried == [2]
    tried.clear()  # missed: the most is tried, then what its measurement promises
    assert above_floor(points(), 21.5, measuring({2: 21.0, 0: 23.0, 1: 22.0}, tried)) == 1 and tried == [2, 0, 1]
    tried.clear()
    assert above_floor(points(), 21.5, measuring({2: 21.0, 0: 21.6, 1: 21.4}, tried)) == 0


def test_where_float_does_not_help_the_refusal_says_what_it_brought() -> None:
    tried = list[int]()
    with pytest.raises(
        SettingError, match=r"--min-db of 20\.0 or less, the SQNR with 8 bits everywhere, found 30"
    ) as no:
        above_floor(points(), 30.0, measuring({0: 19.96}, tried))
    assert tried == [0] and no.value.hint is not None
    assert no.value.hint.endswith(
        "3 layers in float32 brought 19.9 dB instead of 20.0 dB, in 0.002 MiB of weights instead of 0.001"
    )
    with pytest.raises(SettingError, match=r"--min-db of 22\.9 or less, the SQNR with 3 layers in float32, found 30"):
        above_floor(points(), 30.0, measuring({0: 22.96}, tried))
    with pytest.raises(SettingError, match="the SQNR with 8 bits everywhere, found 30"):
        above_floor(points(layers=0), 30.0, measuring({}, tried))
