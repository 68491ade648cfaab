"""Recognizes the net of a checkpoint by the names and shapes of its tensors."""

import functools
import re
from collections.abc import Mapping

import torch
from torch import nn

from mobile_sdk.contract import Contract
from qat.nets.registry import build_net, net_names
from qat.nets.weights.other_names import renamed
from qat.nets.weights.state_dicts import COUNTER, StateDict, find_state_dict

_WIDTHS = (1.0, 0.75, 0.5, 0.35, 0.25, 1.4, 1.3, 1.25, 1.5, 2.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9)
_LIBRARIES = (
    (r"(^|\.)conv_stem\.weight$", "timm"),
    (r"(^|\.)conv_stem\.(first_conv\.)?convolution\.weight$", "Hugging Face transformers"),
    (r"^backbone\.(conv1\.conv|layer\d)", "OpenMMLab"),
)


def recognise(content: object) -> tuple[str, float | None] | None:
    """Returns the name and width of the net whose weights these are; width is None if none of the usual ones fits.

    Returns None if they are of no net here. Nets that differ in channels alone have the same names: the first whose
    widths fit counts. Heads may have any number of classes.
    """
    known: tuple[str, float | None] | None = None
    for name in net_names():
        shapes = _shapes(name, 1.0)
        found = find_state_dict(content, shapes, functools.partial(renamed, net=_net(name, 1.0)))
        if found is not None and _is_whole(found, shapes):
            known = known or (name, None)
            width = next((width for width in _WIDTHS if _fits(found, _shapes(name, width))), None)
            if width is not None:
                return name, width
    return known


def options_of(known: tuple[str, float | None]) -> str:
    """Returns the options that select a net that `recognise` found."""
    name, width = known
    return f"--net {name}" + (f" --width {width:g}" if width not in (None, 1.0) else "")


def library_of(content: object) -> str | None:
    """Returns the library, other than torchvision, whose nets have such names; None if none is known."""
    found = find_state_dict(content, {})
    names = found.tensors if found is not None else ()
    return next((library for name in names for look, library in _LIBRARIES if re.search(look, name)), None)


@functools.cache
def _net(name: str, width: float) -> nn.Module:
    with torch.device("meta"):
        return build_net(name, Contract(name="check", labels=("one", "other")), width=width)


@functools.cache
def _shapes(name: str, width: float) -> Mapping[str, torch.Size]:
    return {key: value.shape for key, value in _net(name, width).state_dict().items()}


def _is_whole(found: StateDict, shapes: Mapping[str, torch.Size]) -> bool:
    def plain(names: Mapping[str, object]) -> set[str]:
        return {name for name in names if not name.endswith(COUNTER)}

    return plain(found.tensors) == plain(shapes)


def _fits(found: StateDict, shapes: Mapping[str, torch.Size]) -> bool:
    """Returns whether all shapes agree, but for the first dimension of the last layer, the head."""
    head = next(name for name in reversed(list(shapes)) if name.endswith(".weight")).removesuffix("weight")
    return _is_whole(found, shapes) and all(
        found.tensors[name].shape[1:] == shape[1:] if name.startswith(head) else found.tensors[name].shape == shape
        for name, shape in shapes.items()
        if not name.endswith(COUNTER)
    )
