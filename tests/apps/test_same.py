"""Python, Kotlin and Swift answer the same questions alike, and a rule that one of them breaks is found."""

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk import comparison
from mobile_sdk.bundle import manifest_file
from mobile_sdk.bundle.golden import files as golden_files
from mobile_sdk.contract import contract
from mobile_sdk.tasks import boxes, softmax
from tests.support.apps.android_app import AndroidApp
from tests.support.apps.ios_core import IosCore
from tests.support.same import python_answers
from tests.support.same.languages import SAME, differences, kotlin, swift, write_questions
from tests.support.same.questions import cases, drawn

ROUNDS = 30
FIXED_SEED = 19


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of questions: the smallest ones, some of a fixed seed and as many of a fresh one."""
    folder = tmp_path_factory.mktemp("asked")
    (folder / SAME).mkdir()
    fresh = secrets.randbits(32)
    print(f"fresh seed: {fresh}")
    questions = cases(folder / SAME)
    for name, seed in (("fixed", FIXED_SEED), ("fresh", fresh)):
        questions += drawn(np.random.default_rng(seed), folder / SAME, ROUNDS, name)
    write_questions(folder, questions)
    return folder


@pytest.fixture(scope="module")
def kotlins(asked: Path, android_app: AndroidApp) -> list[str]:
    return kotlin(android_app)(asked)


def lines(asked: Path, name: str) -> list[str]:
    return (asked / SAME / name).read_text(encoding="utf-8").splitlines()


@pytest.mark.slow
def test_kotlin_answers_as_python_does(asked: Path, kotlins: list[str]) -> None:
    found = differences(lines(asked, "questions.txt"), [lines(asked, "answers.txt"), kotlins])
    assert not found, "\n".join(map(str, found[:9]))


@pytest.mark.slow
def test_swift_answers_as_python_does_and_never_ends(asked: Path, ios_core: IosCore) -> None:
    answers = swift(ios_core)(asked)
    assert len(answers) == len(lines(asked, "questions.txt"))
    found = differences(lines(asked, "questions.txt"), [lines(asked, "answers.txt"), answers])
    assert not found, "\n".join(map(str, found[:9]))


def in_eights(logits: np.ndarray) -> np.ndarray:
    powers = softmax.exponential(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def of_the_last_keys(data: bytes) -> Any:
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError(str(error)) from error


def first_of_numpys(scores: np.ndarray) -> np.ndarray:
    return np.argmax(scores, axis=1)


BROKEN: dict[str, tuple[Any, str, Callable[..., Any], str]] = {
    "sums in eights": (boxes, "softmax", in_eights, "detections"),
    "numpy's own exponential": (softmax, "_block", np.exp, "detections"),
    "infinity wins": (comparison, "top1", first_of_numpys, "open"),
    "the last of two keys": (manifest_file, "parse_json", of_the_last_keys, "open"),
    "pictures of any size": (golden_files, "_MAX_PICTURE_PX", 2**40, "open"),
    "another white space": (contract, "BLANKS", " \t\n", "open"),
}
"""By name, where a rule of Python's stands, what takes its place, and the kind of question that finds it."""


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_a_rule_that_is_broken_in_one_language_is_found(
    name: str, asked: Path, kotlins: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, attribute, instead, kind = BROKEN[name]
    monkeypatch.setattr(home, attribute, instead)
    if attribute == "top1":
        monkeypatch.setattr("mobile_sdk.tasks.classification.top1", instead)
    pairs = [(each, said) for each, said in zip(lines(asked, "questions.txt"), kotlins, strict=True)]
    questions = [each for each, _ in pairs if each.startswith(kind)]
    broken = [python_answers.answer(each, asked / SAME) for each in questions]
    assert differences(questions, [broken, [said for each, said in pairs if each.startswith(kind)]])
