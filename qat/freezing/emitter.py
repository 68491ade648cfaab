"""Defines what the walk over a captured net passes to an emitter, and what an emitter has to do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import fx

from mobile_sdk.contract import NetInput, TensorSpec
from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import TENSOR_INPUT, Head, Operator, Quantization, Reshape, Tensor
from qat.layers.box_decoder import Decoder
from qat.layers.integer_rounding import float32
from qat.layers.weighted import Normalization, Weighted
from qat.layers.window_share import WindowShare
from qat.steps import Kind, Step

Result_co = TypeVar("Result_co", covariant=True)

VALUES_OF = {"picture_codes": "picture_values", TENSOR_INPUT: "tensor_values"}
"""It maps the name of a graph's input to that of its values in float32."""
OWN_NAMES = frozenset({*VALUES_OF, *VALUES_OF.values(), "scores", "rgb"})  # tensors that no module computes


def input_tensor(source: NetInput) -> Tensor:
    """Returns the input of the graph of a net that reads `source`."""
    grid = Quantization(scale=float32(source.scale), zero_point=source.zero_point)
    name = TENSOR_INPUT if isinstance(source, TensorSpec) else "picture_codes"
    return Tensor(name=name, shape=source.shape, quantization=grid)


def tensor_name(node: fx.Node) -> str:
    """Returns the name of the tensor that a node computes, whatever the names of the net's modules.

    A node's own name holds no dot. All names that emitters and exporters add begin with one, or are among OWN_NAMES.
    """
    return f"{node.name}.own" if node.name in OWN_NAMES else node.name


def name_before(name: str) -> str:
    """Names the twin's value of an operator before the activation that follows it there and not in the program."""
    return f"{name}.before"


def name_of_pixel(name: str) -> str:
    """Names the map of one pixel that a linear layer gives as a convolution on a whole map."""
    return f"{name}.pixel"


@dataclass(frozen=True, kw_only=True)
class Pending:
    """Holds an operator whose output grid is not known yet: its quantizer comes later in the graph.

    `numbers` are weights and bias to be written in place of the layer's own; `share` computes a WINDOW_SHARE's values,
    `normalization` a NORMALIZE's,
    `values` are those of a CONSTANT, float32 of the step's shape.
    """

    step: Step
    operands: tuple[Any, ...]
    layer: Weighted | None = None
    activation: Kind | None = None
    numbers: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    share: WindowShare | None = None
    normalization: Normalization | None = None
    values: NDArray[np.float32] | None = None


def not_written(step: Step, what: str) -> CompileError:
    """Returns the error to raise for a kind of step that an emitter has no `what` for: a gap of this SDK."""
    found = f"expected a kind of step that has {what}, found {step.kind.name} at {step.path}"
    return CompileError(found, hint="docs/project/adding.md says what a new kind of step needs")


def heads_of(operators: list[Operator], outputs: Sequence[Tensor], names: Sequence[str]) -> tuple[Head, ...]:
    """Returns the outputs with their names, each a tensor of its own; scores alone have no name, and are no head.

    A copy is appended for the picture, and for a tensor that is an output already.
    """
    if not names:
        assert outputs[0] is operators[-1].output, "the scores are the last operator's output"
        return ()
    free, heads = {operator.output.name for operator in operators}, list[Head]()
    for name, output in zip(names, outputs, strict=True):
        tensor = output
        if output.name not in free:
            tensor = replace(output, name=f"{output.name}.output{len(heads)}")
            operators.append(Reshape(output=tensor, path="<root>", input=output))
        free.discard(output.name)
        heads.append(Head(name=name, tensor=tensor))
    return tuple(heads)


class Emitter(Protocol[Result_co]):
    """Writes operators into a graph. Values are the emitter's own; the walk only passes them on."""

    def picture(self) -> Any:
        """Returns the net's input."""
        ...

    def emit(self, name: str, pending: Pending, grid: Quantization) -> Any:
        """Returns the operator's output, materialised as tensor `name` on `grid`."""
        ...

    def pass_on(self, name: str, step: Step, value: Any, *, is_sole_user: bool) -> Any:
        """Returns the output of a step that keeps its input's grid."""
        ...

    def boxes(self, name: str, step: Step, predictions: tuple[Any, ...], decoder: Decoder) -> Any:
        """Returns a detector's output, in float32."""
        ...

    def finish(self, values: Sequence[Any], names: Sequence[str]) -> Result_co:
        """Returns the result of the walk, whose outputs are `values`; scores alone have no name."""
        ...
