"""Finds the files that annotations name, whatever folder or machine the names were written for."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from qat.data.folders.listing import Folder, folded_name


class FileFinder:
    """Finds the files below `homes` by the names that annotations give them.

    A name may begin with folders that no longer exist (`/content/data/`, `..`), have backslashes, or differ in the case
    of letters. A file outside the homes is never found.
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
        """Returns the file of that name, or of the longest ending of it that a file has; None if there is none."""
        return next((found for ending in endings(name) if (found := self.find_exact(ending))), None)

    def find_exact(self, name: str) -> Path | None:
        """Returns the file of exactly that name below one of the homes, ignoring case; None if there is none."""
        for exact, folded in zip(self._exact, self._folded, strict=True):
            if found := exact.get(name) or folded.get(folded_name(name)):
                return found
        return None


def endings(name: str) -> Iterator[str]:
    """Yields a name without its empty and relative parts, then without its first folder, its first two …."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in {"", ".", ".."}]
    return ("/".join(parts[start:]) for start in range(len(parts)))
