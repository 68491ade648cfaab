"""No place answers for an operator that it does not know: no class lacks traits, and rules refuse it by path."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest

from mobile_sdk.errors import CompileError
from mobile_sdk.graph import operators
from mobile_sdk.graph.checks.exactness import order_dependent_paths
from mobile_sdk.graph.checks.limits import check_graph, check_sums
from mobile_sdk.graph.checks.value_ranges import held_in
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import OPERATORS, Graph, Operator
from mobile_sdk.graph.operators.traits import Traits, Values
from mobile_sdk.graph.reference import Reference
from mobile_sdk.graph.rules import float_rules, int8_rules
from mobile_sdk.memory.strips import is_local
from tests.support.graphs import float_graph, int8_graph, pictures
from tests.support.operators.made_up_operator import TRAITS, Softmax, softmax


@dataclass(frozen=True, kw_only=True, eq=False)
class OnAnotherGrid(Softmax):
    """A softmax whose output has a grid of its own."""

    traits: ClassVar = Traits(**(TRAITS | {"keeps_grid": False}))


def ending_in(operator: Callable[..., Operator], graph: Graph) -> Graph:
    return replace(graph, operators=(*graph.operators, operator(graph.output)))


def on_another_grid(x: operators.Tensor) -> Operator:
    return OnAnotherGrid(input=x, output=replace(x, name="softmax"), path="net.softmax")


FLOAT, INT8 = ending_in(softmax, float_graph("conv chain")), ending_in(softmax, int8_graph("conv chain"))
REGRIDDED = ending_in(on_another_grid, int8_graph("conv chain"))
REFUSALS: dict[str, Callable[[], Any]] = {
    "exactness": lambda: order_dependent_paths(replace(FLOAT, operators=FLOAT.operators[-1:])),
    "value ranges": lambda: held_in(FLOAT.operators),
    "float reference": lambda: FloatReference(FLOAT).run(pictures(FLOAT, 1)),
    "int8 reference": lambda: Reference(INT8),
    "sums": lambda: check_sums(REGRIDDED),
    "scales": lambda: check_graph(REGRIDDED),
    "strips": lambda: is_local(softmax(int8_graph("mobile block").operators[0].output)),
}


@pytest.mark.parametrize("place", REFUSALS)
def test_an_operator_that_a_place_does_not_know_is_refused_by_name_and_path(place: str) -> None:
    with pytest.raises(CompileError, match=r"found (Softmax|OnAnotherGrid) at net\.softmax"):
        REFUSALS[place]()


def test_an_operator_without_traits_is_no_class() -> None:
    with pytest.raises(TypeError, match="Plain is an operator without traits"):

        class Plain(Operator):
            pass


@pytest.mark.parametrize("trait", TRAITS)
def test_no_trait_has_a_default(trait: str) -> None:
    with pytest.raises(TypeError, match=trait):
        Traits(**{name: value for name, value in TRAITS.items() if name != trait})


def test_the_vocabulary_holds_every_class_with_traits_and_no_base() -> None:
    there = [each for each in vars(operators).values() if isinstance(each, type) and issubclass(each, Operator)]
    assert set(OPERATORS) == {each for each in there if "traits" in vars(each)}


def test_what_only_chooses_values_keeps_their_grid() -> None:
    assert all(kind.traits.keeps_grid for kind in OPERATORS if kind.traits.values is Values.CHOSEN)


@pytest.mark.parametrize("table", [int8_rules, float_rules], ids=lambda table: table.name)
def test_a_reference_has_a_rule_or_a_reason_for_every_operator_in_the_module_of_its_family(table: Any) -> None:
    assert set(table.entries) | set(table.gaps) == set(OPERATORS) and all(table.gaps.values())
    for kind, rule in table.entries.items():
        assert rule.__module__.endswith(f".rules.{kind.traits.family}")
