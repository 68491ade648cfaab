"""Loads published checkpoints into nets, safely: nothing in the file is run, and mismatches are reported."""

import functools
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from mobile_sdk.arguments import expect_path
from mobile_sdk.errors import DataError
from qat.arguments.nets import expect_net
from qat.nets.weights.file import Foreign, read_weight_file
from qat.nets.weights.other_names import pads_unevenly, renamed
from qat.nets.weights.state_dicts import COUNTER, StateDict, find_state_dict

_LISTED = 3


@dataclass(frozen=True, kw_only=True)
class WeightsReport:
    """Reports the result of `load_weights`.

    `tensors` counts those taken from the file; `source` says which of the file's weights they are, if it holds more
    than a bare state dict. `replaced_head` names the keys that kept their initialisation because the file's head has
    `classes_in_file` outputs and the net's has `classes_in_net`; it is empty when those agree.
    """

    path: Path
    tensors: int
    source: str
    replaced_head: tuple[str, ...]
    classes_in_file: int | None
    classes_in_net: int | None

    def __str__(self) -> str:
        loaded = f"{self.tensors} tensors from {self.path}" + (f" ({self.source})" if self.source else "")
        if not self.replaced_head:
            return loaded
        counts = f"{self.classes_in_file} classes in the file, {self.classes_in_net} in the net"
        return f"{loaded}; the head is replaced and has to be trained ({counts}): {', '.join(self.replaced_head)}"


def load_weights(net: nn.Module, path: Path | str) -> WeightsReport:
    """Copies the weights in the file `path` into `net`, key for key; all of them, or none when an error is raised.

    The state dict may be anywhere in the file's dicts, and all its keys may have a prefix, as from training scripts and
    wrappers; an average over training (EMA) is preferred to the weights that it averages. The names may be those of
    timm, or of MobileOne's authors, for a net that they have, too (its `twin_epsilon` is not None). When only the
    number of classes differs, the head (the last `nn.Linear` or `nn.Conv2d`) keeps its initialisation. Raises DataError
    for a file that cannot be read or that holds no tensors, for one named after a net of timm that pads as TensorFlow
    does, for keys that are missing or unexpected, and for tensors of another shape, of another kind, or that are not
    finite.
    """
    expect_net(net)
    expect_path("path", path)
    path = Path(path)
    expected = {key: value for key, value in net.state_dict().items() if isinstance(value, Tensor)}
    content = read_weight_file(path)
    chosen = _state_dict(content, path, net, expected)
    if chosen.library and pads_unevenly(str(path)):
        raise DataError(
            f"expected weights of a net that pads evenly, found those of one that pads as TensorFlow does in {path}",
            hint="take timm's own net: --net timm:tf_…, or weights without tf_ in their name",
        )
    found = chosen.tensors
    head = _head_of_other_size(net, found)
    counters = {key for key in expected if key.endswith(COUNTER) and key not in found}
    taken = {key: value for key, value in found.items() if key not in head}
    needed = {key: value for key, value in expected.items() if key not in counters.union(head)}
    if mismatches := _mismatches(needed, taken):
        raise _misfit(path, len(needed), mismatches, content)
    broken = [key for key, value in needed.items() if not taken[key].to(value.dtype).isfinite().all()]
    if broken:
        raise DataError(
            f"expected numbers in {path}, found {_listing('not finite', broken)}",
            hint="take a checkpoint from before its training diverged",
        )
    net.load_state_dict(net.state_dict() | taken)
    return WeightsReport(
        path=path,
        tensors=len(taken),
        source=str(chosen),
        replaced_head=head,
        classes_in_file=found[head[0]].shape[0] if head else None,
        classes_in_net=expected[head[0]].shape[0] if head else None,
    )


def _state_dict(content: object, path: Path, net: nn.Module, expected: Mapping[str, Tensor]) -> StateDict:
    """Returns the weights in the file's content; raises DataError if it holds none."""
    shapes = {key: value.shape for key, value in expected.items()}
    found = find_state_dict(content, shapes, functools.partial(renamed, net=net))
    if found is not None:
        return found
    hint = "save the net's state_dict(), bare or under the key 'state_dict'"
    if isinstance(content, Foreign):
        raise DataError(
            f"expected tensors in {path}, found the Python object {content.name}, which was not run", hint=hint
        )
    raise DataError(f"expected a dict of tensors by name in {path}, found {_summary(content)}", hint=hint)


def _summary(content: object) -> str:
    if not isinstance(content, dict):
        return f"a {type(content).__name__}"
    if "param_groups" in content:
        return "the state of an optimizer alone"
    entries = (f"{_printable(key)}: {_kind(value)}" for key, value in itertools.islice(content.items(), _LISTED))
    return f"one of {', '.join(entries)}" if content else "an empty one"


def _kind(value: object) -> str:
    return f"the Python object {value.name}" if isinstance(value, Foreign) else type(value).__name__


def _head_of_other_size(net: nn.Module, found: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Returns the keys of the net's head if the file has them for another number of classes, else nothing."""
    layers = [(name, module) for name, module in net.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    if not layers:
        return ()
    name, last = layers[-1]
    expected = {f"{name}.{key}".removeprefix("."): value for key, value in last.state_dict().items()}
    if not all(key in found and found[key].shape[1:] == value.shape[1:] for key, value in expected.items()):
        return ()
    classes = {tuple(found[key].shape[:1]) for key in expected}
    return () if len(classes) > 1 or classes == {last.weight.shape[:1]} else tuple(expected)


def _mismatches(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """Returns how the file's tensors differ from the net's, in words; empty if they fit."""
    both = [key for key in expected if key in found]
    shapes = [
        f"{key} is {_shape(found[key])} instead of {_shape(expected[key])}"
        for key in both
        if found[key].shape != expected[key].shape
    ]
    kinds = [key for key in both if found[key].is_floating_point() != expected[key].is_floating_point()]
    mismatches = [
        _listing("missing", (key for key in expected if key not in found)),
        _listing("unexpected", (key for key in found if key not in expected)),
        _listing("of another shape", shapes),
        _listing("of another kind of number", kinds),
    ]
    return "; ".join(filter(None, mismatches))


def _misfit(path: Path, count: int, mismatches: str, content: object) -> DataError:
    """Returns the error for weights that do not fit; it names the net of the weights if it is known."""
    from qat.nets.weights.recognition import library_of, options_of, recognise

    message = f"expected in {path} the {count} tensors of the net, found {mismatches}"
    hint = "build the net that the weights were made for: the same name, width and settings"
    if known := recognise(content):
        name, width = known
        if width is not None:
            message = f"expected in {path} the weights of the net, found those of {name}, width {width:g}"
        hint = f"build that net: {options_of(known)}"
        if width is None and library_of(content) == "timm":
            hint = "its channels are timm's own: --net timm:NAME"
    elif library := library_of(content):
        own = "--net timm:NAME" if library == "timm" else "--model MODULE:FUNCTION"
        hint = f"these look like weights of {library}: bring its own net, with {own}"
    return DataError(message, hint=hint)


def _listing(what: str, keys: Iterable[str]) -> str:
    listed = [_printable(key) for key in keys]
    more = ", …" if len(listed) > _LISTED else ""
    return f"{len(listed)} {what} ({', '.join(listed[:_LISTED])}{more})" if listed else ""


def _printable(key: object) -> str:
    """Returns a key as text for one line, as the file may hold any."""
    text = str(key)
    return text[:160] if text.isprintable() else repr(text[:160])


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a single number"
