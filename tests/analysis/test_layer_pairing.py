"""Freezing notes the pairs of the float32 twin: every tensor has one, the file keeps it, and a wrong one is found."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobile_sdk.analysis.layer_pairing import counterparts
from mobile_sdk.analysis.sensitivity import layer_sensitivity
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.graph.pairing import Held, Pair, PairedWeights
from mobile_sdk.program.program import Program
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.freezing.freezing import float_twin
from tests.support.tiny_nets import CONTRACT, Tiny, chain, mixed_bag, picture_set, rgb


def programs(made: Tiny, *keep: str) -> tuple[Program, Program]:
    program = quantize(made, CONTRACT, picture_set(16), CalibrationPlan.extremes(), keep_float=keep)
    return program, float_twin(made, CONTRACT)


def graphs(made: Tiny, *keep: str) -> tuple[Graph, Graph]:
    program, twin = programs(made, *keep)
    return program.graph, twin.graph


@pytest.mark.parametrize("keep", [(), ("<root>",), ("gate", "deep"), ("wide", "head")])
def test_every_tensor_of_the_twin_has_a_pair_or_is_a_float32_tensor_of_the_program(keep: tuple[str, ...]) -> None:
    program, twin = graphs(mixed_bag(), *keep)
    grids = {operator.output.name: operator.output.quantization for operator in program.operators}
    paired = {pair.twin: pair for pair in program.pairs}
    names = {operator.output.name for operator in twin.operators[1:]}
    assert all(name in paired or grids.get(name, "absent") is None for name in names)
    assert paired.keys() <= names
    held = [each for pair in program.pairs for each in (pair.output, pair.gate, *pair.operands) if each]
    assert held and all(grids[each.tensor] is not None for each in held)


def test_multiples_of_six_are_noted_where_the_division_was_left_out() -> None:
    program, _ = graphs(mixed_bag())
    swish = next(pair for pair in program.pairs if pair.gate)
    assert swish.output and swish.output.multiple == 6 and swish.gate and swish.gate.multiple == 6
    assert {1, 6} < {pair.output.multiple for pair in program.pairs if pair.output}
    assert {pair.weights.bias_shift for pair in program.pairs if pair.weights} == {0, -3}


def test_pairs_come_back_from_the_file_as_they_were(tmp_path: Path) -> None:
    program, twin = programs(mixed_bag(), "wide")
    program.save(tmp_path / "program.pt2")
    found = Program.load(tmp_path / "program.pt2").graph
    assert found.pairs == program.graph.pairs and found.digest() == program.graph.digest()
    for before, after in zip(counterparts(program.graph, twin.graph), counterparts(found, twin.graph), strict=True):
        assert (after.output, after.gate, after.operands) == (before.output, before.gate, before.operands)
        if before.snapped is not None:
            assert after.snapped is not None
            np.testing.assert_array_equal(after.snapped.weight, before.snapped.weight)


def test_pairs_are_no_part_of_what_a_program_computes() -> None:
    program, _ = graphs(chain())
    assert program.pairs and replace(program, pairs=()).digest() == program.digest()


def changed(pairs: tuple[Pair, ...], change: Callable[[Pair], Pair]) -> tuple[Pair, ...]:
    return tuple(change(pair) for pair in pairs)


def of_another_multiple(pair: Pair) -> Pair:
    return replace(pair, output=replace(pair.output, multiple=5 * pair.output.multiple)) if pair.output else pair


def of_other_weights(pair: Pair) -> Pair:
    return replace(pair, weights=replace(pair.weights, weight_factor=-1.0)) if pair.weights else pair


@pytest.mark.parametrize("change", [of_another_multiple, of_other_weights])
def test_a_wrong_factor_is_seen_in_the_simulation(change: Callable[[Pair], Pair]) -> None:
    program, twin = graphs(mixed_bag())
    good = layer_sensitivity(program, twin, rgb(8))
    bad = layer_sensitivity(replace(program, pairs=changed(program.pairs, change)), twin, rgb(8))
    assert good.simulated_db is not None and bad.simulated_db is not None
    assert bad.simulated_db < good.simulated_db - 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda pairs: (), "found a program without pairs"),
        (lambda pairs: pairs[1:], "nothing in the program"),
        (lambda pairs: changed(pairs, lambda p: replace(p, output=Held(tensor="x", multiple=1.0))), "no int8 tensor x"),
        (
            lambda pairs: changed(pairs, lambda p: replace(p, weights=PairedWeights(tensor="x", weight_factor=1.0))),
            "no int8 layer like the twin's Conv2d",
        ),
    ],
    ids=["none", "one left out", "tensors that are not there", "layers that are not there"],
)
def test_pairs_that_do_not_fit_are_refused(change: Callable[[tuple[Pair, ...]], tuple[Pair, ...]], said: str) -> None:
    program, twin = graphs(chain())
    with pytest.raises(SettingError, match=said) as error:
        counterparts(replace(program, pairs=change(program.pairs)), twin)
    assert str(error.value).startswith("expected a program and the float32 twin")


@pytest.mark.parametrize("multiple", [0.0, -6.0, float("inf"), float("nan")])
def test_a_multiple_is_positive_and_finite(multiple: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        Held(tensor="x", multiple=multiple)
