"""Shows results on standard output and progress on standard error."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from mobile_sdk.system.progress import Report, reported
from qat.distributed.torchrun import is_main_process
from qat.progress import Shown

_Verbose = ContextVar("verbose", default=False)

WORDS = {"pass": "pass", "fail": "FAIL", "not_run": "not run"}


def progress(title: str) -> AbstractContextManager[Report]:
    """Returns a block that yields a function of (share done, current work), whose calls the main process shows."""
    return reported(is_main_process() and Shown.get(), title)


def is_verbose() -> bool:
    """Tells whether a table shows every row and column."""
    return _Verbose.get()


@contextmanager
def verbosely(verbose: bool) -> Iterator[None]:
    """Makes `is_verbose` return `verbose` inside the `with`."""
    token = _Verbose.set(verbose)
    try:
        yield
    finally:
        _Verbose.reset(token)


def show_json(value: Any) -> None:
    """Prints the result as JSON, the only thing on standard output."""
    print(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def quiet() -> None:
    """Hides libraries' messages on import, which do not concern the user's net."""
    warnings.filterwarnings("ignore")
    for name in ("torchao", "torch", "torch.utils._pytree", "coremltools", "root"):
        logging.getLogger(name).setLevel(logging.ERROR)
