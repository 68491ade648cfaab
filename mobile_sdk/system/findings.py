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


def found_or_missing(name: str, found: str | None, *, missing: str, enables: str, get: str | None) -> Finding:
    """Returns a finding of what is either there, as `found` describes, or `missing` for that reason."""
    if found is None:
        return Finding(name=name, status="missing", found=missing, enables=enables, get=get)
    return Finding(name=name, status="ok", found=found, enables=enables, get=None)


def find_package(name: str, module: str, *, enables: str, get: str) -> Finding:
    """Returns whether the package `name` is installed, and which version; its `module` is not imported."""
    try:
        version = metadata.version(name) if importlib.util.find_spec(module) else None
    except metadata.PackageNotFoundError:
        version = None
    return found_or_missing(name, version, missing="not installed", enables=enables, get=get)
