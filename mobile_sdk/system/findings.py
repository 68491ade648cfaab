"""Describes what a machine has, lacks, or has in part, for people to read."""

import importlib.util
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

Status = Literal["ok", "missing", "limited"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A finding is one thing that this machine has, lacks, or has in part."""

    name: str
    status: Status
    found: str  # a version, a size, a path; or why it is missing or limited
    enables: str
    get: str | None  # one command, or None if nothing is missing


def find_package(name: str, module: str, *, enables: str, get: str) -> Finding:
    """Returns whether the package `name` is installed, and which version; its `module` is not imported."""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        version = None
    if version is None or importlib.util.find_spec(module) is None:
        return Finding(name=name, status="missing", found="not installed", enables=enables, get=get)
    return Finding(name=name, status="ok", found=version, enables=enables, get=None)
