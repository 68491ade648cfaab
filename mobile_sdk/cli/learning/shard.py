"""`mobile-sdk shard` packs a folder of pictures into tar files that training reads from end to end."""

from pathlib import Path
from typing import Annotated

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.tables import show_text
from mobile_sdk.cli.terminal import quiet, show_json
from mobile_sdk.errors import SettingError
from mobile_sdk.workflow.choices import DIGITS
from mobile_sdk.workflow.output_paths import folder_to_write


def shard(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DIR", help="Labelled pictures: DIR/<label>/*.jpg, or DIR/train/… and DIR/val/…; or 'digits'."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where shards and shards.json go.")],
    pictures_per_shard: Annotated[
        int,
        typer.Option(
            "--pictures-per-shard", min=1, help="Fewer share out more evenly, more are read faster from a network."
        ),
    ] = 1000,
    json: options.Json = False,
) -> None:
    """Pack labelled pictures into tar files, for sets that outgrow a folder or a memory: `--data` then takes them.

    The pictures are parted for training and validation as every verb parts a folder. Killed at any moment, the same
    command begins again.
    """
    quiet()
    from qat.data.pictures import load_folder, load_mnist
    from qat.data.shards.shards import is_sharded, write_shards

    if data != DIGITS and is_sharded(data):
        raise SettingError(f"expected a folder of pictures, found shards in {data}", hint="name the pictures' folder")
    if data != DIGITS and out.resolve() == Path(data).resolve():
        raise SettingError(f"expected another --out than the pictures' folder, found {out}", hint="name a new folder")
    pictures = load_mnist() if data == DIGITS else load_folder(data)
    index = write_shards(pictures, folder_to_write(out), pictures_per_shard=pictures_per_shard)
    counts = {
        name: {"shards": len(part), "pictures": sum(len(each.pictures) for each in part)}
        for name, part in (("train", index.train), ("validation", index.validation))
    }
    if json:
        show_json({"shards": str(out), "labels": index.labels, **counts})
        return
    for name, count in counts.items():
        shards = f"{count['shards']} shard{'s' * (count['shards'] != 1)}"
        show_text(f"{out}: {name}: {count['pictures']:,} pictures in {shards}")
