"""Reads data.yaml, which names a YOLO data set's pictures and classes.

Source: https://docs.ultralytics.com/datasets/detect/#ultralytics-yolo-format. It reads the fields `path`, `train`,
`val`, `names` and `nc`.
"""

import re
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from mobile_sdk.errors import DataError
from mobile_sdk.labels.label_text import check_labels, read_text
from qat.data.boxes.annotations import quoted
from qat.data.folders.listing import listed, printable

SUFFIXES = (".yaml", ".yml")
HINT = "write it as Ultralytics does: train, val, and names, a list or number: name"
_FIELDS = re.compile(r"""^[\s{]*["']?(names|train)["']?\s*:""", re.MULTILINE)
_SPLITS = {"train": ("train",), "validation": ("val", "valid", "validation"), "test": ("test",)}


@dataclass(frozen=True, kw_only=True)
class YoloData:
    """Holds a `file`'s content: the classes' names, and by split the folders or lists of its pictures, as written.

    `base` is the folder that those are relative to.
    """

    file: Path
    labels: tuple[str, ...]
    splits: dict[str, tuple[str, ...]]
    base: str = ""


def read_yaml(file: Path) -> YoloData | None:
    """Returns the file's content, or None if it has neither `names` nor `train` and so has another subject.

    Raises DataError, which names the file and the field, for no YAML, a repeated field or number, or names that are
    none.
    """
    text = read_text(file, of="YAML")
    content = _parsed(file, text) if _FIELDS.search(text) else None
    if not isinstance(content, dict) or not {"names", "train"} & content.keys():
        return None
    if "kpt_shape" in content:
        raise DataError(
            f"expected a data set of boxes in {printable(file)}, found kpt_shape, which is one of key points",
            hint="export it for detection",
        )
    return YoloData(
        file=file,
        labels=_labels(file, content),
        splits={split: found for split, names in _SPLITS.items() if (found := _places(file, content, names))},
        base=_text(file, "path", content.get("path") or ""),
    )


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Loads YAML like PyYAML, but refuses repeated keys and keeps numbers such as 007 and 1:30 as texts.

    PyYAML takes the last of repeated keys, and makes 7 and 90 of those numbers, which are no class's name.
    """

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        keys = Counter((key.tag, key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if twice := [value for (_, value), count in keys.items() if count > 1]:
            raise ValueError(f"{twice[0]} more than once")
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return found

    def construct_yaml_int(self, node: Any) -> int | str:
        text: str = self.construct_scalar(node)
        return int(text) if re.fullmatch("0|-?[1-9][0-9]{0,17}", text) else text


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def _parsed(file: Path, text: str) -> Any:
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        found = " ".join(str(error).split())
        raise DataError(f"expected YAML in {printable(file)}, found: {printable(found)[:200]}", hint=HINT) from error


def _labels(file: Path, content: dict[Any, Any]) -> tuple[str, ...]:
    names = content.get("names")
    if isinstance(names, dict):
        names = {int(key) if re.fullmatch("[0-9]{1,6}", str(key)) else key: name for key, name in names.items()}
        if {*range(len(names))} != names.keys() or len(names) < len(content["names"]):
            raise DataError(
                f"expected the numbers 0 to {len(names) - 1} as keys of names in {printable(file)}, found "
                f"{listed(map(_shown, names))}",
                hint=HINT,
            )
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise DataError(f"expected names in {printable(file)}, found {type(names).__name__}", hint=HINT)
    for name in names:
        if not isinstance(name, str | int) or isinstance(name, bool):  # no: YAML's word for False
            raise DataError(
                f"expected names that are texts in {printable(file)}, found {_shown(name)}",
                hint="put the name into quotes",
            )
    labels = tuple(str(name).strip() for name in names)
    if content.get("nc") not in (None, len(labels), str(len(labels))):
        raise DataError(
            f"expected as many names as nc says in {printable(file)}, found {len(labels)} beside nc: "
            f"{_shown(content['nc'])}",
            hint="correct the one that is wrong",
        )
    check_labels(labels, printable(file))
    return labels


def _places(file: Path, content: dict[Any, Any], names: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the content of one of those fields: a folder or a list of pictures, or several."""
    for name in names:
        if value := content.get(name):
            return tuple(_text(file, name, each) for each in (value if isinstance(value, list) else [value]))
    return ()


def _shown(value: object) -> str:
    """Returns a number or text as it is, else its type, as lists may hold themselves."""
    return quoted(str(value)) if isinstance(value, str | int | float) else type(value).__name__


def _text(file: Path, field: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise DataError(f"expected a path as {field} in {printable(file)}, found {type(value).__name__}", hint=HINT)
