"""Reads a program whose view is its graph's, so that PyTorch and this SDK open one net."""

from pathlib import Path

from mobile_sdk.program.archive import read_members
from mobile_sdk.program.aten.check import check_view
from mobile_sdk.program.program import Program


def load_with_view(path: Path) -> Program:
    """Reads the program at `path` like `Program.load`; raises BundleError if PyTorch would open another net."""
    program = Program.load(path)
    check_view(path.name, read_members(path), program.graph)
    return program
