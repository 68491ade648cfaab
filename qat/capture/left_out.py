"""Leaves out of a captured net a softmax, sigmoid or argmax at its end, and dropout that is always on.

The scores before a last activation have the same top label, and phones need no more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, fx

from qat.capture.rewriter import name_of, path_of, shape_of

_ALONG_LABELS = ("softmax", "_softmax", "log_softmax", "_log_softmax", "argmax")
_PASSED = ("clone", "alias", "detach", "contiguous")


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Describes an operator that is left out: its name, its module's path, its function of the scores, and why.

    `output` is the position of the output that ends with it.
    """

    name: str
    path: str
    function: Callable[[Tensor], Tensor]
    why: str = "the scores are those before it, whose winners are the same"
    output: int = 0

    def __str__(self) -> str:
        return f"{self.name.strip('_')} at {self.path}: {self.why}"


def random_dropout(path: str) -> LeftOut:
    """Returns the description of dropout that is on in eval(), which makes the user's net random."""
    why = "it would be on in eval(), too (pass training=self.training to F.dropout)"
    return LeftOut(name="dropout", path=path, function=lambda scores: scores, why=why)


def leave_out_last_activations(graph: fx.Graph, *, keep_sigmoid: bool) -> tuple[LeftOut, ...]:
    """Makes the graph return, for each output, the input of its last softmax, log-softmax, sigmoid or argmax.

    Returns what it left out; of one output's, the first is computed first.
    """
    (output,) = graph.find_nodes(op="output")
    left_out: list[LeftOut] = []
    results = list(output.args[0])
    for index in range(len(results)):
        results[index], ended = _without_last(results[index], index, keep_sigmoid)
        left_out += ended
    output.args = (tuple(results),)
    graph.eliminate_dead_code()
    return tuple(left_out)


def _without_last(last: Any, index: int, keep_sigmoid: bool) -> tuple[Any, list[LeftOut]]:
    left_out: list[LeftOut] = []
    while isinstance(last, fx.Node) and last.op == "call_function":
        name = name_of(last)
        if (name == "sigmoid" and not keep_sigmoid) or (name in _ALONG_LABELS and _is_along_labels(last)):
            left_out.insert(0, LeftOut(name=name, path=path_of(last), function=_function(last), output=index))
        elif name not in _PASSED:
            break
        last = last.args[0]
    return last, left_out


def _is_along_labels(node: fx.Node) -> bool:
    axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    return isinstance(axis, int) and axis % len(shape_of(node.args[0])) == 1


def _function(node: fx.Node) -> Callable[[Tensor], Tensor]:
    target, rest, keywords = node.target, node.args[1:], dict(node.kwargs)
    return lambda x: target(x, *rest, **keywords)  # type: ignore[operator]
