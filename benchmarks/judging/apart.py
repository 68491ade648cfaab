"""Calls a function in a process of its own, with limits of time and memory, so that no net ends the sweep."""

import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

_Result = TypeVar("_Result")
MORE_MEMORY_BYTES = 10 * 2**30
"""A net may take so much more than the SDK and all packages take by themselves."""


def call(function: Callable[[], _Result], limit_s: float) -> _Result | str:
    """Returns what the function returns, or in a line how its process ended without it.

    The process is forked: the packages that this one has imported are there.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_work, args=(function, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(limit_s):
            return f"no answer in {limit_s:g} s"
        result: Any = ours.recv()
        return result  # type: ignore[no-any-return]
    except EOFError:
        process.join()
        code = process.exitcode or 0
        return f"its process ended: {signal.Signals(-code).name if code < 0 else f'exit code {code}'}"
    finally:
        process.kill()
        process.join()
        ours.close()


def _work(function: Callable[[], Any], pipe: Connection) -> None:
    confine(MORE_MEMORY_BYTES)
    pipe.send(function())


def confine(more_bytes: int) -> None:
    """Lets this process take so much more memory, keeps it from leaving cores, and silences what libraries print."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the process's life
