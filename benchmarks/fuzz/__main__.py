"""Counts what becomes of mutated inputs of every kind that the SDK reads: none may do harm, or pass for what it is not.

Run: python -m benchmarks.fuzz [--inputs N] [--first I] [--seed S] [--out DIR]     200,000 inputs take 25 minutes

`--out` keeps every input with a bad outcome, and failures.jsonl, a line for each. The seed and its number make an input
again: `--first NUMBER --inputs 1`. Ctrl-C prints the table so far. Exit code 1: an input had a bad outcome.
"""

import argparse
import json
import os
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.core.results_file import markdown, write_result
from benchmarks.fuzz.inputs import Inputs
from benchmarks.fuzz.kinds import kinds
from benchmarks.fuzz.outcomes import BAD, Outcome, Table
from benchmarks.fuzz.samples import write_samples
from benchmarks.fuzz.workers import Workers
from mobile_sdk.system.environment import installed_versions
from mobile_sdk.system.temporary_folder import scratch_folder

INPUTS = 200_000
VERSIONS = ("mobile-sdk", "torch", "pydantic", "pillow", "safetensors", "ai-edge-litert", "executorch", "coremltools")
_EVERY_S = 2.0


def main(arguments: list[str]) -> int:
    """Makes and reads the inputs; returns 1 if one of them had a bad outcome."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=INPUTS, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the number of the first one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("fuzz"), help="where inputs with a bad outcome are kept")
    asked = parser.parse_args(arguments)
    table = Table()
    with scratch_folder() as folder:
        write_samples(folder / "samples")
        inputs = Inputs(kinds(folder / "samples"), folder / "samples", asked.seed)
        keeper = Keeper(asked.out, asked.seed)
        workers = Workers(inputs, folder, count=len(os.sched_getaffinity(0)), keep=keeper.keep)
        is_whole = _read(workers, range(asked.first, asked.first + asked.inputs), table)
    if is_whole and (asked.first, asked.inputs, asked.seed) == (0, INPUTS, 0):
        write_result("fuzz", table.rows(), installed_versions(VERSIONS))
    else:
        print(markdown(table.rows()))
    return 1 if table.total(BAD) else 0


class Keeper:
    """Keeps inputs with a bad outcome in a folder."""

    def __init__(self, out: Path, seed: int) -> None:
        self._out, self._seed = out, seed

    def keep(self, outcome: Outcome, folder: Path) -> None:
        """Copies the input of a bad outcome, and adds a line that says how to make it again."""
        if outcome.outcome not in BAD:
            return
        self._out.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._out / str(outcome.index), ignore_errors=True)
        shutil.copytree(folder / "input", self._out / str(outcome.index), symlinks=True, copy_function=_copied)
        with (self._out / "failures.jsonl").open("a", encoding="utf-8") as file:
            print(json.dumps({"seed": self._seed, **asdict(outcome)}), file=file)


def _copied(source: str, target: str) -> None:
    if Path(source).is_file():  # a FIFO would wait for a writer; its line says what it was
        shutil.copyfile(source, target)


def _read(workers: Workers, indices: range, table: Table) -> bool:
    """Reads the inputs and shows how far it is; returns False if Ctrl-C ended it."""
    begun = said = time.monotonic()
    try:
        for outcome in workers.read(iter(indices)):
            table.add(outcome)
            if time.monotonic() - said > _EVERY_S or table.total() == len(indices):
                said = time.monotonic()
                _say(table, len(indices), said - begun)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return False
    finally:
        print(file=sys.stderr)
    return True


def _say(table: Table, total: int, spent_s: float) -> None:
    bad = ", ".join(f"{table.total((each,))} {each}" for each in BAD)
    print(f"\r{table.total():,} of {total:,} inputs, {spent_s:.0f} s: {bad}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
