"""Reads inputs in processes of their own, with a limit on memory and a deadline, so that none ends the fuzzer."""

import multiprocessing
import shutil
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path

import torch

from benchmarks.fuzz.inputs import Input, Inputs
from benchmarks.fuzz.outcomes import ANOTHER, DEATH, EQUAL, EXCEPTION, HANG, REFUSED, WRONG, Outcome
from benchmarks.fuzz.readers import DeceivedError, NotPassedError, Statement
from benchmarks.judging.apart import confine
from mobile_sdk.cli.failures import BUG, explain

MORE_MEMORY_BYTES = 6 * 2**30
"""A reader may take so much more than the SDK and its libraries take by themselves."""
_INPUTS_OF_ONE = 4000  # a process reads so many, so that what libraries leave behind does not add up
_LOOK_EVERY_S = 0.5
_BUG = "a bug of the fuzzer"


class _Worker:
    """Holds a process that reads one input after the other, and what it is reading."""

    def __init__(self, inputs: Inputs, folder: Path) -> None:
        self.folder, self.index, self.since, self.done = folder, -1, 0.0, 0
        folder.mkdir(parents=True)
        self.pipe, theirs = multiprocessing.Pipe()
        forked = multiprocessing.get_context("fork")
        self.process = forked.Process(target=_work, args=(inputs, theirs, folder), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, index: int) -> None:
        """Lets the process read an input."""
        self.index, self.since, self.done = index, time.monotonic(), self.done + 1
        self.pipe.send(index)

    def end(self) -> None:
        """Ends the process and removes its folder."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Workers:
    """Gives numbers of inputs to processes, and yields what became of each, in any order."""

    def __init__(self, inputs: Inputs, folder: Path, *, count: int, keep: Callable[[Outcome, Path], None]) -> None:
        self._inputs, self._folder, self._count, self._keep = inputs, folder, count, keep
        self._started = 0

    def read(self, indices: Iterator[int]) -> Iterator[Outcome]:
        """Yields the outcome of every index; `keep` gets each and the folder of its input, before that is removed."""
        busy = [worker for worker in (self._start() for _ in range(self._count)) if self._gives(worker, indices)]
        try:
            while busy:
                ready = wait([worker.pipe for worker in busy], timeout=_LOOK_EVERY_S)
                outcomes = {worker: self._outcome(worker, is_ready=worker.pipe in ready) for worker in busy}
                for worker, outcome in outcomes.items():
                    if outcome is not None:
                        self._keep(outcome, worker.folder)
                        busy.remove(worker)
                        busy += self._after(worker, outcome, indices)
                        yield outcome
        finally:
            for worker in busy:
                worker.end()

    def _after(self, worker: _Worker, outcome: Outcome, indices: Iterator[int]) -> list[_Worker]:
        """Returns the worker that reads the next input, in a list; the same one, unless it must end."""
        if outcome.outcome in (DEATH, HANG) or worker.done >= _INPUTS_OF_ONE:
            worker.end()
            worker = self._start()
        return [worker] if self._gives(worker, indices) else []

    def _start(self) -> _Worker:
        self._started += 1
        return _Worker(self._inputs, self._folder / f"worker {self._started}")

    def _gives(self, worker: _Worker, indices: Iterator[int]) -> bool:
        """Gives the worker the next input; without one, ends it and returns False."""
        index = next(indices, None)
        if index is None:
            worker.end()
            return False
        worker.give(index)
        return True

    def _outcome(self, worker: _Worker, *, is_ready: bool) -> Outcome | None:
        """Returns the outcome of the worker's input, if it has one yet."""
        kind, change = self._inputs.plan(worker.index)
        if is_ready:
            try:
                outcome, found = worker.pipe.recv()
            except EOFError:
                worker.process.join()
                code = worker.process.exitcode or 0
                outcome, found = DEATH, signal.Signals(-code).name if code < 0 else f"exit code {code}"
            if outcome == _BUG:
                raise RuntimeError(f"input {worker.index}, {kind.name}, {change}: {found}")
        elif time.monotonic() - worker.since > kind.deadline_s:
            outcome, found = HANG, f"no answer in {kind.deadline_s:g} s"
        else:
            return None
        return Outcome(index=worker.index, kind=kind.name, change=change, outcome=outcome, found=found)


def _work(inputs: Inputs, pipe: Connection, folder: Path) -> None:
    """Reads the inputs whose numbers come through the pipe, until it ends."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # tests make errors of them
    confine(MORE_MEMORY_BYTES)
    statements: dict[str, Statement] = {}
    while True:
        try:
            index = pipe.recv()
        except EOFError:
            return
        made = folder / "input"
        shutil.rmtree(made, ignore_errors=True)
        try:
            current = inputs.make(index, made)
            name = f"{current.kind.name} {'' if current.kind.is_folder else current.path.name}"
            if name not in statements:
                statements[name] = _original(inputs, current, folder / "original")
        except Exception:  # noqa: BLE001 - the parent raises it
            pipe.send((_BUG, traceback.format_exc()))
            return
        pipe.send(_judged(current, statements[name]))


def _original(inputs: Inputs, current: Input, folder: Path) -> Statement:
    """Returns the statement of what an input was made of."""
    path = inputs.untouched(current, folder)
    try:
        return current.kind.read(path)
    finally:
        shutil.rmtree(folder)


def _judged(current: Input, original: Statement) -> tuple[str, str]:
    """Returns the outcome of reading an input, and the error in a line."""
    try:
        statement = current.kind.read(current.path)
    except NotPassedError as error:
        return REFUSED, str(error)
    except DeceivedError as error:
        return WRONG, str(error)
    except MemoryError as error:
        return EXCEPTION, _line(error)
    except Exception as error:  # noqa: BLE001 - that no other error comes is what is tried
        return (EXCEPTION if explain(error).exit_code == BUG else REFUSED), _line(error)
    if statement == original:
        return EQUAL, ""
    return (WRONG, "accepted, and not what was written") if current.kind.is_sealed else (ANOTHER, "")


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
