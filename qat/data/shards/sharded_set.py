"""Holds pictures in shards: one by one like any others, and as the stream that a process trains on.

A stream reads shards from beginning to end, by webdataset, which is fastest for a disk or a network. In every epoch the
shards are laid end to end in another order, and each process reads its own stretch of them. So every picture is read
once, whatever the number of shards, of processes, and of pictures in a shard.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.contract import ImageSpec, NetInput
from mobile_sdk.packages import needed
from mobile_sdk.preprocess import decode_picture, to_bytes
from qat.data.content_hash import hash_all
from qat.data.picture_set import PictureSet
from qat.data.shards.index import LABEL_SUFFIX, Shard, check_shard
from qat.distributed.processes import current_processes
from qat.progress import map_in_threads, track

BUFFER = 1000  # pictures, as files, among which a stream draws the next one


@dataclass(frozen=True)
class Stretch:
    """Names some pictures of one shard: from `first` up to, and without, `end`."""

    shard: int
    first: int
    end: int


@dataclass(frozen=True)
class Member:
    """Represents a picture file inside a shard."""

    folder: Path
    shard: Shard
    row: int

    def open(self, spec: ImageSpec | None = None) -> Image.Image:
        """Returns the picture, decoded; DataError names a shard that is damaged."""
        offset, size, _ = self.shard.pictures[self.row]
        with check_shard(self.folder, self.shard).open("rb") as file:
            file.seek(offset)
            return decode_picture(file.read(size), f"{self.shard.file}, picture {self.row}", spec)

    def identity(self) -> bytes:
        """Returns the shard's hash and the picture's place in it; raises DataError if the shard is damaged."""
        check_shard(self.folder, self.shard)
        return f"{self.shard.sha256} {self.shard.pictures[self.row][:2]}".encode()


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ShardedSet(PictureSet):
    """Holds a training set in shards, too large for memory; its pictures are in the order of the shards."""

    folder: Path
    shards: tuple[Shard, ...]

    def fits(self, spec: NetInput) -> bool:
        """Returns False: an epoch streams the pictures."""
        return False

    def pictures_hash(self) -> str:
        """Returns a hash of the shards' hashes, each of which is checked; raises DataError for a damaged shard."""
        for shard in track(self.shards, what="hashing shards", total=len(self.shards)):
            check_shard(self.folder, shard)
        return hash_all(shard.sha256.encode() for shard in self.shards)

    def stream(self, spec: NetInput, batch: int, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        """Yields this process's part of each batch of an epoch: indices (part,), bytes (part, H, W, channels)."""
        processes, steps = current_processes(), max(1, len(self) // batch)
        processes.check(len(self), batch)
        part = processes.part_of(min(batch, len(self)))
        counts = [len(shard.pictures) for shard in self.shards]
        stretches = own_stretches(counts, steps * part.start, steps * part.stop, seed)
        pictures = _shuffled(self._read(stretches), seed)
        for _ in range(steps):
            own = list(islice(pictures, part.stop - part.start))
            yield np.array([index for index, _ in own], np.int64), self._decoded(own, spec)

    def _read(self, stretches: Sequence[Stretch]) -> Iterator[tuple[int, bytes]]:
        """Yields the indices and files of the stretches' pictures."""
        before = [0, *accumulate(len(shard.pictures) for shard in self.shards)]
        for stretch in stretches:
            path = check_shard(self.folder, self.shards[stretch.shard])
            files = islice(_files(path), stretch.first, stretch.end)
            yield from enumerate(files, before[stretch.shard] + stretch.first)

    def _decoded(self, own: Sequence[tuple[int, bytes]], spec: NetInput) -> NDArray[np.uint8]:
        def decode(picture: tuple[int, bytes]) -> NDArray[np.uint8]:
            index, file = picture
            name = f"picture {index} of the shards in {self.folder}"
            return to_bytes(decode_picture(file, name, spec if isinstance(spec, ImageSpec) else None), spec)

        return np.stack(map_in_threads(decode, own, what=None))


def own_stretches(counts: Sequence[int], first: int, end: int, seed: int) -> list[Stretch]:
    """Returns what is from `first` up to `end` if shards with `counts` pictures are laid end to end, in a circle.

    `seed` decides their order and where the circle begins, so that other pictures are left over beyond the last whole
    batch in every epoch.
    """
    draw = random.Random(seed)
    order = draw.sample(range(len(counts)), len(counts))
    turn = draw.randrange(sum(counts))
    stretches, begins = [], 0
    for shard in [*order, *order]:
        ends = begins + counts[shard]
        low, high = max(first + turn, begins), min(end + turn, ends)
        if low < high:
            stretches.append(Stretch(shard, low - begins, high - begins))
        begins = ends
    return stretches


def _shuffled(pictures: Iterator[tuple[int, bytes]], seed: int) -> Iterator[tuple[int, bytes]]:
    shuffle = _webdataset().shuffle(BUFFER, initial=BUFFER, rng=random.Random(seed))
    shuffled: Iterator[tuple[int, bytes]] = shuffle(pictures)
    return shuffled


def _files(path: Path) -> Iterator[bytes]:
    """Yields the picture files of a shard, in its order."""
    read = _webdataset().tariterators
    with path.open("rb") as file:  # opened here: webdataset would leave a shard open that is not read to its end
        for sample in read.group_by_keys(read.tar_file_expander([{"url": str(path), "stream": file}])):
            yield next(value for name, value in sample.items() if not name.startswith("__") and name != LABEL_SUFFIX)


def _webdataset() -> Any:
    return needed("webdataset", "pictures in shards", extra="distributed")
