"""Outputs of any number and shape: their names, what is left out of them, and what is refused."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from mobile_sdk.errors import CaptureError
from qat.capture.capture import LEFT_OUT, OUTPUT_NAMES, capture

SIZE_PX = 16


class Pair(NamedTuple):
    logits: Any
    aux: Any


@dataclass
class Found:
    boxes: Any
    extra: Any = None


class Net(nn.Module):
    """A convolution, of whose map `give` makes what the net returns."""

    def __init__(self, give):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.give = nn.Conv2d(3, 4, 3, stride=2, padding=1), give

    def forward(self, x):
        y = self.conv(x)
        return self.give(y, y.mean((2, 3)), x)


def captured(give):
    return capture(Net(give), SIZE_PX, any_outputs=True)


@pytest.mark.parametrize(
    ("names", "give"),
    [
        (("output_0",), lambda y, m, x: y),
        (("output_0", "output_1"), lambda y, m, x: (y, m)),
        (("output_0", "output_1"), lambda y, m, x: [m, y]),
        (("map", "mean"), lambda y, m, x: {"map": y, "mean": m}),
        (("logits", "aux"), lambda y, m, x: Pair(m, y)),
        (("boxes",), lambda y, m, x: Found(m)),
        (
            ("heads.0", "heads.1", "deep.map"),
            lambda y, m, x: {"heads": (m, m), "none": None, "deep": {"map": y}},
        ),
        (("output_0.logits", "output_0.aux", "output_1"), lambda y, m, x: (Pair(m, y), x)),
    ],
)
def test_outputs_are_named_by_keys_and_positions_however_they_are_nested(names, give):
    net = captured(give)
    outputs = net(torch.zeros(2, 3, SIZE_PX, SIZE_PX))
    assert net.meta[OUTPUT_NAMES] == names
    assert len(names) == (1 if isinstance(outputs, torch.Tensor) else len(outputs))


@pytest.mark.parametrize("give", [lambda y, m, x: {"scores": m}, lambda y, m, x: [m], lambda y, m, x: (m,)])
def test_scores_may_lie_alone_in_a_container(give):
    assert capture(Net(give), SIZE_PX)(torch.zeros(2, 3, SIZE_PX, SIZE_PX)).shape == (2, 4)


def test_a_softmax_is_left_out_of_its_own_output_and_a_sigmoid_is_computed():
    net = captured(lambda y, m, x: {"map": y.sigmoid(), "kind": m.softmax(1), "same": m})
    assert [(each.name, each.output) for each in net.meta[LEFT_OUT]] == [("softmax", 1)]
    maps, kind, same = net(torch.randn(2, 3, SIZE_PX, SIZE_PX))
    assert 0 < maps.min() < maps.max() < 1
    assert torch.equal(kind, same)


@pytest.mark.parametrize(
    ("found", "give"),
    [
        ("a tuple of 0", lambda y, m, x: ()),
        ("None", lambda y, m, x: None),
        ("int 3 as count", lambda y, m, x: {"map": y, "count": 3}),
        (r"one of shape \(2, 5\), which no picture changes as output_1", lambda y, m, x: (y, torch.ones(2, 5))),
        (r"one of shape \(2,\) as output_0", lambda y, m, x: m[:, 0]),
        ("'a.b'", lambda y, m, x: {"a.b": y, "a": {"b": m}}),
        (r"'two\\nlines'", lambda y, m, x: {"two\nlines": y}),
    ],
)
def test_what_is_no_output_of_a_picture_is_refused_by_its_name(found, give):
    with pytest.raises(CaptureError, match=found):
        captured(give)


def test_an_output_that_differs_from_the_nets_is_an_error():
    class Counting(nn.Module):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return x.mean((2, 3)), x * float(self.calls)

    with pytest.raises(CaptureError, match="expected the captured net to compute what the net does"):
        capture(Counting(), SIZE_PX, any_outputs=True)
