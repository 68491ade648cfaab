"""Finds the layers of a prepared net that stay in float32 by name, and switches their rounding off."""

from collections.abc import Sequence
from difflib import get_close_matches

from torch import fx

from mobile_sdk.errors import SettingError
from qat.layers.weighted import HardSwish, Weighted
from qat.steps import absorbs, step_of, traits_of


def find_layers(net: fx.GraphModule, names: Sequence[str]) -> frozenset[str]:
    """Returns the layers that `names` mean: each the path of a layer, or of a module, for all layers in it.

    Raises SettingError, with the likeliest name meant, if there is none.
    """
    known = layer_names(net)
    hint = "`mobile-sdk inspect PROGRAM --sensitivity` prints the names"
    kept = frozenset(layer for name in names for layer in layers_in(name, known, "to keep in float", hint))
    if kept and kept.issuperset(known):
        raise SettingError("expected a layer that is left in int8, found all kept in float", hint="export float.pt2")
    return kept


def layer_names(net: fx.GraphModule) -> list[str]:
    """Returns the module paths of the net's layers, each once, in the order of computation."""
    return list(dict.fromkeys(path for node, path in _owners(net.graph).items() if not _is_unnamed(node)))


def layers_in(name: str, known: Sequence[str], purpose: str, hint: str) -> list[str]:
    """Returns the layer of that name, or the layers of a module of that name, among the `known`.

    Raises SettingError, with the likeliest name meant or else the `hint`, if there is none.
    """
    layers = [name] if name in known else [path for path in known if path.startswith(f"{name}.")]
    if not layers:
        near = get_close_matches(name, known, n=1)
        raise SettingError(
            f"expected the name of a layer {purpose}, found {name!r}",
            hint=f"did you mean {near[0]}?" if near else hint,
        )
    return layers


def float_parts(net: fx.GraphModule, kept: frozenset[str]) -> list[Weighted | HardSwish]:
    """Returns the layers in `kept` that round their weights or gates; tensors between layers are still rounded."""
    owners, parts = _owners(net.graph), []
    for node in net.graph.nodes:
        if node.op == "call_module" and owners.get(node) in kept:
            module = net.get_submodule(str(node.target))
            if isinstance(module, Weighted | HardSwish):
                parts.append(module)
    return parts


def _owners(graph: fx.Graph) -> dict[fx.Node, str]:
    """Returns every computing node's layer: an activation that a layer computes itself belongs to that layer."""
    owners: dict[fx.Node, str] = {}
    for node in graph.nodes:
        if (step := step_of(node)) is not None:
            owners.setdefault(node, step.path)
            if (activation := absorbs(node)) is not None:
                owners[activation] = step.path
    return owners


def _is_unnamed(node: fx.Node) -> bool:
    traits = traits_of(node)
    return traits is None or not traits.is_named
