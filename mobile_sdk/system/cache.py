"""Keeps what was fetched in a folder outside every checkout, which one process at a time makes whole or not at all."""

import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mobile_sdk.system.commands import run_command

Say = Callable[[str], None]
"""Takes one line of progress."""


def cache_folder() -> Path:
    """Returns `$XDG_CACHE_HOME/mobile-sdk`, or `~/.cache/mobile-sdk`; a user may delete it at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "mobile-sdk"


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Returns `folder`, filled by `make(unfinished)` if it does not exist yet.

    A second process waits for the first. Leftovers of an interrupted `make` are deleted, so it restarts clean.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name(f"{folder.name}.lock")):
        if not folder.is_dir():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file `path`; the system releases it when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def made_environment(
    folder: Path, requirements: Sequence[str], say: Say, *, python: str = sys.executable, pip: Sequence[str] = ()
) -> Path:
    """Returns the Python of the environment `folder`, which is made first if it is missing, with these requirements.

    It is for packages that cannot, or should not, lie beside this environment's.

    `python` is the interpreter, `pip` are more options of `pip install`. Raises MachineError if the packages cannot be
    fetched.
    """

    def make(unfinished: Path) -> None:
        say(f"{requirements[0].partition('==')[0]}: making its environment")
        run_command([python, "-m", "venv", "--without-pip", str(unfinished)], hint="apt-get install python3-venv")
        install = [sys.executable, "-m", "pip", "--python", str(python_of(unfinished)), "install", "--quiet"]
        hint = "look whether pip reaches a package index here"
        run_command([*install, "--only-binary=:all:", *pip, *requirements], hint=hint)

    return python_of(made_once(folder, make))


def python_of(folder: Path) -> Path:
    """Returns where an environment has its Python, made or not."""
    return folder / "bin" / "python"
