"""Finds the weights of a net among a checkpoint's dicts, by the net's names and shapes.

Training scripts store a state dict under many keys, and wrappers of nets put prefixes before all names. Neither has to
be known: the net's own names are searched for.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from qat.nets.weights.file import Foreign

COUNTER = "num_batches_tracked"  # absent from files older than PyTorch 0.4.1; no net here reads it
_DEEPEST, _LONGEST = 4, 16
_WRAPPERS = re.compile(r"_orig_mod\.|_fsdp_wrapped_module\.|_checkpoint_wrapped_module\.")  # within names
_AVERAGE = re.compile(r"(?<![a-z])(ema|swa|averaged?|avg|polyak)(?![a-z])", re.IGNORECASE)
_COUNT = "n_averaged"  # torch.optim.swa_utils.AveragedModel's counter
_LISTED = 3

Renaming = Callable[[Mapping[str, Tensor]], Iterator[tuple[str, dict[str, Tensor]]]]


@dataclass(frozen=True, kw_only=True, eq=False)
class StateDict:
    """Holds weights by a net's own names, and their place in the checkpoint.

    `keys` lead to their dict; `prefix` was removed from their names, which are those of `library` unless it is empty.
    `is_average` means that they are an average of the
    weights over training. `instead_of` names other weights of the same net, which were left aside, and `others` the
    names of tensors that belong to other modules. `fit` counts the tensors with a net's names and shapes, and those
    with its names.
    """

    tensors: Mapping[str, Tensor]
    keys: tuple[str, ...] = ()
    prefix: str = ""
    library: str = ""
    is_average: bool = False
    instead_of: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    epoch: int | None = None
    fit: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        parts = [f"{self.library}'s names".replace("s's", "s'")] if self.library else []
        parts += [f"key {_path(self.keys)!r}"] if self.keys else []
        parts += [f"prefix {self.prefix!r} removed"] if self.prefix else []
        parts += [f"epoch {self.epoch}"] if self.epoch is not None else []
        parts += [f"{_listed(self.instead_of)} left aside"] if self.instead_of else []
        parts += [f"{len(self.others)} of other modules left aside: {_listed(self.others)}"] if self.others else []
        said = "; ".join(parts)
        return f"averaged weights (EMA): {said}" if self.is_average else said


def find_state_dict(
    content: object, shapes: Mapping[str, torch.Size], renaming: Renaming | None = None
) -> StateDict | None:
    """Returns the weights in `content` that match the most names and shapes of a net; None if it has no tensors.

    `renaming` yields other forms of a dict's tensors, each with the library whose names it has replaced by the net's.
    Among weights that fit equally, an average over training is first, as its makers evaluate it; then the largest.
    """
    found = [
        replace(each, library=library)
        for keys, tensors in _dicts(content)
        for library, form in (("", tensors), *(renaming(tensors) if renaming is not None else ()))
        for each in _candidates(keys, form, shapes)
    ]
    if not found:
        return None
    if any("student" in each.keys for each in found):  # a student's teacher is its average (DINO)
        found = [replace(each, is_average=each.is_average or "teacher" in each.keys) for each in found]
    best, *rest = sorted(found, key=lambda each: (each.fit, each.is_average, len(each.tensors)), reverse=True)
    aside = [each for each in rest if any(each.fit) and (each.fit == best.fit or each.is_average)]
    others = (name for name in best.others if not any(each.prefix and name.startswith(each.prefix) for each in aside))
    return replace(best, instead_of=tuple(map(_title, aside)), others=tuple(others), epoch=_epoch(content))


def _dicts(content: object) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """Yields every dict that holds tensors by name, with the keys that lead to it, the outermost first."""
    level: list[tuple[tuple[str, ...], object]] = [((), content)]
    seen: set[int] = set()
    for _ in range(_DEEPEST):
        deeper: list[tuple[tuple[str, ...], object]] = []
        for keys, value in level:
            named = {} if id(value) in seen else _entries(value)
            seen.add(id(value))
            tensors = {key: each for key, each in named.items() if isinstance(each, Tensor)}
            if tensors:
                yield keys, tensors
            deeper += [((*keys, key), each) for key, each in named.items()]
        level = deeper


def _entries(value: object) -> dict[str, object]:
    """Returns a dict's entries by name, or a list's by number, as some scripts save (weights, epoch)."""
    if isinstance(value, list | tuple):
        return {str(index): each for index, each in enumerate(value[:_LONGEST])}
    if not isinstance(value, dict) or isinstance(value, Foreign):
        return {}
    return {key: each for key, each in value.items() if isinstance(key, str)}


def _candidates(
    keys: tuple[str, ...], tensors: dict[str, Tensor], shapes: Mapping[str, torch.Size]
) -> Iterator[StateDict]:
    """Yields the parts of a dict whose names, without a prefix, are those of a net."""
    original = {_WRAPPERS.sub("", name): name for name in tensors}
    if len(original) < len(tensors):
        original = {name: name for name in tensors}
    fits = _fits({name: tensors[original[name]].shape for name in original}, shapes)
    whole = sum(not name.endswith(COUNTER) for name in shapes)
    for prefix, fit in fits.items():
        copies = tuple(other for other in fits if len(other) > len(prefix) and fits[other][1] == whole)
        mine = [name for name in original if name.startswith(prefix) and not name.startswith(copies)]
        others = [original[name] for name in original.keys() - mine]
        yield StateDict(
            tensors={name.removeprefix(prefix): tensors[original[name]] for name in mine},
            keys=keys,
            prefix=_written(prefix, original[mine[0]], mine[0]) if mine else prefix,
            is_average=any(map(_AVERAGE.search, (*keys, prefix))) or _COUNT in others,
            others=tuple(sorted(name for name in others if name != _COUNT)),
            fit=fit,
        )


def _fits(found: Mapping[str, torch.Size], shapes: Mapping[str, torch.Size]) -> dict[str, tuple[int, int]]:
    """Returns, for every prefix before names of a net, how many names have its shapes, too, and how many there are."""
    fits: dict[str, tuple[int, int]] = {}
    for name, shape in found.items():
        for suffix in _suffixes(name):
            if suffix in shapes and not suffix.endswith(COUNTER):
                alike, named = fits.get(name.removesuffix(suffix), (0, 0))
                fits[name.removesuffix(suffix)] = (alike + (shapes[suffix] == shape), named + 1)
    return fits or {"": (0, 0)}


def _suffixes(name: str) -> Iterator[str]:
    """Yields the name, and the rest of it after each dot."""
    while name:
        yield name
        name = name.partition(".")[2]


def _written(prefix: str, original: str, name: str) -> str:
    """Returns the prefix as it is in the file, wrappers included."""
    suffix = name.removeprefix(prefix)
    return original.removesuffix(suffix) if original.endswith(suffix) else prefix


def _title(weights: StateDict) -> str:
    return repr(_path((*weights.keys, *filter(None, weights.prefix.split(".")))))


def _path(keys: tuple[str, ...]) -> str:
    text = ".".join(keys)
    return text if text.isprintable() else ascii(text)


def _epoch(content: object) -> int | None:
    epoch = content.get("epoch") if isinstance(content, dict) else None
    return epoch if isinstance(epoch, int) and not isinstance(epoch, bool) else None


def _listed(names: tuple[str, ...]) -> str:
    listed = ", ".join(name if name.isprintable() else ascii(name) for name in names[:_LISTED])
    return listed + (" …" if len(names) > _LISTED else "")
