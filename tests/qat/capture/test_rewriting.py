"""Rewriting keeps what a graph computes, brings pictures first, and leaves one spelling of every product and norm."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from qat.capture.constant_folding import fold_constants
from qat.capture.functional_export import exported
from qat.capture.rewriter import name_of, shape_of
from qat.capture.rewriting import rewrite
from tests.support.nets.transformers import NETS, WIDTH, transformer
from tests.support.tiny_nets import SIZE_PX, net, tensors

SHAPE = (3, SIZE_PX, SIZE_PX)
BATCH_NORM = torch.ops.aten._native_batch_norm_legit_no_training.default
COUNT = 2  # of the pictures that a net is exported with
OTHER_SPELLINGS = {"scaled_dot_product_attention", "bmm", "baddbmm", "einsum", "layer_norm", "rms_norm", "group_norm"}
FUNCTIONS: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "unit vectors": lambda self, x: F.normalize(x.flatten(2).transpose(1, 2), dim=-1),
    "instance norm": lambda self, x: F.instance_norm(x),
    "softmax over pixels": lambda self, x: x.flatten(2).softmax(1),
    "softmax over rows of pixels": lambda self, x: x.softmax(2),
    "softmax over channels": lambda self, x: x.softmax(1),
    "an equation": lambda self, x: torch.einsum("nchw,ndhw->ncdhw", x, x).sum((3, 4)),
    "an equation of matrices": lambda self, x: torch.einsum("ncp,ndp->ncd", x.flatten(2), x.flatten(2)),
    "a sum with a product": lambda self, x: torch.baddbmm(x[:, 0], x[:, 1], x[:, 2], beta=0.5, alpha=2.0),
    "heads that share a matrix": lambda self, x: x @ x[:, :1],
    "a mask that is added": lambda self, x: F.scaled_dot_product_attention(x, x, x, torch.eye(SIZE_PX), scale=0.3),
}


def batch_norm(*arguments: Any) -> Tensor:
    """The first of PyTorch's outputs, which capture reads alone."""
    normalised: Tensor = BATCH_NORM(*arguments)[0]
    return normalised


def both(user: nn.Module) -> tuple[fx.GraphModule, fx.GraphModule]:
    """The exported net, and one that was rewritten."""
    found = [exported(user, SHAPE)[0] for _ in range(2)]
    for module in found:
        fold_constants(module)
    rewrite(found[1].graph)
    for node in found[1].graph.find_nodes(op="call_function", target=torch.ops.aten.view.default):
        node.target = torch.ops.aten.reshape.default  # PyTorch's views need the memory's order, which capture does not
    for module in found:
        for node in module.graph.find_nodes(op="call_function", target=BATCH_NORM):
            node.target = batch_norm
        module.recompile()
    return found[0], found[1]


def of_functions() -> dict[str, Callable[[], nn.Module]]:
    return {name: lambda function=function: net(function) for name, function in FUNCTIONS.items()}  # type: ignore[misc]


ALL = {name: lambda name=name: transformer(name) for name in NETS} | of_functions()  # type: ignore[misc]


@pytest.mark.parametrize("name", ALL)
def test_a_rewritten_graph_computes_the_same_values(name: str) -> None:
    before, after = both(ALL[name]())
    pictures = tensors(COUNT)
    with torch.no_grad():
        torch.testing.assert_close(after(pictures), before(pictures), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETS)
def test_every_tensor_that_pictures_decide_has_them_first(name: str) -> None:
    _, after = both(transformer(name))
    decided: set[fx.Node] = set()
    for node in after.graph.nodes:
        if node.op == "placeholder" or decided.intersection(node.all_input_nodes):
            decided.add(node)
    shapes = {node.name: shape_of(node) for node in decided if node.op == "call_function"}
    assert len(shapes) > 5 and {shape[0] for shape in shapes.values()} == {COUNT}


@pytest.mark.parametrize("name", NETS)
def test_one_spelling_remains(name: str) -> None:
    _, after = both(transformer(name))
    assert not OTHER_SPELLINGS.intersection(name_of(node) for node in after.graph.nodes if node.op == "call_function")


def test_what_is_channels_last_stays_a_map() -> None:
    _, after = both(transformer("channels last"))
    moved = [node for node in after.graph.nodes if node.op == "call_function" and name_of(node) == "permute"]
    assert {shape_of(node) for node in moved} <= {(1, WIDTH, 1, 1)}  # the gain's
