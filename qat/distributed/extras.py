"""Imports packages that only some uses need: the extras of this package."""

from importlib import import_module
from typing import Any

from mobile_sdk.errors import MachineError


def needed(package: str, what_for: str) -> Any:
    """Returns the package, imported; raises MachineError if it is missing."""
    try:
        return import_module(package)
    except ImportError as error:
        raise MachineError(
            f"expected the package {package} for {what_for}, found it missing",
            hint="pip install 'mobile-sdk[distributed]'",
        ) from error
