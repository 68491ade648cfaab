"""The picture of the architecture is of this code, and every room has its paragraph."""

import re

import pytest

from docs.architecture import arrows, draw, floors, read_rooms
from tests.support.repository import ROOT

PAGE = (ROOT / "docs/project/architecture.md").read_text(encoding="utf-8")


def test_the_picture_is_drawn_from_this_code() -> None:
    drawn = (ROOT / "docs/project/architecture.svg").read_text(encoding="utf-8")
    assert drawn == draw(read_rooms()), "draw it again: python docs/architecture.py"


def test_every_room_has_one_paragraph() -> None:
    paragraphs = dict(re.findall(r"^### (\S+)\n((?:[^\n#].*\n)+)", PAGE, re.MULTILINE))
    assert set(paragraphs) == set(read_rooms())


def test_every_room_stands_above_those_that_it_imports() -> None:
    rooms = read_rooms()
    storey = floors(rooms)
    assert all(storey[name] > storey[below] for name, room in rooms.items() for below in room.imports)
    assert len(arrows(rooms)) < sum(len(room.imports) for room in rooms.values())


@pytest.mark.parametrize("package", ["mobile_sdk", "qat"])
def test_the_picture_names_both_packages(package: str) -> None:
    assert f">{package}/</text>" in draw(read_rooms())
