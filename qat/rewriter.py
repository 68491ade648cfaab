"""A captured graph while its nodes are read: what every reader of nodes needs."""

from typing import Any

from torch import fx, nn

from mobile_sdk.errors import CaptureError
from qat.steps import Kind, Step

STEP = "step"  # the key in a node's meta
_SUPPORTED = (
    "convolutions, linear layers, batch norm, ReLU, ReLU6, hard-sigmoid, h-swish, add, mul, pooling, "
    "concatenation, slices and shuffles of channels, bilinear resizing by powers of two"
)


class Rewriter:
    """Gives nodes their steps, and puts layers in the place of nodes.

    `layers` are the modules that the graph calls; `padding` holds, by node, the pads (top, bottom, left, right) that
    the convolutions after them take in.
    """

    def __init__(self, module: fx.GraphModule) -> None:
        self.graph = module.graph
        self.layers: dict[str, nn.Module] = {}
        self.padding: dict[fx.Node, tuple[int, int, int, int]] = {}
        self._module = module

    def mark(self, node: fx.Node, kind: Kind, **details: Any) -> None:
        """The node does this."""
        node.meta[STEP] = Step(kind=kind, path=path_of(node), shape=tuple(node.meta["val"].shape[1:]), **details)

    def become(self, node: fx.Node, target: Any, arguments: tuple[Any, ...], kind: Kind, **details: Any) -> None:
        """The node calls `target` with these arguments alone, and does this."""
        node.target, node.args, node.kwargs = target, arguments, {}
        self.mark(node, kind, **details)

    def replace(self, node: fx.Node, layer: nn.Module, kind: Kind) -> None:
        """Puts `layer` in the node's place, named after the module that it came from.

        Layers lie side by side: a function called in a module that holds other layers has that module's own path.
        """
        path = path_of(node)
        name = base = node.name if path == "<root>" else path.replace(".", "_")
        while f"layers.{name}" in self.layers:
            name += "_again"
        self.layers[f"layers.{name}"] = layer
        with self.graph.inserting_before(node):
            new = self.graph.create_node("call_module", f"layers.{name}", (node.args[0],), name=base)
        new.meta = dict(node.meta)
        self.mark(new, kind)
        node.replace_all_uses_with(new)
        self.graph.erase_node(node)

    def layer_of(self, node: fx.Node) -> nn.Module | None:
        """The layer that the node calls."""
        return self.layers.get(str(node.target)) if node.op == "call_module" else None

    def parameter(self, node: fx.Node, value: Any) -> nn.Parameter | None:
        """A copy of the parameter or buffer that is `node`'s argument `value`."""
        if value is None:
            return None
        if not isinstance(value, fx.Node) or value.op != "get_attr":
            raise unsupported(node, "with a weight that is computed")
        tensor: Any = self._module
        for part in str(value.target).split("."):
            tensor = getattr(tensor, part)
        return nn.Parameter(tensor.detach().clone().float())


def arguments(node: fx.Node, *defaults: Any) -> list[Any]:
    """The node's positional arguments, filled up with its keyword arguments' and the schema's defaults."""
    values = [*node.args, *defaults[len(node.args) :]][: len(defaults)]
    names = [argument.name for argument in node.target._schema.arguments]  # type: ignore[union-attr]
    for name, value in node.kwargs.items():
        if name in names and names.index(name) < len(values):
            values[names.index(name)] = value
    return values


def pair(value: Any) -> tuple[int, int]:
    """PyTorch's "one number, or one a dimension" as (vertical, horizontal)."""
    values = [value] if isinstance(value, int) else list(value)
    return int(values[0]), int(values[-1])


def shape_of(node: Any) -> tuple[int, ...]:
    """The node's output's shape, the batch included."""
    return tuple(node.meta["val"].shape)


def path_of(node: fx.Node) -> str:
    """The module in the user's net that the node came from."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]) or "<root>" if stack else "<root>"


def unsupported(node: fx.Node, why: str = "") -> CaptureError:
    """The refusal that names operator and module; `why` says what of the operator is not supported."""
    what = f"{node.target} at {path_of(node)}"
    return CaptureError(
        f"no integer operator stands for {what}{', ' if why else ''}{why}", hint=f"build the net of {_SUPPORTED}"
    )
