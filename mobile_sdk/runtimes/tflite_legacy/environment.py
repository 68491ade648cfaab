"""Makes the environment of tflite-runtime 2.14.0 in the cache: a Python 3.11 of its own with numpy 1."""

import shutil
import sys
from pathlib import Path

from mobile_sdk.errors import MachineError
from mobile_sdk.system.cache import Say, cache_folder, made_once
from mobile_sdk.system.commands import run_command

REQUIREMENTS = ("tflite-runtime==2.14.0", "numpy==1.26.4")
HOW_TO_GET = "python -m mobile_sdk.runtimes.tflite_legacy"
_PYTHON = "python3.11"  # the newest that tflite-runtime 2.14.0 has wheels for


def find_python() -> Path | None:
    """Returns the environment's Python, if the environment has been made."""
    python = _folder() / "bin" / "python"
    return python if python.exists() else None


def make_ready(say: Say) -> Path:
    """Returns the environment's Python, and makes it first if it is missing. Raises MachineError.

    About 20 MB are fetched.
    """

    def make(unfinished: Path) -> None:
        say("tflite-runtime: making its environment")
        hint = "look whether pip reaches a package index here"
        run_command([_python(), "-m", "venv", "--without-pip", str(unfinished)], hint="apt-get install python3-venv")
        pip = [sys.executable, "-m", "pip", "--python", str(unfinished / "bin" / "python"), "install", "--quiet"]
        run_command([*pip, "--no-deps", "--only-binary=:all:", *REQUIREMENTS], hint=hint)

    made_once(_folder(), make)
    return _folder() / "bin" / "python"


def _folder() -> Path:
    return cache_folder() / REQUIREMENTS[0].replace("==", "-")


def _python() -> str:
    if sys.version_info[:2] == (3, 11):
        return sys.executable
    if found := shutil.which(_PYTHON):
        return found
    raise MachineError(f"expected {_PYTHON} for tflite-runtime 2.14.0, found none", hint=f"install {_PYTHON}")
