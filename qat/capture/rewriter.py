"""Rewrites a captured graph while its nodes are read: every reader of nodes uses it."""

import re
from typing import Any

import torch
from torch import Tensor, fx, nn

from mobile_sdk.errors import CaptureError
from qat.capture.refusals import UnsupportedError
from qat.steps import STEP, Kind, Step

ENDS = "ends"  # the key of the path of the module whose output the node computes, if a layer absorbed others
FOLDED = "folded_"  # begins the names of constants that were computed from parameters
BATCHES = "batches"  # the key of how many batches a batch norm without a momentum has averaged
WHY = "why"  # the key of the reason why a node that nothing absorbed is refused
_SPOKEN = {"_native_batch_norm_legit": "batch_norm", "_unsafe_view": "view"}  # names that users know
_MADE_BY_THE_SDK = (Kind.WINDOW_SHARE, Kind.BOXES)  # no user writes these: they come of pooling, and of a detector
_SUPPORTED = ", ".join(kind for kind in Kind if kind not in _MADE_BY_THE_SDK)


class Rewriter:
    """Gives nodes their steps, and replaces nodes by layers.

    `layers` are the modules that the graph calls; `padding` holds, by node, the pads (top, bottom, left, right) that
    the convolutions after them absorb.
    """

    def __init__(self, module: fx.GraphModule) -> None:
        self.graph = module.graph
        self.layers: dict[str, nn.Module] = {}
        self.padding: dict[fx.Node, tuple[int, int, int, int]] = {}
        self._module = module

    def mark(self, node: fx.Node, kind: Kind, **details: Any) -> None:
        """Gives the node a step of this kind."""
        node.meta[STEP] = Step(kind=kind, path=path_of(node), shape=tuple(node.meta["val"].shape[1:]), **details)

    def leave(self, node: fx.Node, why: str) -> None:
        """Defers the node to its readers; if none of them absorbs it, it is refused for this reason."""
        node.meta[WHY] = why

    def become(self, node: fx.Node, target: Any, arguments: tuple[Any, ...], kind: Kind, **details: Any) -> None:
        """Makes the node call `target` with these arguments alone, and gives it a step of this kind."""
        node.target, node.args, node.kwargs = target, arguments, {}
        self.mark(node, kind, **details)

    def replace(self, node: fx.Node, layer: nn.Module, kind: Kind, **details: Any) -> None:
        """Replaces the node by `layer`, which reads the node's first operand."""
        new = self.insert_layer(node, layer, node.args[0], shape_of(node), kind, **details)
        node.replace_all_uses_with(new)
        self.graph.erase_node(node)

    def insert_layer(
        self, node: fx.Node, layer: nn.Module, source: Any, shape: tuple[int, ...], kind: Kind, **details: Any
    ) -> fx.Node:
        """Returns a new node before `node` that calls `layer` on `source`, named after the module that `node` is from.

        Layers are stored flat: a function called in a module that holds other layers has that module's own path.
        `shape` is that of its output, the batch included.
        """
        path = path_of(node)
        name = base = node.name if path == "<root>" else re.sub(r"\W", "_", path)
        while f"layers.{name}" in self.layers:
            name += "_again"
        self.layers[f"layers.{name}"] = layer
        with self.graph.inserting_before(node):
            new = self.graph.create_node("call_module", f"layers.{name}", (source,), name=base)
        new.meta = {**node.meta, "val": node.meta["val"].new_empty(shape)}
        self.mark(new, kind, **details)
        return new

    def insert(
        self, node: fx.Node, target: Any, arguments: tuple[Any, ...], shape: tuple[int, ...], kind: Kind, **details: Any
    ) -> fx.Node:
        """Returns a new node before `node` that calls `target` with this step; `shape` as for `insert_layer`."""
        new = self.place(node, target, arguments, shape)
        self.mark(new, kind, **details)
        return new

    def place(self, node: fx.Node, target: Any, arguments: tuple[Any, ...], shape: tuple[int, ...]) -> fx.Node:
        """Returns a new node before `node` that calls `target`, still to be read."""
        with self.graph.inserting_before(node):
            new = self.graph.create_node("call_function", target, arguments)
        new.meta = {**node.meta, "val": node.meta["val"].new_empty(shape)}
        return new

    def take_in(self, node: fx.Node, source: fx.Node) -> None:
        """Makes the layer at `source` compute what `node` did as well."""
        source.meta[ENDS] = path_of(node)
        node.replace_all_uses_with(source)
        self.graph.erase_node(node)

    def layer_of(self, node: fx.Node) -> nn.Module | None:
        """Returns the layer that the node calls, or None."""
        return self.layers.get(str(node.target)) if node.op == "call_module" else None

    def parameter(self, node: fx.Node, value: Any) -> nn.Parameter | None:
        """Returns a copy of the parameter, buffer or folded constant that is `node`'s argument `value`.

        Raises CaptureError if the value depends on the image, or is not finite.
        """
        if value is None:
            return None
        tensor = self.constant(value)
        if tensor is None:
            raise unsupported(node, "with a weight that pictures decide")
        broken = int((~tensor.isfinite()).sum())
        if broken:
            name = path_of(node) if str(value.target).startswith(FOLDED) else value.target
            raise CaptureError(
                f"expected finite numbers in {name}, found {broken} of {tensor.numel()} that are NaN or infinite",
                hint="load weights of a training that did not diverge",
            )
        return nn.Parameter(tensor.detach().clone().float())

    def learns(self, node: fx.Node) -> bool:
        """Tells whether an operand of the node is a parameter of the user's net as it is."""
        parameters = dict(self._module.named_parameters(remove_duplicate=False))
        return any(str(operand.target) in parameters for operand in node.all_input_nodes if operand.op == "get_attr")

    def constant(self, value: Any) -> Tensor | None:
        """Returns the tensor of a number or of a constant node; None for any other node."""
        return constant_of(self._module, value) if isinstance(value, fx.Node) else torch.tensor(float(value))


def constant_of(module: fx.GraphModule, node: fx.Node) -> Tensor | None:
    """Returns the tensor of a constant node; None for any other node."""
    if node.op != "get_attr":
        return None
    tensor: Any = module
    for part in str(node.target).split("."):
        tensor = getattr(tensor, part)
    assert isinstance(tensor, Tensor)
    return tensor.detach()


def operand(node: fx.Node, position: int = 0) -> fx.Node:
    """Returns the node's operand at this position, which is a node."""
    value = node.args[position]
    assert isinstance(value, fx.Node)
    return value


def arguments(node: fx.Node, *defaults: Any) -> list[Any]:
    """Returns the node's positional arguments, completed by its keyword arguments and the defaults."""
    values = [*node.args, *defaults[len(node.args) :]][: len(defaults)]
    names = [argument.name for argument in node.target._schema.arguments]  # type: ignore[union-attr]
    for name, value in node.kwargs.items():
        if name in names and names.index(name) < len(values):
            values[names.index(name)] = value
    return values


def pair(value: Any) -> tuple[int, int]:
    """Returns PyTorch's "one number, or one a dimension" as (vertical, horizontal)."""
    values = [value] if isinstance(value, int) else list(value)
    return int(values[0]), int(values[-1])


def shape_of(node: Any) -> tuple[int, ...]:
    """Returns the shape of the node's output, the batch included."""
    return tuple(node.meta["val"].shape)


def name_of(node: fx.Node) -> str:
    """Returns PyTorch's name of the operator, without library and overload."""
    return str(node.target).removeprefix("aten.").removeprefix("qat.").split(".")[0].rstrip("_")


def path_of(node: fx.Node) -> str:
    """Returns the path of the module in the user's net that the node came from."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]) or "<root>" if stack else "<root>"


def unsupported(node: fx.Node, why: str = "") -> UnsupportedError:
    """Returns the error that names operator and module; `why` says what of the operator is not supported."""
    spoken = f"aten.{_SPOKEN[name_of(node)]}" if name_of(node) in _SPOKEN else str(node.target)
    why = why or node.meta.get(WHY, "")
    return UnsupportedError(name_of(node), spoken, path_of(node), why, hint=f"build the net of {_SUPPORTED}")
