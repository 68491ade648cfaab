"""Reads the list of nets: name, family, input and output of each."""

import csv
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).with_name("nets.csv")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Describes a net: `package/name`, its family, its input (C, H, W) and the kind of its output, as text."""

    net: str
    family: str
    shape: tuple[int, int, int]
    output: str


def nets() -> tuple[Listed, ...]:
    """Returns all nets, in the order of the file."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        return tuple(_listed(row) for row in csv.DictReader(file))


def _listed(row: dict[str, str]) -> Listed:
    channels, height, width = map(int, row["input"].split("x"))
    return Listed(net=row["net"], family=row["family"], shape=(channels, height, width), output=row["output"])
