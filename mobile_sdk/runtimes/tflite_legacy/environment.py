"""Makes the environment of tflite-runtime 2.14.0 in the cache: a Python 3.11 of its own with numpy 1."""

import shutil
import sys
from pathlib import Path

from mobile_sdk.errors import MachineError
from mobile_sdk.system.cache import Say, cache_folder, made_environment, python_of

REQUIREMENTS = ("tflite-runtime==2.14.0", "numpy==1.26.4")
HOW_TO_GET = "python -m mobile_sdk.runtimes.tflite_legacy"
_PYTHON = "python3.11"  # the newest that tflite-runtime 2.14.0 has wheels for


def find_python() -> Path | None:
    """Returns the environment's Python, if the environment has been made."""
    python = python_of(_folder())
    return python if python.exists() else None


def make_ready(say: Say) -> Path:
    """Returns the environment's Python, and makes it first if it is missing. Raises MachineError.

    About 20 MB are fetched.
    """
    found = find_python()
    return found or made_environment(_folder(), REQUIREMENTS, say, python=_python(), pip=["--no-deps"])


def _folder() -> Path:
    return cache_folder() / REQUIREMENTS[0].replace("==", "-")


def _python() -> str:
    if sys.version_info[:2] == (3, 11):
        return sys.executable
    if found := shutil.which(_PYTHON):
        return found
    raise MachineError(f"expected {_PYTHON} for tflite-runtime 2.14.0, found none", hint=f"install {_PYTHON}")
