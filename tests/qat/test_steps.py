"""Every kind of step has its traits, and they agree with one another."""

from collections.abc import Callable
from typing import Any

import pytest

from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import ActivationKind, Clamp, Quantization, Tensor
from qat.freezing.emitter import Pending
from qat.freezing.float_emitter import FloatEmitter
from qat.freezing.grid_planner import GridPlanner, Source
from qat.freezing.integer_emitter import INT8_WRITERS, IntegerEmitter
from qat.freezing.rearrangements import REARRANGEMENTS, rearrangement
from qat.steps import IN_FLOAT, KINDS, Factors, Grid, Kind, Step

IMAGE, GRID = ImageSpec(size_px=8), Quantization(scale=0.5, zero_point=0)
VALUE = Tensor(name="value", shape=(4, 4, 4), quantization=GRID)
UNKNOWN = Step(kind=Kind.BOXES, path="net.step", shape=VALUE.shape)  # boxes have a way of their own through freezing
REFUSALS: dict[str, Callable[[], Any]] = {
    "bounds of scales": lambda: GridPlanner(IMAGE).emit("step", pending_on(Source(name="")), GRID),
    "int8": lambda: IntegerEmitter(IMAGE, {"step": GRID}).emit("step", pending_on(VALUE), GRID),
    "float32": lambda: FloatEmitter(IMAGE).emit("step", pending_on(VALUE), GRID),
    "moved values": lambda: rearrangement(UNKNOWN, VALUE, VALUE),
}


def pending_on(operand: Any) -> Pending:
    return Pending(step=UNKNOWN, operands=(operand,))


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_traits(kind: Kind) -> None:
    assert kind in KINDS


def test_every_activation_that_a_float_graph_holds_is_one_kind() -> None:
    found = [traits.activation for traits in KINDS.values() if traits.activation is not None]
    assert sorted(found) == sorted(ActivationKind)


def test_a_clamp_ends_where_its_operator_does() -> None:
    for traits in KINDS.values():
        if traits.clamp is not None:
            low, high = traits.clamp.bounds
            assert traits.ends == (low, None if high == float("inf") else high)
    assert {traits.clamp for traits in KINDS.values()} == {None, Clamp.RELU, Clamp.RELU6}


def test_what_keeps_its_inputs_grid_knows_no_ends_and_carries_out_no_activation() -> None:
    for traits in KINDS.values():
        if traits.grid is Grid.INPUTS:
            assert traits.ends == (None, None) and not traits.carries_out and traits.activation is None


def test_a_grid_saturates_at_ends_that_are_known() -> None:
    assert {kind for kind, traits in KINDS.items() if traits.saturates} == {Kind.HARD_SIGMOID, Kind.WINDOW_SHARE}
    assert Step(kind=Kind.WINDOW_SHARE, path="pool", shape=(8, 4, 4), constant=1.5).ends == (0.0, 1.5)


def test_every_step_on_its_inputs_grid_that_moves_values_has_its_operator() -> None:
    on_inputs_grid = {kind for kind, traits in KINDS.items() if traits.grid is Grid.INPUTS}
    assert set(REARRANGEMENTS) == on_inputs_grid - {Kind.SCALE, Kind.FLATTEN, Kind.UNFLATTEN, Kind.DROPOUT}


def test_every_step_with_a_grid_of_its_own_is_written_in_int8() -> None:
    with_own_grid = {kind for kind, traits in KINDS.items() if traits.grid is Grid.OWN}
    assert set(INT8_WRITERS) == (with_own_grid - IN_FLOAT) | {Kind.SCALE}  # which has one before a concatenation


def test_a_step_that_no_integers_compute_has_a_grid_of_its_own_behind_it() -> None:
    assert {KINDS[kind].grid for kind in IN_FLOAT} == {Grid.OWN}


@pytest.mark.parametrize("place", REFUSALS)
def test_a_kind_of_step_that_a_place_does_not_know_is_refused_by_name_and_path(place: str) -> None:
    with pytest.raises(CompileError, match=r"found BOXES at net\.step"):
        REFUSALS[place]()


def test_layers_alone_take_factors_into_their_weights() -> None:
    assert [kind for kind, traits in KINDS.items() if traits.factors is Factors.LAYER] == [Kind.WEIGHTED]
