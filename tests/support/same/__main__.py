"""Asks Python, Kotlin and Swift questions of random bits: all must answer alike.

Run: python -m tests.support.same [--batches N] [--seed S] [--out DIR]     both toolchains are fetched once (0.8 GB)

Outputs, masks, detections, JSON, times and bundles are drawn; `--out` keeps the questions that were answered otherwise,
with the seed of their batch and the bundles that they ask about. Exit code 1: there are such questions.
"""

import argparse
import secrets
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.core.results_file import markdown
from mobile_sdk.system.temporary_folder import scratch_folder
from tests.support.apps.android_app import build_app
from tests.support.apps.ios_core import IosCore
from tests.support.apps.kotlin_toolchain import make_kotlin_toolchain
from tests.support.apps.swift_toolchain import make_toolchain
from tests.support.same.languages import SAME, Difference, Language, differences, kotlin, swift, write_questions
from tests.support.same.questions import cases, drawn

_ROUNDS = 400  # of a batch


def main(arguments: list[str]) -> int:
    """Asks; returns 1 if a question was answered in two ways."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--batches", type=int, default=10, help="of some 2,000 questions, a minute each")
    parser.add_argument("--seed", type=int, default=None, help="of the first batch; a fresh one if it is not given")
    parser.add_argument("--out", type=Path, default=Path("same"), help="where questions answered otherwise are kept")
    asked = parser.parse_args(arguments)
    seed = secrets.randbits(32) if asked.seed is None else asked.seed
    asked_by_kind: Counter[str] = Counter()
    differing: Counter[str] = Counter()
    with scratch_folder() as folder:
        languages = _languages(folder)
        for _ in range(asked.batches):
            questions, found = _batch(folder / "batch", seed, languages)
            asked_by_kind.update(map(_kind, questions))
            differing.update(_kind(each.question) for each in found)
            _keep(asked.out, seed, found, folder / "batch")
            print(f"seed {seed}: {len(questions)} questions, {len(found)} answered otherwise", file=sys.stderr)
            seed += 1
    rows = [{"kind": kind, "questions": count, "differ": differing[kind]} for kind, count in asked_by_kind.items()]
    print(markdown(rows))
    return 1 if differing else 0


def _languages(folder: Path) -> list[Language]:
    (folder / "kotlin").mkdir()
    (folder / "swift").mkdir()
    core = IosCore(toolchain=make_toolchain(print), build=folder / "swift")
    return [kotlin(build_app(make_kotlin_toolchain(print), folder / "kotlin")), swift(core)]


def _batch(folder: Path, seed: int, languages: list[Language]) -> tuple[list[str], list[Difference]]:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / SAME).mkdir(parents=True)
    questions = [*cases(folder / SAME), *drawn(np.random.default_rng(seed), folder / SAME, _ROUNDS)]
    answers = [write_questions(folder, questions), *(ask(folder) for ask in languages)]
    return questions, differences(questions, answers)


def _keep(out: Path, seed: int, found: list[Difference], folder: Path) -> None:
    if not found:
        return
    shutil.copytree(folder, out / str(seed), symlinks=True, dirs_exist_ok=True)
    text = "\n".join(map(str, found)) + "\n"
    (out / str(seed) / "differences.txt").write_text(text, encoding="utf-8")


def _kind(question: str) -> str:
    return question.partition("\t")[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
