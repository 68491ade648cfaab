"""Published checkpoints into nets, safely: nothing in the file is run, and what does not fit is said.

A file is a pickled state dict as `torch.save` writes it (today's zip form or the older one), or safetensors.
"""

import pickle
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from mobile_sdk.errors import DataError

_WRAPPERS = ("state_dict", "model")  # what training scripts file a state dict under
_DATA_PARALLEL_PREFIX = "module."
_COUNTER = "num_batches_tracked"  # absent from files older than PyTorch 0.4.1; no net here reads it
_LISTED = 3


@dataclass(frozen=True, kw_only=True)
class WeightsReport:
    """What `load_weights` did.

    `tensors` counts those taken from the file. `replaced_head` names the keys that kept their initialisation because
    the file's head has `classes_in_file` outputs and the net's has `classes_in_net`; it is empty when those agree.
    """

    path: Path
    tensors: int
    replaced_head: tuple[str, ...]
    classes_in_file: int | None
    classes_in_net: int | None

    def __str__(self) -> str:
        loaded = f"{self.tensors} tensors from {self.path}"
        if not self.replaced_head:
            return loaded
        counts = f"{self.classes_in_file} classes in the file, {self.classes_in_net} in the net"
        return f"{loaded}; the head is replaced and has to be trained ({counts}): {', '.join(self.replaced_head)}"


def load_weights(net: nn.Module, path: Path | str) -> WeightsReport:
    """Copy the weights in the file `path` into `net`, key for key; all of them, or none when an error is raised.

    The state dict may lie below a key "state_dict" or "model", and all keys may begin with "module.". When only the
    number of classes differs, the head (the last `nn.Linear`) keeps its initialisation.
    Raises DataError for a file that cannot be read or that holds more than tensors, for keys that are missing or
    unexpected, and for tensors of another shape, of another kind, or that are not finite.
    """
    path = Path(path)
    found = _state_dict(_read(path), path)
    expected = {key: value for key, value in net.state_dict().items() if isinstance(value, Tensor)}
    head = _head_of_other_size(net, found)
    counters = {key for key in expected if key.endswith(_COUNTER) and key not in found}
    taken = {key: value for key, value in found.items() if key not in head}
    _check_fit({key: value for key, value in expected.items() if key not in counters.union(head)}, taken, path)
    net.load_state_dict(net.state_dict() | taken)
    return WeightsReport(
        path=path,
        tensors=len(taken),
        replaced_head=head,
        classes_in_file=found[head[0]].shape[0] if head else None,
        classes_in_net=expected[head[0]].shape[0] if head else None,
    )


def _read(path: Path) -> object:
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise DataError(f"expected a file of weights at {path}, found {found}", hint="check the path")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        with warnings.catch_warnings():  # torch warns of its own internals when it reads the older form
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes the readers raise almost anything
        foreign = re.search(r"GLOBAL ([\w.]+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if foreign:
            raise DataError(
                f"expected only tensors in {path}, found the Python object {foreign[1]}, which was not run",
                hint="save the net's state_dict() alone, with torch.save or as safetensors",
            ) from error
        raise DataError(
            f"expected weights that torch.save or safetensors wrote in {path}, found a file that is damaged or in "
            f"another format ({type(error).__name__})",
            hint="fetch the file again; .safetensors means that format, any other name torch.save's",
        ) from error


def _state_dict(content: object, path: Path) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict) or not content:
        found = "an empty one" if content == {} else f"a {type(content).__name__}"
        raise DataError(f"expected a dict of tensors in {path}, found {found}", hint="save the net's state_dict()")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
            raise DataError(
                f"expected only dense tensors under names in {path}, found {_printable(key)}: {type(value).__name__}",
                hint="save the net's state_dict(), bare or under the key 'state_dict'",
            )
    if all(key.startswith(_DATA_PARALLEL_PREFIX) for key in content):
        return {key.removeprefix(_DATA_PARALLEL_PREFIX): value for key, value in content.items()}
    return content


def _head_of_other_size(net: nn.Module, found: dict[str, Tensor]) -> tuple[str, ...]:
    """The keys of the net's head when the file has the same ones for another number of classes; else nothing."""
    linears = [(name, module) for name, module in net.named_modules() if isinstance(module, nn.Linear)]
    if not linears:
        return ()
    name, linear = linears[-1]
    expected = {f"{name}.{key}".removeprefix("."): value for key, value in linear.state_dict().items()}
    if not all(key in found and found[key].shape[1:] == value.shape[1:] for key, value in expected.items()):
        return ()
    classes = {tuple(found[key].shape[:1]) for key in expected}
    return () if len(classes) > 1 or classes == {(linear.out_features,)} else tuple(expected)


def _check_fit(expected: dict[str, Tensor], found: dict[str, Tensor], path: Path) -> None:
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
    if not any(mismatches):
        mismatches.append(
            _listing("not finite", (key for key in both if not found[key].to(expected[key].dtype).isfinite().all()))
        )
    if any(mismatches):
        raise DataError(
            f"expected in {path} the {len(expected)} tensors of the net, found {'; '.join(filter(None, mismatches))}",
            hint="build the net that the weights were made for: the same name, width and settings",
        )


def _listing(what: str, keys: Iterable[str]) -> str:
    listed = [_printable(key) for key in keys]
    more = ", …" if len(listed) > _LISTED else ""
    return f"{len(listed)} {what} ({', '.join(listed[:_LISTED])}{more})" if listed else ""


def _printable(key: object) -> str:
    """A key as text for one line: the file may hold any."""
    text = str(key)
    return text[:160] if text.isprintable() else repr(text[:160])


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a single number"
