"""Captures any net made of the supported operators: `torch.export`'s graph, every node read as a `Step`.

Convolutions and linear layers take their batch norm and the padding before them in; dropout stays switchable. Whatever
no integer operator stands for is refused with its module path.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from mobile_sdk.errors import CaptureError
from qat.layers import Conv2d, HardSwish, Linear, Weighted
from qat.steps import Kind, Step, Window

aten = torch.ops.aten

STEP = "step"  # the key in a node's meta
_SUPPORTED = (
    "convolutions, linear layers, batch norm, ReLU, ReLU6, hard-sigmoid, h-swish, add, mul, pooling, concatenation"
)


def capture(net: nn.Module, size_px: int) -> fx.GraphModule:
    """The net as a graph whose every computing node has a `Step` under `meta["step"]`; parameters are copies.

    Inputs are float (N, 3, size_px, size_px). Raises CaptureError.
    """
    was_training = net.training
    net.eval()
    try:
        example = torch.zeros(2, 3, size_px, size_px)
        exported = torch.export.export(net, (example,), strict=False)
    except Exception as error:  # torch.export fails in many ways: all mean the same to the user
        first_line = str(error).strip().splitlines()[0][:200]
        raise CaptureError(
            f"torch.export cannot capture {type(net).__name__}: {first_line}",
            hint=f"write forward() without branches on data, for pictures (N, 3, {size_px}, {size_px})",
        ) from error
    finally:
        net.train(was_training)
    module = exported.module(check_guards=False)
    assert isinstance(module, fx.GraphModule)
    return _Capture(module).run()


class _Capture:
    """Rewrites one exported graph in place, node by node."""

    def __init__(self, module: fx.GraphModule) -> None:
        self.module = module
        self.graph = module.graph
        self.padding: dict[fx.Node, tuple[int, int, int, int]] = {}

    def run(self) -> fx.GraphModule:
        for node in list(self.graph.nodes):
            if node.op == "call_function" and node.users:
                self._read(node)
        _flatten_output(self.graph)
        self.graph.eliminate_dead_code()
        for node in self.graph.nodes:
            if node.op not in ("placeholder", "output") and STEP not in node.meta:
                raise _unsupported(node)
        self.graph.set_codegen(fx.graph.CodeGen())  # one tensor in, one out: no pytrees
        captured = fx.GraphModule(self.module, self.graph)
        for parameter in captured.parameters():
            parameter.requires_grad_(True)
        return captured

    def _read(self, node: fx.Node) -> None:
        name = str(node.target).removeprefix("aten.").split(".")[0].rstrip("_")
        reader: Callable[[fx.Node], None] | None = getattr(self, f"_read_{name}", None)
        if reader is None:
            raise _unsupported(node)
        reader(node)

    def _mark(self, node: fx.Node, kind: Kind, **details: Any) -> None:
        node.meta[STEP] = Step(kind=kind, path=_path(node), shape=tuple(node.meta["val"].shape[1:]), **details)

    def _replace(self, node: fx.Node, layer: nn.Module, kind: Kind, **details: Any) -> fx.Node:
        """Puts `layer` in the node's place, under the module path that it came from."""
        target = base = _path(node).replace("<root>", "root")
        while any(other.target == target for other in self.graph.nodes if other.op == "call_module"):
            target += "_again"
        self.module.add_submodule(target if target != base else base, layer)
        with self.graph.inserting_before(node):
            new = self.graph.call_module(target, (node.args[0],))
        new.meta = dict(node.meta)
        self._mark(new, kind, **details)
        node.replace_all_uses_with(new)
        self.graph.erase_node(node)
        return new

    def _parameter(self, node: Any) -> nn.Parameter | None:
        if node is None:
            return None
        if not isinstance(node, fx.Node) or node.op != "get_attr":
            raise _unsupported(node if isinstance(node, fx.Node) else None)
        value: torch.Tensor = self.module
        for part in str(node.target).split("."):
            value = getattr(value, part)
        return nn.Parameter(value.detach().clone().float())

    # -- layers with weights

    def _read_conv2d(self, node: fx.Node) -> None:
        source, weight, bias, stride, padding, dilation, groups = _arguments(
            node, None, None, None, [1, 1], [0, 0], [1, 1], 1
        )
        if isinstance(padding, str):
            raise _unsupported(node)
        vertical, horizontal = _pair(padding)
        top, bottom, left, right = self.padding.get(source, (0, 0, 0, 0))
        layer = Conv2d(
            weight=self._weight(node, weight),
            bias=self._parameter(bias),
            norm=None,
            stride=_pair(stride),
            padding=(top + vertical, bottom + vertical, left + horizontal, right + horizontal),
            dilation=_pair(dilation),
            groups=groups,
        )
        new = self._replace(node, layer, Kind.WEIGHTED)
        if STEP not in source.meta and source.op == "call_function":  # the pad that the layer took in
            new.replace_input_with(source, source.args[0])

    def _read_linear(self, node: fx.Node) -> None:
        _, weight, bias = _arguments(node, None, None, None)
        if len(node.meta["val"].shape) != 2:
            raise _unsupported(node)
        layer = Linear(weight=self._weight(node, weight), bias=self._parameter(bias), norm=None)
        self._replace(node, layer, Kind.WEIGHTED)

    def _weight(self, node: fx.Node, weight: Any) -> nn.Parameter:
        if not isinstance(weight, fx.Node) or weight.op != "get_attr":
            raise _unsupported(node)
        parameter = self._parameter(weight)
        assert parameter is not None
        return parameter

    def _read_batch_norm(self, node: fx.Node) -> None:
        source, gamma, beta, mean, variance, _, momentum, epsilon = _arguments(node, *[None] * 5, False, 0.1, 1e-5)
        norm = nn.BatchNorm2d(node.meta["val"].shape[1], eps=epsilon, momentum=momentum)
        for name, value in (("weight", gamma), ("bias", beta)):
            parameter = self._parameter(value)
            if parameter is not None:
                setattr(norm, name, parameter)
        for name, value in (("running_mean", mean), ("running_var", variance)):
            buffer = self._parameter(value)
            if buffer is None:
                raise _unsupported(node)
            setattr(norm, name, buffer.data)
        layer = self.module.get_submodule(str(source.target)) if source.op == "call_module" else None
        if isinstance(layer, Weighted) and layer.norm is None and len(source.users) == 1:
            layer.norm = norm
            node.replace_all_uses_with(source)
            self.graph.erase_node(node)
        else:
            self._read_lone_batch_norm(node, norm)

    def _read_lone_batch_norm(self, node: fx.Node, norm: nn.BatchNorm2d) -> None:
        """A batch norm with no convolution before it is a 1 × 1 depthwise convolution with weights of one."""
        if len(node.meta["val"].shape) != 4:
            raise _unsupported(node)
        ones = nn.Parameter(torch.ones(norm.num_features, 1, 1, 1))
        layer = Conv2d(
            weight=ones,
            bias=None,
            norm=norm,
            stride=(1, 1),
            padding=(0, 0, 0, 0),
            dilation=(1, 1),
            groups=norm.num_features,
        )
        self._replace(node, layer, Kind.WEIGHTED)

    # -- activations

    def _read_relu(self, node: fx.Node) -> None:
        node.target = aten.relu.default
        self._mark(node, Kind.RELU)

    def _read_relu6(self, node: fx.Node) -> None:
        self._as_relu6(node)

    def _read_hardtanh(self, node: fx.Node) -> None:
        self._read_bounds(node, *_arguments(node, None, -1.0, 1.0)[1:])

    def _read_clamp(self, node: fx.Node) -> None:
        self._read_bounds(node, *_arguments(node, None, None, None)[1:])

    def _read_bounds(self, node: fx.Node, low: float | None, high: float | None) -> None:
        if low == 0 and high == 6:
            self._as_relu6(node)
        elif low == 0 and high is None:
            node.args, node.kwargs = (node.args[0],), {}
            self._read_relu(node)
        else:
            raise _unsupported(node)

    def _as_relu6(self, node: fx.Node) -> None:
        node.target = aten.hardtanh.default
        node.args, node.kwargs = (node.args[0], 0.0, 6.0), {}
        self._mark(node, Kind.RELU6)

    def _read_hardswish(self, node: fx.Node) -> None:
        self._replace(node, HardSwish(), Kind.HARD_SWISH)

    def _read_hardsigmoid(self, node: fx.Node) -> None:
        node.target = aten.hardsigmoid.default
        self._mark(node, Kind.HARD_SIGMOID)

    # -- arithmetic

    def _read_add(self, node: fx.Node) -> None:
        a, b, alpha = _arguments(node, None, None, 1)
        if alpha != 1:
            raise _unsupported(node)
        self._read_binary(node, a, b, aten.add.Tensor, Kind.ADD, Kind.ADD_CONSTANT)

    def _read_mul(self, node: fx.Node) -> None:
        a, b = _arguments(node, None, None)
        self._read_binary(node, a, b, aten.mul.Tensor, Kind.MUL, Kind.SCALE)

    def _read_div(self, node: fx.Node) -> None:
        a, b = _arguments(node, None, None)
        if isinstance(b, fx.Node) or b <= 0 or len(node.args) > 2:
            raise _unsupported(node)
        node.args = (a, 1.0 / b)
        self._read_mul(node)

    def _read_binary(self, node: fx.Node, a: Any, b: Any, target: Any, kind: Kind, constant_kind: Kind) -> None:
        if not isinstance(a, fx.Node):
            a, b = b, a
        if isinstance(b, fx.Node):
            a, b = self._broadcast(node, a, b)
            node.target, node.args, node.kwargs = target, (a, b), {}
            self._mark(node, kind)
        elif constant_kind is Kind.SCALE and b <= 0:
            raise _unsupported(node)
        else:
            node.target, node.args, node.kwargs = target, (a, float(b)), {}
            self._mark(node, constant_kind, constant=float(b))

    def _broadcast(self, node: fx.Node, a: fx.Node, b: fx.Node) -> tuple[fx.Node, fx.Node]:
        """Operands in the order (whole, gate); equal shapes, or in a product a gate (C, 1, 1)."""
        whole = tuple(node.meta["val"].shape)
        if tuple(a.meta["val"].shape) != whole:
            a, b = b, a
        gate = tuple(b.meta["val"].shape)
        is_gate = len(whole) == 4 and gate == (*whole[:2], 1, 1) and "mul" in str(node.target)
        if tuple(a.meta["val"].shape) != whole or not (gate == whole or is_gate):
            raise _unsupported(node)
        return a, b

    # -- pooling and shape

    def _read_mean(self, node: fx.Node) -> None:
        _, axes, keep = _arguments(node, None, None, False)
        rank = len(node.args[0].meta["val"].shape)  # type: ignore[union-attr]
        if rank != 4 or sorted(axis % 4 for axis in axes or ()) != [2, 3]:
            raise _unsupported(node)
        node.target, node.args, node.kwargs = aten.mean.dim, (node.args[0], [2, 3], keep), {}
        self._mark(node, Kind.GLOBAL_MEAN)

    def _read_adaptive_avg_pool2d(self, node: fx.Node) -> None:
        source, size = _arguments(node, None, None)
        height, width = source.meta["val"].shape[2:]
        rows, columns = _pair(size)
        if (rows, columns) == (1, 1):
            node.target, node.args, node.kwargs = aten.mean.dim, (source, [2, 3], True), {}
            self._mark(node, Kind.GLOBAL_MEAN)
        elif height % rows == 0 and width % columns == 0:
            kernel = (height // rows, width // columns)
            node.target, node.args = aten.avg_pool2d.default, (source, list(kernel))
            self._mark(node, Kind.AVERAGE_POOL, window=Window(kernel=kernel, stride=kernel, padding=(0, 0)))
        else:
            raise _unsupported(node)

    def _read_avg_pool2d(self, node: fx.Node) -> None:
        source, kernel, stride, padding, ceil, counts_padding, divisor = _arguments(
            node, None, None, [], [0, 0], False, True, None
        )
        window = Window(kernel=_pair(kernel), stride=_pair(stride or kernel), padding=_pair(padding))
        if ceil or divisor is not None or (any(window.padding) and not counts_padding):
            raise _unsupported(node)
        if window.kernel == tuple(source.meta["val"].shape[2:]) and not any(window.padding):
            node.target, node.args, node.kwargs = aten.mean.dim, (source, [2, 3], True), {}
            self._mark(node, Kind.GLOBAL_MEAN)
        else:
            self._mark(node, Kind.AVERAGE_POOL, window=window)

    def _read_max_pool2d(self, node: fx.Node) -> None:
        _, kernel, stride, padding, dilation, ceil = _arguments(node, None, None, [], [0, 0], [1, 1], False)
        if ceil or _pair(dilation) != (1, 1):
            raise _unsupported(node)
        window = Window(kernel=_pair(kernel), stride=_pair(stride or kernel), padding=_pair(padding))
        self._mark(node, Kind.MAX_POOL, window=window)

    def _read_cat(self, node: fx.Node) -> None:
        _, axis = _arguments(node, None, 0)
        if axis % len(node.meta["val"].shape) != 1:
            raise _unsupported(node)
        self._mark(node, Kind.CONCAT)

    def _read_flatten(self, node: fx.Node) -> None:
        shape, before = node.meta["val"].shape, node.args[0].meta["val"].shape  # type: ignore[union-attr]
        flattens_map = before[2:] not in ((), (1, 1))
        feeds_linear = all("linear" in str(user.target) or "dropout" in str(user.target) for user in node.users)
        if len(shape) != 2 or shape[0] != before[0] or (flattens_map and not feeds_linear):
            raise _unsupported(node)
        self._replace(node, nn.Flatten(1), Kind.FLATTEN)

    _read_view = _read_reshape = _read_squeeze = _read_flatten

    def _read_dropout(self, node: fx.Node) -> None:
        self._replace(node, nn.Dropout(node.args[1]), Kind.DROPOUT)  # type: ignore[arg-type]

    _read_feature_dropout = _read_dropout

    def _read_pad(self, node: fx.Node) -> None:
        """Zero padding before a convolution becomes the convolution's own."""
        _, amounts, *rest = _arguments(node, None, None, "constant", None)
        mode, value = rest if isinstance(rest[0], str) else ("constant", rest[0])
        feeds_convolutions = all("conv2d" in str(user.target) for user in node.users)
        if mode != "constant" or (value or 0) != 0 or len(amounts) != 4 or not feeds_convolutions:
            raise _unsupported(node)
        left, right, top, bottom = amounts
        self.padding[node] = (top, bottom, left, right)

    _read_constant_pad_nd = _read_pad

    def _read_contiguous(self, node: fx.Node) -> None:
        source = node.args[0]
        assert isinstance(source, fx.Node)
        node.replace_all_uses_with(source)

    _read_clone = _read_alias = _read_contiguous


def _arguments(node: fx.Node, *defaults: Any) -> list[Any]:
    """The node's positional arguments, filled up with its keyword arguments' and the schema's defaults."""
    values = [*node.args, *defaults[len(node.args) :]][: len(defaults)]
    names = [argument.name for argument in node.target._schema.arguments]  # type: ignore[union-attr]
    for name, value in node.kwargs.items():
        if name in names and names.index(name) < len(values):
            values[names.index(name)] = value
    return values


def _pair(value: Any) -> tuple[int, int]:
    values = [value] if isinstance(value, int) else list(value)
    return int(values[0]), int(values[-1])


def _flatten_output(graph: fx.Graph) -> None:
    """The net must return one tensor (N, classes)."""
    output = next(node for node in graph.nodes if node.op == "output")
    results = output.args[0] if isinstance(output.args[0], list | tuple) else [output.args[0]]
    shape = tuple(results[0].meta["val"].shape) if isinstance(results[0], fx.Node) else ()
    if len(results) != 1 or len(shape) != 2:
        raise CaptureError(
            f"expected a net that returns one tensor (N, classes), found {len(results)} of shape {shape}",
            hint="return the scores alone, flattened",
        )
    output.args = (results[0],)


def _path(node: fx.Node) -> str:
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]) or "<root>" if stack else "<root>"


def _unsupported(node: fx.Node | None) -> CaptureError:
    what = "a weight that is computed" if node is None else f"{node.target} at {_path(node)}"
    return CaptureError(f"no integer operator stands for {what}", hint=f"build the net of {_SUPPORTED}")
