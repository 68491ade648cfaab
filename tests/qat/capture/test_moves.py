"""Every way to move values in forward() is captured, equals the user's net in float, and is exact in both runtimes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, fx, nn
from torch.nn import functional as F

from mobile_sdk.errors import CaptureError
from mobile_sdk.graph.operators import ChannelSlice, Concat, Rearrange
from qat.capture.capture import capture
from qat.capture.readers.positions import take
from qat.capture.rewriter import Rewriter
from qat.preparation.preparation import prepare
from qat.steps import step_of
from tests.support.nets.users_nets import assert_equal_in_runtimes, assert_right
from tests.support.tiny_nets import CONTRACT, SIZE_PX, body, net, tensors

Operation = Callable[[Any, Tensor], Tensor]


def windows(x: Tensor, side: int) -> Tensor:
    """Rows of windows, merged with the pictures, as window attention has them."""
    batch, channels, height, width = x.shape
    x = x.view(batch, channels, height // side, side, width // side, side)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(-1, side * side, channels)


def from_windows(x: Tensor, batch: int, side: int, height: int) -> Tensor:
    x = x.view(batch, height // side, -1, side, side, x.shape[-1])
    return x.permute(0, 5, 1, 3, 2, 4).reshape(batch, x.shape[-1], height, -1)


ONE_STEP: dict[str, tuple[Operation, list[str]]] = {
    "tokens and back": (lambda self, x: x.flatten(2).transpose(1, 2).mT.reshape(x.shape), []),
    "windows and back": (lambda self, x: from_windows(windows(x, 4), x.shape[0], 4, x.shape[2]), []),
    "axes moved twice": (lambda self, x: x.movedim(1, -1).permute(0, 3, 1, 2), []),
    "a shuffle of views": (
        lambda self, x: x.view(-1, 3, 2, *x.shape[2:]).transpose(1, 2).reshape(x.shape),
        ["CHANNEL_SHUFFLE"],
    ),
    "a shuffle whose groups lie beside the pictures": (
        lambda self, x: x.view(len(x) * 3, 2, -1).view(len(x), 3, 2, -1).swapaxes(1, 2).reshape(x.shape),
        ["CHANNEL_SHUFFLE"],
    ),
    "pixel unshuffle": (lambda self, x: F.pixel_unshuffle(x, 2), ["REARRANGE"]),
    "pixel unshuffle by views": (
        lambda self, x: x.view(len(x), 6, x.shape[2] // 2, 2, -1, 2).permute(0, 1, 3, 5, 2, 4).flatten(1, 3),
        ["REARRANGE"],
    ),
    "a turned map": (lambda self, x: x.transpose(2, 3), ["REARRANGE"]),
    "a chunk of rows": (lambda self, x: x.chunk(2, 2)[1], ["CHANNEL_SLICE"]),
    "a slice of columns": (lambda self, x: x[..., 2:9], ["CHANNEL_SLICE"]),
    "a row": (lambda self, x: x.select(2, -1).unsqueeze(2), ["CHANNEL_SLICE"]),
    "joined rows": (lambda self, x: torch.cat([x, x], 2), ["CONCAT"]),
    "repeated columns": (lambda self, x: x.repeat(1, 1, 1, 2), ["REPEAT"]),
}


def operators_of(operation: Operation) -> list[str]:
    captured = capture(body(operation), SIZE_PX)
    kinds = [step.kind.name for node in captured.graph.nodes if (step := step_of(node)) is not None]
    assert (kinds[0], kinds[-2:]) == ("WEIGHTED", ["GLOBAL_MEAN", "WEIGHTED"])
    return kinds[1:-2]


@pytest.mark.parametrize("name", ONE_STEP)
def test_a_chain_of_moves_is_one_step_or_none(name: str) -> None:
    operation, kinds = ONE_STEP[name]
    assert operators_of(operation) == kinds


MOVES: dict[str, Operation] = {name: operation for name, (operation, kinds) in ONE_STEP.items() if kinds} | {
    "a part of rows of tokens": lambda self, x: x.flatten(2).mT[:, 8:].mT.reshape(len(x), 6, -1, 8),
    "pixel shuffle": lambda self, x: F.pixel_shuffle(torch.cat([x, F.relu(x)], 1), 2),
    "nearest by two": lambda self, x: F.interpolate(x, scale_factor=2),
    "nearest by three and two": lambda self, x: F.interpolate(x, size=(3 * x.shape[2], 2 * x.shape[3])),
    "nearest exact": lambda self, x: F.interpolate(x, scale_factor=2, mode="nearest-exact"),
    "nearest by one and a half": lambda self, x: F.interpolate(x, scale_factor=1.5),
    "nearest by half": lambda self, x: F.interpolate(x, scale_factor=0.5),
    "nearest of one axis": lambda self, x: F.interpolate(x.flatten(2), scale_factor=2).unflatten(2, (-1, 8)),
    "every second pixel": lambda self, x: x[:, :, ::2, 1::2],
    "every third and fifth": lambda self, x: x[:, ::4, ::3, 2::5],
    "focus": lambda self, x: torch.cat([x[..., a::2, b::2] for a in range(2) for b in range(2)], 1),
    "stacked and joined": lambda self, x: torch.stack([x, F.relu(x)], 2).flatten(1, 2),
    "parts in another order": lambda self, x: torch.stack(x.unbind(1)[::-1], 1),
    "reversed channels": lambda self, x: x.flip(1),
    "rolled": lambda self, x: x.roll((2, -3), (2, 3)),
    "channels by a list": lambda self, x: x[:, [4, 5, 1, 0]],
    "channels by index_select": lambda self, x: x.index_select(1, torch.tensor([3, 4, 5, 0, 1, 2])),
    "reflection": lambda self, x: F.pad(x, (1, 2, 3, 1), mode="reflect"),
    "replication": lambda self, x: F.pad(x, (1, 2, 0, 1), mode="replicate"),
    "circular padding": lambda self, x: F.pad(x, (1, 2, 0, 1), mode="circular"),
    "zeros around what a maximum reads": lambda self, x: F.max_pool2d(F.pad(x, (1, 0, 2, 1)), 3, 2),
    "zeros beside channels": lambda self, x: F.pad(x, (0, 0, 0, 0, 1, 3)) + x.repeat(1, 2, 1, 1)[:, 1:11],
    "zeros that a convolution and a sum read": lambda self, x: F.pad(x, (1, 1, 1, 1)).relu() + F.pad(x, (2, 0, 1, 1)),
    "rows taken away and columns added": lambda self, x: F.relu(F.pad(x, (2, 1, -1, -3))),
    "another number around a map": lambda self, x: F.pad(x, (1, 2, 0, 1), value=0.7),
    "repeated channels, each": lambda self, x: x.repeat_interleave(2, 1),
    "an expanded row": lambda self, x: x[:, :, :1].expand(-1, -1, 4, -1),
    "a vector of a map that others than linear layers read": lambda self, x: F.relu(x.flatten(1)).view(x.shape),
    "a part of a multiple beside it": lambda self, x: torch.cat([(x * 0.3)[:, 2:], x], 1),
    "computed on windows in the shape of the map": lambda self, x: from_windows(
        windows(F.hardswish(x), 4), len(x), 4, x.shape[2]
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_moved_values_are_exact_in_both_runtimes(name: str, tmp_path: Path) -> None:
    program, codes = assert_right(body(MOVES[name]))
    assert_equal_in_runtimes(program, codes, tmp_path)


@pytest.mark.parametrize("name", MOVES)
def test_training_moves_values_as_the_net_does(name: str) -> None:
    own = body(MOVES[name])
    prepared = prepare(own, CONTRACT).train()
    prepared.quantize(False)
    x = tensors(3)
    found = prepared(x)
    found.square().sum().backward()
    torch.testing.assert_close(found, own.train()(x), rtol=1e-3, atol=1e-3)
    assert all(parameter.grad is not None for parameter in prepared.parameters() if parameter.requires_grad)


def test_nearest_by_a_whole_factor_moves_nothing_but_joins_a_tensor_with_itself() -> None:
    program, _ = assert_right(body(MOVES["nearest by two"]))
    moves = [each for each in program.graph.operators if isinstance(each, Rearrange | Concat | ChannelSlice)]
    assert [type(each).__name__ for each in moves] == ["Rearrange", "Concat", "Rearrange", "Concat", "Rearrange"]
    assert all(each.stored == () for each in moves if isinstance(each, Rearrange))


REFUSED: dict[str, Operation] = {
    "windows that a norm by the batch would read": lambda self, x: F.relu(windows(x, 4)).mean().expand(len(x), 6, 4, 4),
    "a part of the pictures": lambda self, x: x[:1].expand_as(x),
    "pictures joined": lambda self, x: torch.cat([x, x], 0)[: len(x)],
}


@pytest.mark.parametrize("name", REFUSED)
def test_moves_between_pictures_are_refused(name: str) -> None:
    with pytest.raises(CaptureError, match="pictures"):
        capture(body(REFUSED[name]), SIZE_PX)


@settings(max_examples=80)
@given(
    positions=st.lists(st.integers(0, 5), min_size=1, max_size=9)
    | st.builds(lambda first, step: list(range(first, 6, step)), st.integers(0, 4), st.integers(1, 4))
    | st.builds(
        lambda base, times: [each for each in base for _ in range(times)], st.just([0, 1, 2]), st.integers(1, 3)
    ),
    axis=st.integers(1, 3),
)
def test_any_positions_along_any_axis_are_taken_as_pytorch_does(positions, axis):
    graph = fx.Graph()
    x = graph.placeholder("x")
    x.meta["val"] = torch.empty(2, 6, 6, 6)
    last = graph.call_function(torch.ops.aten.alias.default, (x,))
    last.meta["val"] = torch.empty(2, 6, 6, 6)
    taken = take(Rewriter(fx.GraphModule(nn.Module(), graph)), last, x, axis, positions)
    own = taken.graph
    for node in own.nodes:
        if node.target == torch.ops.aten.alias.default:
            node.args = (taken,)
            own.output(node)
    values = torch.arange(2 * 6 * 6 * 6).reshape(2, 6, 6, 6).float()
    found = fx.GraphModule(nn.Module(), own)(values)
    torch.testing.assert_close(found, values.index_select(axis, torch.tensor(positions)))


def test_a_vector_of_a_map_reads_as_pytorch_orders_it(tmp_path: Path) -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        scores: Tensor = self.head(torch.cat([F.avg_pool2d(self.stem(x), 8).flatten(1)] * 2, 1)[:, 3:])
        return scores

    program, codes = assert_right(net(forward, stem=nn.Conv2d(3, 6, 3, padding=1), head=nn.LazyLinear(5)))
    assert_equal_in_runtimes(program, codes, tmp_path)
