"""Asks Kotlin's and Swift's programs, which the demo apps' tests are compiled into."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.apps.android_app import AndroidApp
from tests.support.apps.ios_core import IosCore
from tests.support.apps.swift_toolchain import BUILD
from tests.support.same.python_answers import answer

SAME = "same"
"""The folder of questions and of the bundles that they ask about, below one of fixtures."""

_TEST = "everyQuestionIsAnsweredAsPythonAnswersIt"
_SHOWN = 300

Language = Callable[[Path], list[str]]
"""Returns an answer a question of a folder; fewer where a program ended."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Holds a question with what each language says."""

    question: str
    answers: tuple[str, ...]

    def __str__(self) -> str:
        """Returns a line a language, cut."""
        return "\n    ".join(text[:_SHOWN] for text in (self.question.replace("\t", " "), *self.answers))


def write_questions(folder: Path, questions: Sequence[str]) -> list[str]:
    """Writes the questions below `folder`, with Python's answers, which it returns."""
    home = folder / SAME
    answers = [answer(question, home) for question in questions]
    for name, lines in (("questions.txt", questions), ("answers.txt", answers)):
        (home / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return answers


def kotlin(app: AndroidApp) -> Language:
    """Returns Kotlin's program."""

    def ask(folder: Path) -> list[str]:
        home = folder / SAME
        return app.run("mobilesdk.demo.SameKt", str(home), str(home / "questions.txt")).stdout.splitlines()

    return ask


def swift(core: IosCore) -> Language:
    """Returns Swift's program, a test of the core's."""

    def ask(folder: Path) -> list[str]:
        answers = core.build / "answers.txt"
        answers.write_text("", encoding="utf-8")
        done = core.run_tests(folder, only=(_TEST,), environment={"DEMO_ANSWERS": f"{BUILD}/answers.txt"})
        said = answers.read_text(encoding="utf-8").splitlines()
        assert said, done.stdout[-8000:]
        return said

    return ask


def differences(questions: Sequence[str], answers: Sequence[Sequence[str]]) -> list[Difference]:
    """Returns the questions that not all languages answer alike; one that ended says so of its first question left."""
    found = []
    for index, question in enumerate(questions):
        said = tuple(each[index] if index < len(each) else "(the program has ended)" for each in answers)
        if len(set(said)) > 1:
            found.append(Difference(question=question, answers=said))
    return found
