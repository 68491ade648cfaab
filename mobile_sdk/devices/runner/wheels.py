"""Fetches wheels for Linux on any processor, in the very versions that run on this host."""

import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from mobile_sdk.system.commands import run_command

_PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
_HINT = "look whether pip reaches a package index here"


def missing_packages(names: Sequence[str]) -> list[str]:
    """Returns those of `names` that are not installed here, so that their version is unknown."""
    return [name for name in names if not _is_installed(name)]


def requirements(names: Sequence[str]) -> list[str]:
    """Returns `name==version` as installed here."""
    return [f"{name}=={metadata.version(name)}" for name in names]


def fetch_wheel(name: str, folder: Path, architecture: str) -> Path:
    """Fetches the wheel file of one package for Python 3.11 on `architecture` into `folder`, and returns its path."""
    platforms = [word for platform in _PLATFORMS for word in ("--platform", f"{platform}_{architecture}")]
    choice = ["--no-deps", "--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp", *platforms]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)]
    run_command([*pip, *choice, *requirements([name])], hint=_HINT)
    return next(folder.glob(f"{name.replace('-', '_')}-*.whl"))


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
