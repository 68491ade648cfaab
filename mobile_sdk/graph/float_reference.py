"""Executes the float32 twin in PyTorch, to compare the int8 reference with, tensor by tensor."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from mobile_sdk.graph.operators import Graph, Tensor
from mobile_sdk.graph.outputs import joined
from mobile_sdk.graph.reference import Reference, as_nets_read, batch_of, channels_last
from mobile_sdk.graph.rules import apply


def runner_of(graph: Graph) -> Callable[[NDArray[np.uint8]], NDArray[np.generic]]:
    """Returns the function that computes a graph's outputs for bytes (N, H, W, C): `run` of the reference for it."""
    return FloatReference(graph).run if graph.precision == "float32" else Reference(graph).run


class FloatReference:
    """Executes a float32 graph. `run` returns the scores, `trace` every tensor."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def run(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns scores for bytes (N, H, W, C): (N, *output shape), a map's channels last as in runtimes.

        Several outputs are records, as `mobile_sdk.graph.outputs` has them.
        """
        batch = batch_of(pictures)
        return np.concatenate([self._run(pictures[i : i + batch]) for i in range(0, len(pictures), batch)])

    def trace(self, pictures: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Returns values (N, *shape) of every float32 tensor by its name."""
        with torch.inference_mode():
            return {name: value.numpy() for name, value in self._execute(pictures)}

    def _run(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        traced = self.trace(pictures)
        outputs = zip(self.graph.output_names, self.graph.outputs, strict=True)
        return joined({name: channels_last(traced[tensor.name]) for name, tensor in outputs})

    def _execute(self, pictures: NDArray[np.uint8]) -> Iterator[tuple[str, torch.Tensor]]:
        values = {self.graph.input.name: as_nets_read(torch.from_numpy(pictures.astype(np.int16) - 128))}
        for operator in self.graph.operators:
            operands = [values[x.name] for x in operator.inputs if isinstance(x, Tensor)]
            result = apply(operator, *operands)
            result = result if operands else result.expand(len(pictures), *result.shape[1:])
            values[operator.output.name] = result
            yield operator.output.name, result
