"""Counts the packages and the bytes that an installation brings: by default, and with each extra beyond that.

Run: python -m benchmarks.regression.installation     in the environment of `make setup`; seconds

A package's bytes are those of the files that its own record lists, in this environment; torch is the CPU build here.
"""

import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.core.results_file import write_result

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
DEFAULT = "default"
FOR_DEVELOPERS = ("dev", "bench", "coverage")
LARGEST = 4  # packages that a row names


def installed(requirements: list[str], extras: dict[str, list[str]]) -> dict[str, Distribution]:
    """Returns by name all distributions that these requirements draw; raises PackageNotFoundError for a missing one.

    An extra that draws another of the project's draws what that one requires, by `extras`.
    """
    found: dict[str, Distribution] = {}
    todo = [Requirement(each) for each in requirements]
    done: set[tuple[str, str]] = set()
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        if name == "mobile-sdk":
            todo += [Requirement(each) for extra in wanted.extras for each in extras[extra]]
            continue
        for extra in ("", *wanted.extras):
            if (name, extra) in done:
                continue
            done.add((name, extra))
            found[name] = distribution(name)
            todo += _drawn(found[name], extra)
    return found


def mebibytes(package: Distribution) -> float:
    """Returns the size of a distribution's files in MiB."""
    files = (Path(str(file.locate())) for file in package.files or ())
    return sum(file.stat().st_size for file in files if file.is_file()) / 2**20


def _drawn(package: Distribution, extra: str) -> Iterator[Requirement]:
    """Yields what a distribution requires on this machine because of this extra, or without one."""
    for text in package.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        without = marker is None or marker.evaluate({"extra": ""})
        if (not extra and without) or (extra and not without and marker and marker.evaluate({"extra": extra})):
            yield requirement


def _row(name: str, packages: dict[str, Distribution]) -> dict[str, object]:
    sizes = sorted(((mebibytes(each), name) for name, each in packages.items()), reverse=True)
    largest = ", ".join(f"{name} {size:.0f}" for size, name in sizes[:LARGEST] if size >= 1)
    return {
        "installation": name,
        "packages": len(packages),
        "MiB": round(sum(size for size, _ in sizes)),
        "largest, MiB": largest,
    }


def main() -> None:
    """Writes `results/installation.json`: a row for the default, and one an extra for what it adds."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    default = installed(project["dependencies"], extras)
    rows = [_row(DEFAULT, default)]
    for extra, requirements in extras.items():
        if extra in FOR_DEVELOPERS:
            continue
        try:
            drawn = installed(requirements, extras)
        except PackageNotFoundError:
            continue  # `make setup` leaves this extra out
        rows.append(_row(f"[{extra}] adds", {name: each for name, each in drawn.items() if name not in default}))
    write_result("installation", rows, {name: distribution(name).version for name in ("torch", "executorch")})


if __name__ == "__main__":
    main()
