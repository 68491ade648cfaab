"""Computes the phone's results in PyTorch, element for element.

Codes are held centred (`q - zero_point`) in float32. That is exact: a float32 holds every integer below 2^24, and a
convolution whose accumulator could reach further is computed in float64.
"""

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from mobile_sdk.errors import SettingError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.checks.limits import check_graph
from mobile_sdk.graph.operators import Graph, Tensor
from mobile_sdk.graph.outputs import joined
from mobile_sdk.graph.rules import compile_operator

BATCH_PIXELS = 16 * 224 * 224  # computed at a time: enough work for a thread, a few layers' activations in the cache

_Number = TypeVar("_Number", bound=np.generic)


class Reference:
    """Executes an int8 or mixed graph. `run` returns the codes of the scores, `trace` those of every tensor.

    A tensor that is kept in float32 has its values in place of codes. Sums are exact. It raises CompileError for a
    graph beyond the runtimes' limits, as one whose sums could leave int32, where theirs wrap.
    """

    def __init__(self, graph: Graph) -> None:
        if graph.precision == "float32":
            raise SettingError("expected an int8 graph, found float32", hint="use FloatReference for the float32 twin")
        check_graph(graph)
        self.graph = graph
        self._steps = [compile_operator(operator) for operator in graph.operators]
        self._last_use = _last_uses(graph)

    def run(self, pictures: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Returns codes for bytes (N, H, W, C): (N, *output shape), a map's channels last as runtimes have them.

        The bytes of an array's codes are (N, *shape) if they are no map. Several outputs are records, as
        `mobile_sdk.graph.outputs` has them.
        """
        batch = batch_of(pictures)
        with torch.inference_mode():
            parts = [self._run(pictures[i : i + batch]) for i in range(0, len(pictures), batch)]
        return np.concatenate(parts)

    def trace(self, pictures: NDArray[np.uint8]) -> dict[str, NDArray[np.generic]]:
        """Returns codes (N, *shape) of every tensor by its name, including the input's."""
        with torch.inference_mode():
            return {tensor.name: _codes(tensor, value) for tensor, value in self._execute(pictures)}

    def _run(self, pictures: NDArray[np.uint8]) -> NDArray[np.generic]:
        outputs = self.graph.outputs
        found = {tensor: _codes(tensor, value) for tensor, value in self._execute(pictures) if tensor in outputs}
        named = zip(self.graph.output_names, outputs, strict=True)
        return joined({name: channels_last(found[tensor]) for name, tensor in named})

    def _execute(self, pictures: NDArray[np.uint8]) -> Iterator[tuple[Tensor, torch.Tensor]]:
        """Yields every tensor as it is computed; a value is dropped after its last use."""
        centre = 128 + arithmetic.quantization_of(self.graph.input).zero_point
        values = {self.graph.input.name: as_nets_read(torch.from_numpy(pictures.astype(np.float32)).sub_(centre))}
        yield self.graph.input, values[self.graph.input.name]
        for index, (operator, step) in enumerate(zip(self.graph.operators, self._steps, strict=True)):
            operands = [values[x.name] for x in operator.inputs if isinstance(x, Tensor)]
            result = step(*operands)
            values[operator.output.name] = result if operands else result.expand(len(pictures), *result.shape[1:])
            yield operator.output, values[operator.output.name]
            for name in self._last_use.get(index, ()):
                del values[name]


def batch_of(pictures: NDArray[np.uint8]) -> int:
    """Returns how many inputs are computed at a time."""
    return max(1, BATCH_PIXELS // max(1, pictures[0].size // pictures.shape[-1])) if len(pictures) else 1


def as_nets_read(stored: torch.Tensor) -> torch.Tensor:
    """Returns maps (N, H, W, C) as (N, C, H, W), which stay channels last in memory; anything else unchanged."""
    if stored.ndim != 4:
        return stored
    return stored.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def channels_last(values: NDArray[_Number]) -> NDArray[_Number]:
    """Returns maps (N, C, H, W) as (N, H, W, C); anything else unchanged."""
    return np.ascontiguousarray(values.transpose(0, 2, 3, 1)) if values.ndim == 4 else values


def _last_uses(graph: Graph) -> dict[int, list[str]]:
    """Returns operator index → names of the tensors that no later operator needs."""
    last = {graph.input.name: 0}
    for index, operator in enumerate(graph.operators):
        last |= {x.name: index for x in operator.inputs if isinstance(x, Tensor)}
    uses: dict[int, list[str]] = {}
    for name, index in last.items():
        uses.setdefault(index, []).append(name)
    return uses


def _codes(tensor: Tensor, centred: torch.Tensor) -> NDArray[np.generic]:
    if tensor.quantization is None:
        return centred.contiguous().numpy()
    codes = centred + arithmetic.quantization_of(tensor).zero_point
    return codes.to(torch.int8).contiguous().numpy()
