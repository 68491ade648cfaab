"""Recognizes the names of splits' folders: train, Training, valid, val2017, seg_test, test_set."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

Split = Literal["train", "validation", "test"]

_WORDS: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "eval", "evaluation", "holdout"), "validation"),
    **dict.fromkeys(("test", "testing", "pred", "prediction", "predictions", "unlabeled", "unlabelled"), "test"),
}
_FILLING = frozenset(
    ("", "set", "data", "dataset", "image", "images", "img", "imgs", "pictures", "photos", "split", "seg", "folder")
)


def splits_among(names: Iterable[str]) -> dict[str, Split]:
    """Returns the folders' names that name a split: by themselves, or beside another split with the same rest.

    So cats_train is one beside cats_test, and train_station is none.
    """
    parsed = {name: _split_and_rest(name) for name in names}
    kinds: dict[str, set[Split]] = defaultdict(set)
    for split, rest in parsed.values():
        if split:
            kinds[rest].add(split)
    return {name: split for name, (split, rest) in parsed.items() if split and (not rest or len(kinds[rest]) > 1)}


def _split_and_rest(name: str) -> tuple[Split | None, str]:
    """Returns the split that a name contains, if any, and the rest of the name."""
    spaced = re.sub("(?<=[a-z])(?=[A-Z])", " ", name)
    words = [_without_set(word) for word in re.split(r"[\W\d_]+", spaced.casefold())]
    found = [word for word in words if word in _WORDS]
    rest = " ".join(word for word in words if word not in _WORDS and word not in _FILLING)
    return (_WORDS[found[0]] if len(found) == 1 else None), rest


def _without_set(word: str) -> str:
    """Returns the word without "set" or "data" at its end, if a split's word remains: trainset is train."""
    return next((word.removesuffix(end) for end in ("set", "data") if word.removesuffix(end) in _WORDS), word)
