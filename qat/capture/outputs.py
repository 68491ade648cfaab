"""Takes the tensors that a net returns, however they are nested: in tuples, lists, dicts, named tuples, dataclasses."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from mobile_sdk.arguments import described
from mobile_sdk.errors import CaptureError
from qat.capture.rewriter import Rewriter, shape_of
from qat.steps import STEP, Kind

MOST_SIDES = 5  # of an output, its batch included
_LONGEST_NAME = 100


@dataclass(kw_only=True)
class Returned:
    """Holds what a net returned: the names of its tensors, in order, and a description of the whole."""

    names: tuple[str, ...] = ()
    is_lone: bool = True  # one tensor, and nothing around it
    found: str = "nothing"


def named_tensors(result: Any) -> dict[str, Tensor]:
    """Returns the tensors in a net's result by their names: `output_0` in a tuple, a key in a dict, dots in between.

    None is passed over. Raises CaptureError for two tensors of one name, and for anything that is no tensor.
    """
    named: dict[str, Tensor] = {}
    for names, tensor in _leaves(result, ()):
        name = ".".join(names) or "output_0"
        if name in named or not name.isprintable() or len(name) > _LONGEST_NAME:
            raise CaptureError(
                f"expected outputs with names of one line, each another, found {name[:_LONGEST_NAME]!r}",
                hint="return a dict with other keys",
            )
        named[name] = tensor
    return named


@contextmanager
def flat_outputs(net: nn.Module) -> Iterator[Returned]:
    """Makes `net` return a tuple of its tensors inside the block; what is yielded tells what it returned."""
    returned = Returned()

    def flatten(_net: nn.Module, _inputs: Any, result: Any) -> tuple[Tensor, ...] | None:
        returned.found, returned.is_lone = _described(result), isinstance(result, Tensor)
        named = named_tensors(result)
        returned.names = tuple(named)
        return tuple(named.values()) or None  # without a tensor the result stays as it is

    hook = net.register_forward_hook(flatten)
    try:
        yield returned
    finally:
        hook.remove()


def take_outputs(rewriter: Rewriter, returned: Returned, scores_of: Sequence[int] | None) -> None:
    """Makes the graph return one tensor, or a tuple of several; they are scores if the input's shape is given.

    Scores are (N, classes), a detector's (N, anchors, columns), or pixels'. Raises CaptureError for another result.
    """
    (output,) = rewriter.graph.find_nodes(op="output")
    if scores_of is None:
        _check_outputs(output.args[0], returned)
    else:
        _check_scores(output.args[0], scores_of, returned)
    results = [_computed(rewriter, output, result) for result in output.args[0]]
    output.args = (results[0] if len(results) == 1 else tuple(results),)


def _check_scores(results: Sequence[Any], shape: Sequence[int], returned: Returned) -> None:
    if len(results) != 1 or not _are_scores(results[0], shape):
        constant = ", which no picture changes" if _is_constant(results) else ""
        raise CaptureError(
            f"expected a net that returns one tensor (N, classes), found {returned.found}{constant}",
            hint=f"return the scores alone: flattened{_or_pixels(shape)}; any outputs fit the task features "
            "(--task features)",
        )


def _check_outputs(results: Sequence[Any], returned: Returned) -> None:
    """Raises CaptureError unless every output is a tensor with a batch and one to four more sides."""
    for name, result in zip(returned.names or ("output_0",), results, strict=False):
        if not isinstance(result, fx.Node) or result.op == "get_attr" or not 1 < len(shape_of(result)) <= MOST_SIDES:
            found = described(result)
            if isinstance(result, fx.Node):
                constant = ", which no picture changes" if result.op == "get_attr" else ""
                found = f"one of shape {shape_of(result)}{constant}"
            raise CaptureError(
                f"expected outputs (N, …) with one to {MOST_SIDES - 1} sides behind the batch, found {found} as {name}",
                hint="return tensors that the net computes from the picture",
            )
    if not returned.names:
        raise CaptureError(
            f"expected a net that returns a tensor, or several, found {returned.found}", hint="return some"
        )


def _is_constant(results: Sequence[Any]) -> bool:
    return len(results) == 1 and isinstance(results[0], fx.Node) and results[0].op == "get_attr"


def _computed(rewriter: Rewriter, output: fx.Node, result: fx.Node) -> fx.Node:
    """Returns the node of an output; for the picture itself, a node that computes it."""
    if result.op != "placeholder":
        return result
    with rewriter.graph.inserting_before(output):
        product = rewriter.graph.call_function(torch.ops.aten.mul.Tensor, (result, 1.0))
    product.meta = dict(result.meta)
    rewriter.mark(product, Kind.SCALE, constant=1.0)
    return product


def _are_scores(scores: Any, input_shape: Sequence[int]) -> bool:
    if not isinstance(scores, fx.Node) or scores.op == "get_attr":
        return False
    shape, step = shape_of(scores), scores.meta.get(STEP)
    is_map = len(shape) == 4 and shape[2:] == tuple(input_shape[1:])
    return is_map or len(shape) == (3 if step is not None and step.kind is Kind.BOXES else 2)


def _or_pixels(shape: Sequence[int]) -> str:
    return f", or (N, labels, {shape[1]}, {shape[2]}) for every pixel" if len(shape) == 3 else ""


def _leaves(result: Any, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    if isinstance(result, Tensor):
        yield names, result
    elif (parts := _parts(result, is_whole=not names)) is not None:
        for name, part in parts.items():
            yield from _leaves(part, (*names, name))
    elif result is not None and names:
        raise CaptureError(
            f"expected tensors as outputs, found {described(result)} as {'.'.join(names)}",
            hint="return tensors alone",
        )


def _parts(result: Any, *, is_whole: bool) -> dict[str, Any] | None:
    """Returns what a container holds, by name; None for anything else."""
    if isinstance(result, Mapping):
        return {str(key): value for key, value in result.items()}
    if hasattr(result, "_fields"):
        return dict(zip(result._fields, result, strict=True))
    if isinstance(result, list | tuple):
        return {f"output_{index}" if is_whole else str(index): each for index, each in enumerate(result)}
    if is_dataclass(result):
        return {field.name: getattr(result, field.name) for field in fields(result)}
    return None


def _described(result: Any) -> str:
    """Returns the structure of a net's result, each tensor as its shape."""
    if isinstance(result, Tensor):
        return f"one of shape {tuple(result.shape)}"
    if _parts(result, is_whole=True) is None:
        return described(result)
    shapes = _shapes(result)
    return f"a {type(result).__name__} of {len(shapes)}, of the shapes {shapes}"


def _shapes(result: Any) -> Any:
    parts = _parts(result, is_whole=True)
    if parts is None:
        return tuple(result.shape) if isinstance(result, Tensor) else result
    inside = [_shapes(part) for part in parts.values()]
    if isinstance(result, list):
        return inside
    is_tuple = isinstance(result, tuple) and not hasattr(result, "_fields")
    return tuple(inside) if is_tuple else dict(zip(parts, inside, strict=True))
