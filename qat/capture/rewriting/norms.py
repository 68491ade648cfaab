"""Spells every norm by a tensor's own values as `qat.normalize`: layer, group, instance and RMS norms, unit vectors."""

from collections.abc import Callable, Mapping, Sequence
from math import sqrt

import torch
from torch import Tensor, fx

from qat.capture.rewriter import arguments, name_of, operand, shape_of
from qat.capture.rewriting.placing import aten, placed
from qat.layers.weighted import normalized

_DEFAULT_EPSILON = float(torch.finfo(torch.float32).eps)  # of nn.RMSNorm


def spell_norms(graph: fx.Graph) -> None:
    """Replaces norms whose channels lie where `Normalize` has them; others stay as they are."""
    for node in list(graph.nodes):
        spell = _SPELLINGS.get(name_of(node)) if node.op == "call_function" else None
        new = None if spell is None else spell(node)
        if new is not None:
            node.replace_all_uses_with(new)


def _layer_norm(node: fx.Node) -> fx.Node | None:
    source, sizes, gain, offset, epsilon = arguments(node, None, None, None, None, 1e-5)
    return None if len(sizes) != 1 else _over_channels(node, source, True, epsilon, gain, offset)


def _rms_norm(node: fx.Node) -> fx.Node | None:
    source, sizes, gain, epsilon = arguments(node, None, None, None, None)
    epsilon = _DEFAULT_EPSILON if epsilon is None else epsilon
    return None if len(sizes) != 1 else _over_channels(node, source, False, epsilon, gain, None)


def _over_channels(
    node: fx.Node, source: fx.Node, is_centred: bool, epsilon: float, gain: fx.Node | None, offset: fx.Node | None
) -> fx.Node:
    axis = len(shape_of(source)) - 1
    return placed(node, torch.ops.qat.normalize.default, source, [axis], 1, is_centred, epsilon, gain, offset)


def _group_norm(node: fx.Node) -> fx.Node | None:
    source, groups, gain, offset, epsilon = arguments(node, None, None, None, None, 1e-5)
    axes = list(range(1, len(shape_of(source))))
    if len(axes) != 3:
        return None
    if groups == shape_of(source)[1]:
        axes, groups = axes[1:], 1
    return placed(node, torch.ops.qat.normalize.default, source, axes, groups, True, epsilon, gain, offset)


def _instance_norm(node: fx.Node) -> fx.Node | None:
    source, gain, offset, _, _, by_own_values, _, epsilon = arguments(node, *[None] * 5, True, 0.1, 1e-5)
    if not by_own_values or len(shape_of(source)) != 4:
        return None
    return placed(node, torch.ops.qat.normalize.default, source, [2, 3], 1, True, epsilon, gain, offset)


def _unit_vectors(node: fx.Node) -> fx.Node | None:
    """Spells `x / max(norm(x), epsilon)`, as `functional.normalize` does, whose mean square is a share of the sum."""
    source, divisor = node.args[:2]
    found = _norm_below(divisor)
    if found is None or found[0] is not source:
        return None
    _, axis, epsilon = found
    size = shape_of(source)[axis]
    own = placed(node, torch.ops.qat.normalize.default, source, [axis], 1, False, epsilon**2 / size, None, None)
    return placed(node, aten.mul.Tensor, own, 1 / sqrt(size))


def _norm_below(divisor: object) -> tuple[fx.Node, int, float] | None:
    """Returns the vectors, the axis and the least norm of `max(norm, epsilon)`."""
    if isinstance(divisor, fx.Node) and name_of(divisor) == "expand":
        divisor = divisor.args[0]
    if not isinstance(divisor, fx.Node) or divisor.op != "call_function":
        return None
    epsilon = 0.0
    if name_of(divisor) in ("clamp_min", "clamp"):
        epsilon, divisor = float(divisor.args[1]), operand(divisor)  # type: ignore[arg-type]
    if divisor.op != "call_function" or name_of(divisor) not in ("linalg_vector_norm", "norm"):
        return None
    source, order, axes, keeps = arguments(divisor, None, 2, None, False)
    if order != 2 or not isinstance(axes, Sequence) or len(axes) != 1 or not keeps:
        return None
    return source, axes[0] % len(shape_of(source)), epsilon


_SPELLINGS: Mapping[str, Callable[[fx.Node], fx.Node | None]] = {
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "div": _unit_vectors,
}


def _normalize(
    x: Tensor,
    axes: list[int],
    groups: int,
    is_centred: bool,
    epsilon: float,
    gain: Tensor | None,
    offset: Tensor | None,
) -> Tensor:
    return normalized(x, axes, groups, is_centred, epsilon, gain, offset)


_LIBRARY = torch.library.Library("qat", "FRAGMENT")  # type: ignore[no-untyped-call]
_LIBRARY.define(  # type: ignore[no-untyped-call]
    "normalize(Tensor x, int[] axes, int groups, bool is_centred, float epsilon, Tensor? gain, Tensor? offset)"
    " -> Tensor"
)
_LIBRARY.impl("normalize", _normalize, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
