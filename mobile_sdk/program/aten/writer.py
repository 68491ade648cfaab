"""Writes the view of a graph as a `torch.export.ExportedProgram`, built by hand: nothing is traced."""

import re
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import torch
import torch.ao.quantization.fx._decomposed  # registers torch.ops.quantized_decomposed
import torch.utils._pytree as pytree
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export import ModuleCallEntry, ModuleCallSignature
from torch.export.graph_signature import (
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)

from mobile_sdk.graph import operators as ops
from mobile_sdk.program.aten.view import Buffer, Dtype, Input, Node, Value, View


def to_exported(graph: ops.Graph) -> torch.export.ExportedProgram:
    """Returns the canonical exported program of `graph`: input (1, 3, H, W) int8, output (1, classes) int8 or float32.

    Several outputs come as a tuple. Its buffers share no storage with `graph`.
    """
    builder, view = _Builder(graph), View(graph)
    builder.placeholder(view.input)
    for buffer in view.buffers:
        builder.buffer(buffer)
    for node in view.nodes:
        builder.call(node, view.stored.get(node))
    return builder.finish(view.outputs)


class _Builder:
    """Grows an fx graph node by node; each node's shape comes from running it on fake tensors."""

    def __init__(self, graph: ops.Graph) -> None:
        self._fake = FakeTensorMode(allow_non_fake_inputs=True)
        self._fx = torch.fx.Graph()
        self._buffers: dict[str, torch.Tensor] = {}
        self._inputs: list[InputSpec] = []
        self._made: dict[Value, torch.fx.Node] = {}
        self._example = torch.zeros((1, *graph.input.shape), dtype=torch.int8)

    def placeholder(self, value: Input) -> None:
        """Adds the program's input."""
        self._input = self._fx.placeholder(_identifier(value.name))
        self._input.meta["val"] = self._fake.from_tensor(self._example, static_shapes=True)
        self._made[value] = self._input

    def buffer(self, value: Buffer) -> None:
        """Adds a buffer before the input."""
        tensor = torch.from_numpy(value.array)
        with self._fx.inserting_before(self._input):
            node = self._fx.placeholder("b_" + _identifier(value.name))
        node.meta["val"] = self._fake.from_tensor(tensor, static_shapes=True)
        self._buffers[value.name] = tensor
        argument = TensorArgument(name=node.name)
        self._inputs.append(InputSpec(InputKind.BUFFER, argument, value.name, persistent=True))
        self._made[value] = node

    def call(self, value: Node, tensor: ops.Tensor | None) -> None:
        """Adds one node and computes its shape and dtype; raises ValueError if it is not shaped as its `tensor` is."""
        target = attrgetter(value.target)(torch.ops)
        arguments = tuple(map(self._argument, value.arguments))
        node = self._fx.call_function(target, arguments)
        with self._fake, torch.no_grad():
            node.meta["val"] = target(*torch.fx.map_arg(arguments, lambda operand: operand.meta["val"]))
        found = tuple(node.meta["val"].shape)
        if tensor is not None and found != (1, *tensor.shape):
            raise ValueError(f"tensor {tensor.name} is said to be {tensor.shape}, but its operator gives {found[1:]}")
        self._made[value] = node

    def finish(self, values: Sequence[Value]) -> torch.export.ExportedProgram:
        """Returns the program, which gives those values; the builder is not used afterwards."""
        results = tuple(self._made[value] for value in values)
        self._fx.output(results)
        inputs = [*self._inputs, InputSpec(InputKind.USER_INPUT, TensorArgument(name=self._input.name), None)]
        outputs = [OutputSpec(OutputKind.USER_OUTPUT, TensorArgument(name=result.name), None) for result in results]
        root = torch.fx.GraphModule(torch.nn.Module(), self._fx)
        return torch.export.ExportedProgram(
            root=root,
            graph=self._fx,
            graph_signature=ExportGraphSignature(input_specs=inputs, output_specs=outputs),
            state_dict=dict(self._buffers),
            range_constraints={},
            module_call_graph=[_call_signature(self._example, self._input.name, len(results))],
            example_inputs=((self._example,), {}),
            constants={},
        )

    def _argument(self, argument: Any) -> Any:
        if isinstance(argument, list):
            return [self._argument(each) for each in argument]
        if isinstance(argument, Dtype):
            return getattr(torch, argument.name)
        return self._made[argument] if isinstance(argument, Value) else argument


def _call_signature(example: torch.Tensor, name: str, outputs: int) -> Any:
    _, in_spec = pytree.tree_flatten(((example,), {}))
    _, out_spec = pytree.tree_flatten(example if outputs == 1 else (example,) * outputs)
    signature = ModuleCallSignature(inputs=[], outputs=[], in_spec=in_spec, out_spec=out_spec, forward_arg_names=[name])
    return ModuleCallEntry(fqn="", signature=signature)


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)
