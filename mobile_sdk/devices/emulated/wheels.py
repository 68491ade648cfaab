"""Wheels for 64-bit Arm Linux, of the very versions that run on this host."""

import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from mobile_sdk.commands import run_command

_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
_HINT = "look whether pip reaches a package index here"


def missing_packages(names: Sequence[str]) -> list[str]:
    """Those of `names` that are not installed here, so that their version is unknown."""
    return [name for name in names if not _is_installed(name)]


def requirements(names: Sequence[str]) -> list[str]:
    """`name==version` as installed here."""
    return [f"{name}=={metadata.version(name)}" for name in names]


def install_wheels(names: Sequence[str], site: Path) -> None:
    """Unpacks the wheels into the folder `site`, for Python 3.11."""
    run_command([*_pip("install"), "--target", str(site), *requirements(names)], hint=_HINT)


def fetch_wheel(name: str, folder: Path) -> Path:
    """The wheel file of one package, fetched into `folder`."""
    run_command([*_pip("download"), "--dest", str(folder), *requirements([name])], hint=_HINT)
    return next(folder.glob(f"{name}-*.whl"))


def _pip(verb: str) -> list[str]:
    platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
    choice = ["--no-deps", "--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp", *platforms]
    return [sys.executable, "-m", "pip", verb, "--quiet", *choice]


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
