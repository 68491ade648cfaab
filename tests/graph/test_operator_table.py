"""A table of operators gives the entry of a class, and refuses what it lacks by table, operator and module path."""

from collections.abc import Callable
from typing import Any

import pytest

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operator_table import OperatorTable
from mobile_sdk.graph.operators import Concat, Mean, Reshape, Tensor

MAP = Tensor(name="map", shape=(2, 1, 1), quantization=None)
RESHAPE = Reshape(output=MAP, path="features.2", input=MAP)
MEAN = Mean(output=MAP, path="features.3", input=MAP)


def a_table() -> OperatorTable[Callable[[Any], str]]:
    table: OperatorTable[Callable[[Any], str]] = OperatorTable("LiteRT", gaps={Concat: "it has no channels"})

    @table.of(Reshape)
    def reshape(operator: Reshape) -> str:
        return f"reshape {operator.path}"

    return table


def test_the_entry_of_an_operators_class_is_found() -> None:
    table = a_table()
    assert table[RESHAPE](RESHAPE) == "reshape features.2"
    assert set(table.entries) == {Reshape}


def test_an_operator_without_an_entry_is_refused_by_table_name_and_path() -> None:
    with pytest.raises(CompileError, match=r"that LiteRT has, found Mean at features\.3"):
        a_table()[MEAN]


def test_a_gap_is_refused_with_its_reason() -> None:
    with pytest.raises(CompileError, match=r"found Concat at head: it has no channels"):
        a_table()[Concat(output=MAP, path="head", parts=(MAP,))]


@pytest.mark.parametrize("kind", [Reshape, Concat])
def test_no_class_is_registered_twice_nor_in_spite_of_a_gap(kind: type) -> None:
    with pytest.raises(ValueError, match=f"LiteRT has {kind.__name__} already"):
        a_table().of(kind)(str)
