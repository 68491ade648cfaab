"""Imports what only some uses need, each with an extra of this SDK, and refuses another project's package `qat`."""

from functools import cache
from importlib import import_module, metadata, util
from pathlib import Path
from typing import Any

from mobile_sdk.errors import MachineError

_OTHER_PROJECTS = ("qat", "qat-core")
"""They are Qt Application Tester and myQLM on PyPI, which install a top-level folder `qat` too."""


def command(extra: str | None = None) -> str:
    """Returns the command that installs this SDK, where its source is, by default or with an extra."""
    return f"pip install '.[{extra}]'" if extra else "pip install ."


def missing(package: str, what_for: str, *, extra: str | None = None, found: str = "none") -> MachineError:
    """Returns the error of a package that `what_for` needs, and that the extra, or each installation, brings."""
    return MachineError(f"expected the package {package} for {what_for}, found {found}", hint=command(extra))


def check_installed(package: str, what_for: str, *, extra: str | None = None, module: str | None = None) -> None:
    """Raises the error of `missing` if a package, by its `module` where that has another name, is not installed.

    It imports nothing.
    """
    if util.find_spec(module or package) is None:
        raise missing(package, what_for, extra=extra)


def needed(package: str, what_for: str, *, extra: str, module: str | None = None) -> Any:
    """Returns a package's module, the package itself by default, imported; raises the error of `missing` without it."""
    try:
        return import_module(module or package)
    except ImportError as error:
        is_absent = isinstance(error, ModuleNotFoundError) and error.name == package
        found = "none" if is_absent else f"one that does not load: {error}"
        raise missing(package, what_for, extra=extra, found=found) from error


@cache
def check_qat_is_ours() -> None:
    """Raises MachineError if this environment holds another project whose package is called `qat` too.

    Both write into one folder, and a file of the same name is that of the project installed last.
    """
    hint = "use an environment of its own for each, or pip uninstall the other and install this SDK again"
    for name in _OTHER_PROJECTS:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        found = f"{name} {version}, another project whose package is called qat too"
        raise MachineError(f"expected mobile-sdk's package qat alone in this environment, found {found}", hint=hint)
    own = Path(__file__).parents[1] / "qat" / "__init__.py"
    spec = util.find_spec("qat")
    if spec is None or spec.origin is None or not own.exists() or not own.samefile(spec.origin):
        found = spec.origin if spec and spec.origin else "none"
        raise MachineError(f"expected mobile-sdk's package qat at {own.parent}, found {found}", hint=hint)
