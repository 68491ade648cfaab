"""Finds the files that annotations name, whatever folder or machine the names were written for."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from qat.data.folders.listing import Folder, folded_name


class FileFinder:
    """The files below `homes`, by the names that annotations give them.

    A name may begin with folders that are not there any more (`/content/data/`, `..`), be written with backslashes, or
    in letters of another case. No file that lies elsewhere is ever found.
    """

    def __init__(self, homes: Sequence[Folder]) -> None:
        self._exact: list[dict[str, Path]] = []
        self._folded: list[dict[str, Path | None]] = []
        for home in homes:
            files = [*home.all_pictures(), *home.all_others()]
            exact = {file.relative_to(home.path).as_posix(): file for file in files}
            folded: dict[str, Path | None] = {}
            for name, file in exact.items():
                folded[folded_name(name)] = None if folded_name(name) in folded else file
            self._exact.append(exact)
            self._folded.append(folded)

    def find(self, name: str) -> Path | None:
        """The file of that name, or of as much of its end as one has; None where there is none."""
        return next((found for ending in endings(name) if (found := self.at(ending))), None)

    def at(self, name: str) -> Path | None:
        """The file of exactly that name below one of the homes, in letters of any case."""
        for exact, folded in zip(self._exact, self._folded, strict=True):
            if found := exact.get(name) or folded.get(folded_name(name)):
                return found
        return None


def endings(name: str) -> Iterator[str]:
    """A name as it is written, but for what leads nowhere in it, and without its first folder, its first two …."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in {"", ".", ".."}]
    return ("/".join(parts[start:]) for start in range(len(parts)))
