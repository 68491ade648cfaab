"""Reads weights under the names of timm and of MobileOne's authors: gives them the names of a net of this package.

Layers have the same order in all of these libraries, so that a name's place in its library's order says which layer
of the net it is. The order in a file does not count: safetensors sorts its names.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from qat.nets.blocks import ImageClassifier

_Place = tuple[int, ...]
_PADS_UNEVENLY = re.compile(r"(^|[^a-z])tf_(mobilenet|efficientnet|mnasnet)", re.IGNORECASE)


class Layout(NamedTuple):
    """Holds a library's names of layers, in order.

    `blocks` matches the path of a block, with its numbers as groups. `parts` are the orders of the layers in a block;
    the first that has them all counts, and `#` stands for a number. `first` and `last` are the layers before and behind
    the blocks. `anchor` matches the name of a tensor that only this layout has, from where the names begin.
    """

    library: str
    anchor: str
    first: tuple[str, ...]
    blocks: str
    parts: tuple[tuple[str, ...], ...]
    last: tuple[str, ...]


_SQUEEZE = ("se.conv_reduce", "se.conv_expand")
LAYOUTS = (
    Layout(  # timm's classes EfficientNet and MobileNetV3
        library="timm",
        anchor=r"conv_stem\.weight",
        first=("conv_stem", "bn1"),
        blocks=r"blocks\.(\d+)\.(\d+)",
        parts=(
            ("conv", "bn1"),
            ("conv_dw", "bn1", *_SQUEEZE, "conv_pw", "bn2"),
            ("conv_pw", "bn1", "conv_dw", "bn2", *_SQUEEZE, "conv_pwl", "bn3"),
            ("conv_exp", "bn1", *_SQUEEZE, "conv_pwl", "bn2"),
            tuple(f"{part}.{kind}" for part in ("dw_start", "pw_exp", "dw_mid", "pw_proj") for kind in ("conv", "bn")),
        ),
        last=("conv_head", "bn2", "norm_head", "classifier"),
    ),
    Layout(  # timm's class ByobNet with the blocks of MobileOne
        library="timm",
        anchor=r"stem\.(conv_kxk\.0\.conv|reparam_conv)\.weight",
        first=(),
        blocks=r"(?:stem|stages\.(\d+)\.(\d+))",
        parts=(
            (
                *("identity", "conv_scale.conv", "conv_scale.bn", "conv_kxk.#.conv", "conv_kxk.#.bn"),
                *("reparam_conv", "attn.fc1", "attn.fc2"),
            ),
        ),
        last=("head.fc",),
    ),
    Layout(  # github.com/apple/ml-mobileone
        library="MobileOne's authors",
        anchor=r"stage0\.(rbr_conv\.0\.conv|reparam_conv)\.weight",
        first=(),
        blocks=r"stage(\d+)(?:\.(\d+))?",
        parts=(
            (
                *("rbr_skip", "rbr_scale.conv", "rbr_scale.bn", "rbr_conv.#.conv", "rbr_conv.#.bn"),
                *("reparam_conv", "se.reduce", "se.expand"),
            ),
        ),
        last=("linear",),
    ),
)


def renamed(tensors: Mapping[str, Tensor], net: nn.Module) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yields, for each other library whose names are among those of `tensors`, the library and the tensors renamed.

    Prefixes stay, and so do names of other things. A convolution of one pixel becomes a linear layer where the net has
    one. Batch norms whose ε is not the net's get weights that make up for it. Yields nothing for a `net` that no other
    library has: its `twin_epsilon` is None.
    """
    epsilon = net.twin_epsilon if isinstance(net, ImageClassifier) else None
    if epsilon is None:
        return
    layers = {name: layer for name, layer in net.named_modules() if _holds_tensors(layer)}
    for layout in LAYOUTS:
        found = {each: match[1] for each in tensors if (match := re.search(rf"^(|.*\.){layout.anchor}$", each))}
        names: dict[str, tuple[str, nn.Module]] = {}
        for prefix in found.values():
            theirs = _in_order(layout, [each.removeprefix(prefix) for each in tensors if each.startswith(prefix)])
            if len(theirs) == len(layers):
                own = ((prefix + name, layer) for name, layer in layers.items())
                names |= {prefix + other: each for other, each in zip(theirs, own, strict=True)}
        if names:
            yield layout.library, _as_the_nets(tensors, names, epsilon)


def pads_unevenly(file: str) -> bool:
    """Tells whether the path of a file says that it holds weights of a net of timm that pads as TensorFlow does.

    Such a net has the names and shapes of one that pads evenly, and computes something else.
    """
    return _PADS_UNEVENLY.search(file) is not None


def _holds_tensors(layer: nn.Module) -> bool:
    return any(True for _ in layer.parameters(recurse=False)) or any(True for _ in layer.buffers(recurse=False))


def _in_order(layout: Layout, names: list[str]) -> list[str]:
    """Returns the layers whose tensors have these names, in the layout's order, without the layers of other things."""
    layers = dict.fromkeys(name.rpartition(".")[0] for name in names)
    blocks: dict[str, list[str]] = {}
    places: dict[str, _Place] = {}
    for layer in layers:
        if layer in layout.first:
            places[layer] = (0, layout.first.index(layer))
        elif layer in layout.last:
            places[layer] = (2, layout.last.index(layer))
        elif match := re.match(rf"{layout.blocks}(?=\.)", layer):
            blocks.setdefault(match[0], []).append(layer)
    for block, inside in blocks.items():
        match = re.fullmatch(layout.blocks, block)
        assert match is not None, "it matched before"
        numbers = tuple(-1 if each is None else int(each) for each in match.groups())
        for layer, place in _places(layout.parts, [layer.removeprefix(f"{block}.") for layer in inside]).items():
            places[f"{block}.{layer}"] = (1, *numbers, *place)
    return sorted(places, key=places.__getitem__)


def _places(orders: tuple[tuple[str, ...], ...], layers: list[str]) -> dict[str, _Place]:
    """Returns the place of each layer in the first order that has them all, else nothing.

    Layers that are numbered alike are ordered by their number first.
    """
    plain = {layer: re.sub(r"\.\d+\.", ".#.", layer) for layer in layers}
    order = next((each for each in orders if set(plain.values()) <= set(each)), ())
    places: dict[str, _Place] = {}
    for layer in layers if order else ():
        number = re.search(r"\.(\d+)\.", layer)
        start = plain[layer].partition("#")[0]
        group = next(index for index, each in enumerate(order) if each.partition("#")[0] == start)
        places[layer] = (group, int(number[1]) if number else 0, order.index(plain[layer]))
    return places


def _as_the_nets(
    tensors: Mapping[str, Tensor], names: Mapping[str, tuple[str, nn.Module]], epsilon: float
) -> dict[str, Tensor]:
    changed = dict(tensors)
    for other, (own, layer) in names.items():
        entries = {key: tensors[f"{other}.{key}"] for key in layer.state_dict() if f"{other}.{key}" in tensors}
        for key in entries:
            del changed[f"{other}.{key}"]
        if isinstance(layer, nn.Linear) and "weight" in entries and entries["weight"].shape[2:] == (1, 1):
            entries["weight"] = entries["weight"].flatten(1)
        if isinstance(layer, nn.BatchNorm2d) and layer.eps != epsilon and {"weight", "running_var"} <= entries.keys():
            entries["weight"] = _made_up(entries["weight"], entries["running_var"], layer.eps, epsilon)
        changed |= {f"{own}.{key}": value for key, value in entries.items()}
    return changed


def _made_up(weight: Tensor, variance: Tensor, own: float, other: float) -> Tensor:
    """Returns the weight that gives with the ε `own` the gain that `weight` gives with the ε `other`."""
    if not weight.is_floating_point() or weight.shape != variance.shape:
        return weight
    wide = variance.double()
    return (weight.double() * torch.sqrt((wide + own) / (wide + other))).to(weight.dtype)
