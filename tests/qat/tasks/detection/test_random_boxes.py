"""Annotations changed at random: they give true boxes, or are refused in one line; nothing else ever happens."""

import copy
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.labels.label_text import check_labels
from qat.data.boxes.folder import load_box_folder
from qat.data.boxes.pictures import DetectionPictures
from tests.support.pictures.box_exports import PARTED, WHOLE, one_by_one
from tests.support.pictures.folders import loaded_or_refused

JUNK: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 2, 1e300, -1e300, float("nan"), float("inf"), 0.5, "", "car", "7", "\n", "\0", "\ud800"),
    *([], [1], {}, {"id": 1}, [[[]]], "../../x", 10**30, "x" * 300),
)
WORDS = (
    *("", "nan", "inf", "-1", "0", "1", "2", "1e400", "9" * 40, "0.5 0.5", "1_0", "\0", "\ufeff", "\r", "\t", "car:"),
    *("]", "<", "</", "&x;", "names:", "- ", "*a", "\u2028", "\u0663"),
)
ANNOTATIONS = (".json", ".xml", ".txt", ".yaml", ".names", ".data", ".labels")


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every container of a tree of JSON, with every key or index in it."""
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree))) if isinstance(tree, list) else []
    return [place for key in keys for place in ((tree, key), *places(tree[key]))]


def shake_json(file: Path, rng: random.Random) -> None:
    """Replaces, removes or doubles values."""
    tree = json.loads(file.read_text(encoding="utf-8"))
    for _ in range(rng.randint(1, 3)):
        container, key = rng.choice(places(tree) or [({"": None}, "")])
        what = rng.random()
        if what < 0.6:
            container[key] = copy.deepcopy(rng.choice(JUNK))
        elif what < 0.8:
            del container[key]
        elif isinstance(container, list):
            container.insert(rng.randint(0, len(container)), copy.deepcopy(container[key]))
    file.write_text(json.dumps(tree), encoding="utf-8")


def shake_text(file: Path, rng: random.Random) -> None:
    """Puts words in place of others, removes or doubles lines, or writes it in other bytes."""
    text = file.read_bytes().decode("utf-8", "replace")
    for _ in range(rng.randint(1, 3)):
        start = rng.randint(0, len(text))
        end = min(len(text), start + rng.choice((0, 1, 5, 40)))
        text = text[:start] + rng.choice((*WORDS, text[start:end] * 2)) + text[end:]
    if rng.random() < 0.1:
        rng.shuffle(lines := text.split("\n"))
        text = "\n".join(lines)
    encoding = rng.choice(("utf-8",) * 6 + ("utf-16", "utf-8-sig", "utf-32"))
    file.write_bytes(text.encode(encoding, "surrogatepass"))


def shake_files(root: Path, rng: random.Random) -> None:
    """Removes, renames, empties or copies a file."""
    file, other = rng.choices([each for each in root.rglob("*") if each.is_file()], k=2)
    what = rng.random()
    if what < 0.3:
        file.unlink()
    elif what < 0.5:
        file.rename(file.with_name(rng.choice(("x", other.name, file.name.upper(), f"{file.stem}.jpg", "classes.txt"))))
    elif what < 0.6:
        file.write_bytes(b"")
    elif what < 0.8 and file != other:
        shutil.copy(other, file)
    else:
        shutil.copy(file, file.with_name(f"{file.stem} copy{file.suffix}"))


@pytest.mark.parametrize("export", [*PARTED, *WHOLE])
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_annotations_changed_at_random_give_true_boxes_or_are_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, export: Callable[[Path], None], seed: int
) -> None:
    rng, root = random.Random(seed), tmp_path_factory.mktemp("shaken")
    export(root)
    for file in rng.choices(
        sorted(each for each in root.rglob("*") if each.suffix in ANNOTATIONS), k=rng.randint(1, 2)
    ):
        (shake_json if file.suffix == ".json" else shake_text)(file, rng)
    if rng.random() < 0.2:
        shake_files(root, rng)
    found = loaded_or_refused(load_box_folder, root)
    if isinstance(found, DetectionPictures):
        assert one_by_one(found)
        check_labels(found.labels, "any file")
