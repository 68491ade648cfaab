"""Reads lists of labels: those of published checkpoints, which ship with the SDK, and files of a user's own.

Sources: imagenet.txt is `_IMAGENET_CATEGORIES` of torchvision's `models/_meta.py`, where all 1,000 names differ ("crane
bird" and "crane"); imagenet_synsets.txt is timm's list of the same order, whose WordNet lemmas agree with the names.
coco.txt holds the 80 labels that COCO's boxes have, in the order of their numbers. coco-90.txt holds the numbers 1 to
90 themselves; the ten that no box has carry the names of the COCO paper (Lin et al. 2014, arXiv 1405.0312). voc.txt
holds background and the 20 labels of PASCAL VOC in alphabetical order.
"""

from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from mobile_sdk.document import parse_json
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.labels.label_text import check_labels, lines_of, read_text

SHIPPED = ("imagenet", "coco", "coco-90", "voc")


def shipped_labels(name: str) -> tuple[str, ...]:
    """Returns the labels of a list of `SHIPPED`, in the order of the numbers that nets give them."""
    return tuple(resources.files("mobile_sdk.labels").joinpath(f"{name}.txt").read_text("utf-8").splitlines())


def read_labels(source: str, count: int) -> tuple[str, ...]:
    """Returns the `count` labels of a list of `SHIPPED`, or of a file: text, one a line, or JSON.

    JSON is a list of names, or an object of number → name, as Hugging Face's `id2label`. Blank lines and the mark that
    editors put before a text's first letter (BOM) do not count. Raises SettingError if there is no such list or file,
    DataError for a file that cannot be read, for another number of labels, and for a label that occurs twice or cannot
    be shown.
    """
    labels = shipped_labels(source) if source in SHIPPED else _from_file(source)
    if len(labels) != count:
        raise DataError(
            f"expected {count} labels in {source}, found {len(labels)}",
            hint="give one label for each class of the net, in the order of its scores",
        )
    check_labels(labels, source)
    return labels


def numbered_labels(count: int) -> tuple[str, ...]:
    """Returns labels for a net whose classes have no names: class_0, class_1 and so on."""
    return tuple(f"class_{index:0{len(str(count - 1))}}" for index in range(count))


def default_labels(count: int) -> tuple[str, ...]:
    """Returns a published classifier's labels if it names none: ImageNet's if it has 1,000, else numbers."""
    imagenet = shipped_labels("imagenet")
    return imagenet if count == len(imagenet) else numbered_labels(count)


def is_list(labels: tuple[str, ...]) -> bool:
    """Tells whether these labels come from a list of `SHIPPED` or are numbers: from a checkpoint, not from folders."""
    return labels == numbered_labels(len(labels)) or labels in map(shipped_labels, SHIPPED)


def other_names(labels: tuple[str, ...]) -> dict[str, str]:
    """Returns other names that folders use for these labels: with _ for spaces, ImageNet's by WordNet's n01440764."""
    names = {label.replace(" ", "_"): label for label in labels if " " in label}
    if labels == shipped_labels("imagenet"):
        names |= dict(zip(shipped_labels("imagenet_synsets"), labels, strict=True))
    return {name: label for name, label in names.items() if name not in labels}


def _from_file(source: str) -> tuple[str, ...]:
    path = Path(source)
    if not path.is_file():
        near = get_close_matches(source, SHIPPED, n=1)
        raise SettingError(
            f"expected a list of labels ({', '.join(SHIPPED)}) or a file of them, found {source!r}",
            hint=f"did you mean {near[0]}?" if near else "check the path",
        )
    text = read_text(path)
    if path.suffix.lower() == ".json":
        return _from_json(path, text)
    return tuple(line for line in lines_of(text) if line)


def _from_json(path: Path, text: str) -> tuple[str, ...]:
    try:
        content = parse_json(text)
        if isinstance(content, dict):
            content = [content[str(index)] for index in range(len(content))]
        if not isinstance(content, list) or not all(isinstance(label, str) and label.strip() for label in content):
            raise ValueError("something else")
    except (ValueError, KeyError) as error:
        raise DataError(
            f"expected a list of names, or an object of number → name, in {path}, found other JSON",
            hint='write ["cat", "dog"] or {"0": "cat", "1": "dog"}',
        ) from error
    return tuple(label.strip() for label in content)
