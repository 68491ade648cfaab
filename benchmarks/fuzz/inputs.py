"""Makes the input of a number: the seed and the number alone decide its kind, its change and every byte."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.fuzz.kinds import SPECIAL, Kind
from benchmarks.fuzz.mutations.special_files import SPECIAL_FILES

_SPECIAL_SHARE = 0.02


@dataclass(frozen=True, kw_only=True)
class Input:
    """Holds an input: its kind, the name of its change, and the path that is read."""

    kind: Kind
    change: str
    path: Path


class Inputs:
    """Makes inputs of samples in a folder."""

    def __init__(self, kinds: Sequence[Kind], samples: Path, seed: int) -> None:
        self._kinds, self._samples, self._seed = kinds, samples, seed
        self._shares = [kind.share for kind in kinds]
        self._files = {kind.name: kind.files(samples) for kind in kinds}
        if missing := [name for name, files in self._files.items() if not files]:
            raise ValueError(f"expected samples of every kind, found none of {missing}")

    def plan(self, index: int) -> tuple[Kind, str]:
        """Returns the kind and the change of an input."""
        kind, change, _ = self._drawn(index)
        return kind, change

    def make(self, index: int, folder: Path) -> Input:
        """Makes an input in the folder, which must not exist yet."""
        kind, change, draw = self._drawn(index)
        file = draw.choice(self._files[kind.name])
        target = self._laid(kind, folder, file)
        data = target.read_bytes()
        target.unlink()  # first, as it may be a link to the sample
        if change == SPECIAL:
            SPECIAL_FILES[draw.choice(sorted(SPECIAL_FILES))](target)
        else:
            target.write_bytes(kind.changes[change](data, draw))
        kind.reseal(folder)
        return Input(kind=kind, change=change, path=folder if kind.is_folder else target)

    def untouched(self, current: Input, folder: Path) -> Path:
        """Lays what an input was made of into the folder, unchanged, and returns the path that is read."""
        target = self._laid(current.kind, folder, Path(current.path.name))
        return folder if current.kind.is_folder else target

    def _laid(self, kind: Kind, folder: Path, file: Path) -> Path:
        """Lays the kind's sample into the folder by hard links, and returns where `file` lies there."""
        source = self._samples / kind.sample
        target = folder / (file if kind.is_folder else file.name)
        if kind.is_folder:
            shutil.copytree(source, folder, copy_function=os.link)
        else:
            folder.mkdir()
            os.link(source / file, target)
        return target

    def _drawn(self, index: int) -> tuple[Kind, str, Random]:
        draw = Random(f"{self._seed} {index}")
        (kind,) = draw.choices(self._kinds, self._shares)
        change = SPECIAL if draw.random() < _SPECIAL_SHARE else draw.choice(sorted(kind.changes))
        return kind, change, draw
