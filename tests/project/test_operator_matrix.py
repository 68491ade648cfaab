"""Every operator has a rule in every table, or a reason why it has none; the rules lie in the module of its family."""

import pytest

from benchmarks.core.operator_matrix import matrix, runtime_tables
from mobile_sdk import runtimes
from mobile_sdk.graph.operators import OPERATORS
from tests.support.repository import ROOT

ADDING = (ROOT / "docs/project/adding.md").read_text(encoding="utf-8")
COLUMNS = ["the int8 reference", "the float32 reference", "the view of program.pt2"]


def test_every_gap_of_the_matrix_has_a_reason() -> None:
    found = matrix()
    print(found.markdown())
    assert found.unexplained() == []


def test_the_matrix_has_a_row_an_operator_and_a_column_a_table() -> None:
    table, notes = matrix().markdown().split("\n\n")
    head, _, *rows = table.splitlines()
    names = [table.name.rstrip(",") for runtime in runtimes.names() for table in runtime_tables(runtime)]
    assert head == f"| operator | family | work | {' | '.join([*COLUMNS, *names])} | strips |"
    assert [row.split(" | ")[0] for row in rows] == [f"| {kind.__name__}" for kind in OPERATORS]
    assert all(f"– {number}" in table for number in range(1, len(notes.splitlines()) + 1))


@pytest.mark.parametrize("runtime", runtimes.names())
def test_a_runtime_writes_every_operator_in_the_module_of_its_family(runtime: str) -> None:
    tables = runtime_tables(runtime)
    assert tables
    for table in tables:
        for kind, entry in table.entries.items():
            assert entry.__module__ == f"mobile_sdk.runtimes.{runtime}.operators.{kind.traits.family}", kind


def test_the_page_on_adding_an_operator_shows_this_matrix() -> None:
    shown = ADDING.partition("python -m benchmarks.core.operator_matrix -->\n")[2].partition("<!--")[0]
    assert shown == matrix().markdown(), "paste what python -m benchmarks.core.operator_matrix prints"
