"""Verbs share blocks of options, and take few parameters of their own."""

from dataclasses import dataclass
from inspect import signature
from typing import Annotated

import pytest
import typer

from mobile_sdk.cli.app import EXAMPLES
from mobile_sdk.cli.blocks import fields_of
from mobile_sdk.cli.flattening import flattened

MOST_PARAMETERS = 8


@dataclass(frozen=True, kw_only=True)
class Inner:
    """A block in a block."""

    size: Annotated[int, typer.Option("--size")] = 3


@dataclass(frozen=True, kw_only=True)
class Outer:
    """A block."""

    name: Annotated[str, typer.Option("--name")]
    inner: Inner


@pytest.mark.parametrize("verb", EXAMPLES, ids=lambda verb: verb.__name__)
def test_no_verb_has_more_parameters_than_a_reader_takes_in(verb) -> None:
    assert len(signature(verb).parameters) <= MOST_PARAMETERS


def test_a_block_becomes_options_in_its_place_and_is_made_of_what_was_given() -> None:
    got = []

    def verb(first: int, outer: Outer, last: bool = False) -> None:
        """Does something."""
        got.append((first, outer, last))

    flat = flattened(verb)
    assert [(each.name, each.default) for each in signature(flat).parameters.values()][2:] == [
        ("size", 3),
        ("last", False),
    ]
    assert list(signature(flat).parameters) == ["first", "name", "size", "last"] and flat.__doc__ == verb.__doc__
    flat(first=1, name="a", size=5, last=True)
    assert got == [(1, Outer(name="a", inner=Inner(size=5)), True)]
    assert fields_of(got[0][1]) == {"name": "a", "size": 5}
