"""Writes and loads pictures in shards: tar files that are read from end to end, for sets too large for a folder."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mobile_sdk.arguments import expect, expect_path
from mobile_sdk.errors import SettingError
from mobile_sdk.packages import needed
from mobile_sdk.system.atomic_files import replacing
from qat.data.arguments import to_learn_from
from qat.data.content_hash import hash_file
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.data.shards.index import (
    INDEX_FILE,
    LABEL_SUFFIX,
    SHARD_NAME,
    Shard,
    ShardIndex,
    read_index,
    rows_of,
    write_index,
)
from qat.data.shards.sharded_set import Member, ShardedSet
from qat.data.sources import Source
from qat.progress import track

PICTURES_PER_SHARD = 1000  # 100 MB of photographs: few enough files, and many enough to share out
"""This is the default of `write_shards`."""


def write_shards(pictures: Pictures, out: Path | str, *, pictures_per_shard: int = PICTURES_PER_SHARD) -> ShardIndex:
    """Writes `pictures` to `out` as train-000000.tar …, validation-000000.tar … and the index, which it returns.

    Picture files are written unchanged, bytes as PNG, in the sets' own order, which is shuffled. The tar files are
    webdataset's (`00000000.jpg`, `00000000.cls`), and the same pictures give the same bytes. Each shard is written
    whole or not at all, and the index last: after a kill at any moment, the same call begins again.
    """
    to_learn_from(pictures, Pictures, "load_folder")
    expect("pictures_per_shard", pictures_per_shard, int)
    if pictures_per_shard < 1:
        raise SettingError(f"expected a picture or more in a shard, found {pictures_per_shard}", hint="use 1000")
    expect_path("out", out)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX_FILE).unlink(missing_ok=True)
    index = ShardIndex(
        labels=pictures.labels,
        train=tuple(_write("train", pictures.train, folder, pictures_per_shard)),
        validation=tuple(_write("validation", pictures.validation, folder, pictures_per_shard)),
    )
    for path in folder.glob("*.tar"):
        if SHARD_NAME.fullmatch(path.name) and path.name not in index.files():
            path.unlink()  # a former call wrote more shards
    write_index(index, folder)
    return index


def load_shards(path: Path | str) -> Pictures:
    """Returns the pictures of a folder of shards; training streams them by webdataset, each process its own stretch.

    A process checks a shard's hash before it first reads it. Raises DataError for no index, an index of a newer SDK,
    and a shard that is missing, of another size or damaged.
    """
    expect_path("path", path)
    folder = Path(path)
    index = read_index(folder)
    train = ShardedSet(
        sources=_members(folder, index.train), targets=_targets(index.train), folder=folder, shards=index.train
    )
    validation = PictureSet(sources=_members(folder, index.validation), targets=_targets(index.validation))
    return Pictures(train=train, validation=validation, labels=index.labels)


def is_sharded(path: Path | str) -> bool:
    """Returns whether the folder `path` holds shards."""
    return (Path(path) / INDEX_FILE).is_file()


def _write(name: str, pictures: PictureSet, folder: Path, pictures_per_shard: int) -> Iterator[Shard]:
    groups = np.array_split(np.arange(len(pictures)), -(-len(pictures) // pictures_per_shard))
    for number, group in enumerate(track(groups, what=f"{name} shards", total=len(groups))):
        path = folder / f"{name}-{number:06d}.tar"
        with replacing(path) as unfinished:
            _write_tar(unfinished, [(int(index), pictures.sources[index], pictures.targets[index]) for index in group])
        yield Shard(
            file=path.name,
            size_bytes=path.stat().st_size,
            sha256=hash_file(path).hex(),
            pictures=rows_of(path),
        )


def _write_tar(path: Path, pictures: Sequence[tuple[int, Source, int]]) -> None:
    library = needed("webdataset", "pictures in shards", extra="distributed")
    with path.open("wb") as file, library.TarWriter(file, encoder=False, mtime=0) as tar:
        for index, source, target in pictures:
            suffix, content = _file(source)
            tar.write({"__key__": f"{index:08d}", suffix: content, LABEL_SUFFIX: str(target).encode()})


def _file(source: Source) -> tuple[str, bytes]:
    """Returns a picture file's suffix and content."""
    if isinstance(source, Path):
        return source.suffix.lower().lstrip("."), source.read_bytes()
    if not isinstance(source, np.ndarray):
        raise SettingError("expected picture files to put into shards, found shards", hint="name the pictures' folder")
    png = io.BytesIO()
    Image.fromarray(source).save(png, format="PNG")
    return "png", png.getvalue()


def _members(folder: Path, shards: Sequence[Shard]) -> tuple[Member, ...]:
    return tuple(Member(folder, shard, row) for shard in shards for row in range(len(shard.pictures)))


def _targets(shards: Sequence[Shard]) -> tuple[int, ...]:
    return tuple(label for shard in shards for *_, label in shard.pictures)
