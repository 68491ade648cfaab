"""Gives layers four-bit weights where phones have a kernel for them: 1 x 1 convolutions and linear layers.

XNNPACK computes a fully connected layer of four-bit weights a channel on int8 inputs by the rule of int8, and a 1 x 1
convolution without stride is one on every pixel. Two codes share a byte, so that inputs have to be evenly many. Filters
that see neighbours, grouped, strided or transposed ones keep eight bits; in a MobileNet they have few of the weights.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import fx

from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import four_bits_fit
from qat.arguments.weight_bits import WeightBits
from qat.layers.weighted import Conv2d, Linear, Weighted
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.kept_layers import layer_names, layers_in
from qat.progress import say
from qat.steps import KINDS, Grid, Kind, step_of

SETTING = "weight_bits"  # of a record
FLOAT_BITS = 32


def give_weight_bits(net: fx.GraphModule, asked: WeightBits, kept: frozenset[str]) -> None:
    """Gives the layers of a prepared net the bits that are asked for; those in `kept` stay in float.

    A name is that of a layer or of a module, for all layers in it that can have four bits; the longer name counts.
    Raises SettingError for a name that no layer has, or for one of layers that cannot have four bits or are kept in
    float.
    """
    layers = dict(_weighted(net))
    takers = [node for node, layer in layers.items() if takes_four_bits(node, layer)]
    for node, bits in _bits_of(net, takers, layers, asked, kept).items():
        layers[node].weight_bits = bits
    if any(layer.weight_bits == 4 for layer in layers.values()):
        figures = four_bit_figures(net)
        say(
            f"weights of 4 bits: {figures['layers']} of {figures['of_layers']} layers, "
            f"{figures['weights_share']:.1%} of the weights; the others have 8"
        )


def four_bit_figures(net: fx.GraphModule) -> dict[str, Any]:
    """Returns how many layers have weights of four bits, of how many, and their share of all weights."""
    layers = [layer for _, layer in _weighted(net)]
    few = [layer for layer in layers if layer.weight_bits == 4]
    total = sum(layer.weight.numel() for layer in layers)
    share = sum(layer.weight.numel() for layer in few) / total if total else 0.0
    return {"layers": len(few), "of_layers": len(layers), "weights_share": round(share, 4)}


def four_bit_layers(net: FakeQuantNet) -> dict[str, tuple[str, ...]]:
    """Returns the layers that can have weights of four bits, and are not kept in float, by name.

    Each has the names of its modules in `net.captured`: a layer that is called twice has two.
    """
    return _modules_of_layers(net, takes_four_bits)


def int8_layers(net: FakeQuantNet) -> dict[str, tuple[str, ...]]:
    """Returns all layers with weights that are not kept in float, with their modules, as `four_bit_layers` does."""
    return _modules_of_layers(net, lambda node, layer: True)


def layer_bytes(net: FakeQuantNet) -> dict[str, int]:
    """Returns the bytes that each layer's weights have in a model file, as `weight_bytes` of its operators, by name."""
    found = dict[str, int]()
    for node, layer in _weighted(net.captured):
        bits = FLOAT_BITS if _path(node) in net.kept else layer.weight_bits
        found[_path(node)] = found.get(_path(node), 0) + layer.weight.numel() * bits // 8
    return found


def weight_settings(net: FakeQuantNet, asked: WeightBits | str) -> dict[str, Any]:
    """Returns what a record says of the weights' bits: nothing if all have 8."""
    if asked == 8:
        return {}
    said = dict(asked) if isinstance(asked, Mapping) else asked
    return {SETTING: {"asked": said, **four_bit_figures(net.captured)}}


def takes_four_bits(node: fx.Node, layer: Weighted) -> bool:
    """Returns whether phones have a kernel for the layer with weights of four bits."""
    if isinstance(layer, Linear):
        return four_bits_fit(inputs=layer.weight.shape[1]) and not _reads_flattened_map(node)
    if not isinstance(layer, Conv2d):
        return False
    inputs, *kernel = layer.weight.shape[1:]
    return four_bits_fit(inputs=inputs, kernel=kernel, stride=layer.stride, padding=layer.padding, groups=layer.groups)


def _modules_of_layers(net: FakeQuantNet, is_wanted: Callable[[fx.Node, Weighted], bool]) -> dict[str, tuple[str, ...]]:
    known, found = set(layer_names(net.captured)), dict[str, list[str]]()
    for node, layer in _weighted(net.captured):
        if (path := _path(node)) in known and path not in net.kept and is_wanted(node, layer):
            found.setdefault(path, []).append(str(node.target))
    return {path: tuple(dict.fromkeys(modules)) for path, modules in found.items()}


def _bits_of(
    net: fx.GraphModule,
    takers: list[fx.Node],
    layers: Mapping[fx.Node, Weighted],
    asked: WeightBits,
    kept: frozenset[str],
) -> dict[fx.Node, int]:
    free = [node for node in takers if _path(node) not in kept]
    if not isinstance(asked, Mapping):
        return dict.fromkeys(free, asked)
    found, known = dict[fx.Node, int](), layer_names(net)
    for name in sorted(asked, key=len):
        paths = set(layers_in(name, known, "to give weight bits", _HINT))
        if asked[name] == 4 and not any(_path(node) in paths for node in free):
            raise _refusal(name, paths, layers, kept)
        found |= {node: asked[name] for node in free if _path(node) in paths}
    return found


_HINT = "`mobile-sdk inspect PROGRAM` prints the names"


def _refusal(name: str, paths: set[str], layers: Mapping[fx.Node, Weighted], kept: frozenset[str]) -> SettingError:
    if paths & kept:
        return SettingError(
            f"expected weight bits of layers in int8, found {name!r} kept in float", hint="leave it out of one of both"
        )
    own = next((layer for node, layer in layers.items() if _path(node) in paths), None)
    kinds = (
        "a 1x1 convolution without stride, or a linear layer on vectors or rows, of evenly many inputs for four bits"
    )
    found = "no weights" if own is None else f"{type(own).__name__} with weights {tuple(own.weight.shape)}"
    return SettingError(f"expected {kinds}, found {found} at {name!r}", hint="leave it out: it keeps 8 bits")


def _weighted(net: fx.GraphModule) -> Iterator[tuple[fx.Node, Weighted]]:
    for node in net.graph.nodes:
        module = net.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, Weighted):
            yield node, module


def _path(node: fx.Node) -> str:
    step = step_of(node)
    return "" if step is None else step.path


def _reads_flattened_map(node: fx.Node) -> bool:
    """Returns whether the linear layer's input is a flattened map: it is written as a convolution of a whole map."""
    source = node.all_input_nodes[0]
    while source.op != "placeholder" and ((step := step_of(source)) is None or KINDS[step.kind].grid is Grid.INPUTS):
        before = source.all_input_nodes[0]
        if step is not None and step.kind is Kind.FLATTEN:
            return _is_map(before)
        source = before
    return False


def _is_map(node: fx.Node) -> bool:
    while (step := step_of(node)) is None and node.op != "placeholder":
        node = node.all_input_nodes[0]
    shape = tuple(node.meta["val"].shape[1:]) if step is None else step.shape
    return any(side != 1 for side in shape[1:])
