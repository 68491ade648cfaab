"""Transfers weights into a narrower net: of every width that shrinks, the most important channels stay.

NetAdapt (Yang et al. 2018, section 3.3) keeps the filters of largest magnitude. Here a batch norm follows every filter
and undoes its magnitude, so a channel's importance is the norm's output times the weights that read it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from qat.nets.architecture import Architecture
from qat.nets.blocks import make_divisible

State = Mapping[str, Tensor]

_NORM = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """Names a convolution or linear layer, the channels that it writes and reads (None: all stay), and its norm."""

    name: str
    outputs: str | None
    inputs: str | None
    norm: str | None = None


def carried(state: State, old: Architecture, new: Architecture) -> dict[str, Tensor]:
    """Returns the state of `new` from that of `old`, wired alike and nowhere narrower; equal if nothing shrank.

    The rest of a narrower expansion, and what reads it, does not change: only sums have fewer terms.
    """
    layers, sizes = tuple(_layers(old)), _sizes(new)
    kept = {
        name: _largest(_importance(name, state, layers), sizes[name])
        for name, size in _sizes(old).items()
        if sizes[name] != size
    }
    result = dict(state)
    for layer in layers:
        for key in (f"{layer.name}.weight", f"{layer.name}.bias"):
            if key in state:
                result[key] = _cut(state[key], kept.get(layer.outputs or ""), kept.get(layer.inputs or ""))
        if layer.norm:
            for part in _NORM:
                key = f"{layer.norm}.{part}"
                result[key] = _cut(state[key], kept.get(layer.outputs or ""), None)
    return result


def _layers(architecture: Architecture) -> Iterator[_Layer]:
    bottleneck = {
        block: f"bottleneck {index}" for index, group in enumerate(architecture.bottlenecks) for block in group
    }
    yield _normed("features.0", bottleneck[-1], None)
    for index, block in enumerate(architecture.blocks):
        name, read = f"features.{index + 1}.block", bottleneck[index - 1]
        expanded, at = (f"expansion {index}", 1) if architecture.expands(index) else (read, 0)
        if at:
            yield _normed(f"{name}.0", expanded, read)
        yield _normed(f"{name}.{at}", expanded, None)  # depthwise: each channel reads itself
        if block.has_se:
            at += 1
            yield _Layer(name=f"{name}.{at}.fc1", outputs=f"squeezed {index}", inputs=expanded)
            yield _Layer(name=f"{name}.{at}.fc2", outputs=expanded, inputs=f"squeezed {index}")
        yield _normed(f"{name}.{at + 1}", bottleneck[index], expanded)
    yield _normed(f"features.{len(architecture.blocks) + 1}", "last", bottleneck[len(architecture.blocks) - 1])
    yield _Layer(name="classifier.0", outputs="hidden", inputs="last")
    yield _Layer(name="classifier.3", outputs=None, inputs="hidden")


def _normed(name: str, outputs: str, inputs: str | None) -> _Layer:
    return _Layer(name=f"{name}.0", outputs=outputs, inputs=inputs, norm=f"{name}.1")


def _sizes(architecture: Architecture) -> dict[str, int]:
    """Returns the channels of every name in `_layers`."""
    sizes = {"last": architecture.last, "hidden": architecture.hidden}
    for index, group in enumerate(architecture.bottlenecks):
        sizes[f"bottleneck {index}"] = architecture.stem if group[0] < 0 else architecture.blocks[group[0]].channels
    for index, block in enumerate(architecture.blocks):
        if architecture.expands(index):
            sizes[f"expansion {index}"] = block.expanded
        if block.has_se:
            sizes[f"squeezed {index}"] = make_divisible(block.expanded / 4)
    return sizes


def _importance(name: str, state: State, layers: tuple[_Layer, ...]) -> Tensor:
    """Returns each channel's importance: its norms' gain, or its weights' norm without one, times its readers'."""
    writers = [layer for layer in layers if layer.outputs == name]
    norms = [state[f"{layer.norm}.weight"] for layer in writers if layer.norm]
    written = norms or [state[f"{layer.name}.weight"].flatten(1).norm(dim=1) for layer in writers]
    read = [
        state[f"{layer.name}.weight"].transpose(0, 1).flatten(1).norm(dim=1) for layer in layers if layer.inputs == name
    ]
    importance: Tensor = torch.stack(written).norm(dim=0) * torch.stack(read).norm(dim=0)
    return importance


def _largest(importance: Tensor, count: int) -> Tensor:
    """Returns the indices of the `count` largest, in their order; of equals the first."""
    ranked = torch.argsort(importance, descending=True, stable=True)
    return ranked[:count].sort().values


def _cut(weights: Tensor, outputs: Tensor | None, inputs: Tensor | None) -> Tensor:
    if outputs is not None:
        weights = weights.index_select(0, outputs)
    return weights if inputs is None or weights.ndim < 2 else weights.index_select(1, inputs)
