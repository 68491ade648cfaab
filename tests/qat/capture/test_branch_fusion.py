"""Re-parameterised blocks: linear branches that are summed are one convolution, which computes what they compute."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from qat.capture.capture import capture
from qat.layers.weighted import Conv2d
from qat.steps import Kind, step_of
from tests.support.tiny_nets import SIZE_PX, body, tensors

CHANNELS = 6  # of the map that `body` gives to the block


def layer(kernel, *, after=CHANNELS, groups=1, stride=1, padding=None, dilation=1, act=nn.Identity):
    """A convolution with batch norm, and an activation."""
    padding = dilation * (kernel // 2) if padding is None else padding
    conv = nn.Conv2d(CHANNELS, after, kernel, stride, padding, dilation, groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), act())


def summed(*branches, sign=1.0):
    """A net whose block is the ReLU of the sum of its branches."""

    def operation(self, x):
        total = self.branches[0](x)
        for branch in self.branches[1:]:
            total = total + branch(x) if sign > 0 else total - branch(x)
        return F.relu(total)

    return body(operation, branches=nn.ModuleList(branches))


def steps_of(tiny):
    """The kinds of the steps between the stem and the head, and the block's layers; both nets compute the same."""
    captured = capture(tiny, SIZE_PX)
    for module in captured.modules():
        module.quantizing = False
    x = tensors(3, SIZE_PX)
    with torch.no_grad():
        expected, found = tiny(x), captured.eval()(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
    kinds = [step.kind for node in captured.graph.nodes if (step := step_of(node)) is not None]
    layers = [module for module in captured.modules() if isinstance(module, Conv2d)]
    return kinds[1 : kinds.index(Kind.GLOBAL_MEAN)], layers[1:]


ONE = [Kind.WEIGHTED, Kind.RELU]
BLOCKS = {
    "RepVGG's": lambda: summed(layer(3), layer(1), nn.BatchNorm2d(CHANNELS)),
    "RepVGG's, in groups": lambda: summed(layer(3, groups=2), layer(1, groups=2), nn.BatchNorm2d(CHANNELS)),
    "MobileOne's, depthwise, with a scale branch": lambda: summed(
        nn.BatchNorm2d(CHANNELS), layer(1, groups=CHANNELS), *(layer(3, groups=CHANNELS) for _ in range(4))
    ),
    "MobileOne's, of one pixel": lambda: summed(nn.BatchNorm2d(CHANNELS), *(layer(1) for _ in range(4))),
    "the input itself": lambda: summed(nn.Identity(), layer(3), layer(1)),
    "strides": lambda: summed(layer(3, stride=2), layer(1, stride=2)),
    "unequal kernels": lambda: summed(layer(7, groups=CHANNELS), layer(3, groups=CHANNELS), layer(5, groups=CHANNELS)),
    "other sides": lambda: summed(layer(3), nn.Conv2d(CHANNELS, CHANNELS, (1, 3), padding=(0, 1))),
    "a kernel off the centre": lambda: summed(
        layer(3), nn.Sequential(nn.ZeroPad2d((1, 0, 1, 0)), nn.Conv2d(CHANNELS, CHANNELS, 2))
    ),
    "dilated ones": lambda: summed(layer(3, dilation=2), layer(1), nn.Identity()),
    "fewer inputs a filter": lambda: summed(layer(3), layer(3, groups=3), layer(1, groups=CHANNELS)),
    "a difference": lambda: summed(layer(3), layer(1), nn.BatchNorm2d(CHANNELS), sign=-1.0),
    "a sum with a batch norm behind it": lambda: body(
        lambda self, x: F.relu(self.norm(self.wide(x) + self.narrow(x) + x)),
        wide=layer(3, groups=CHANNELS),
        narrow=nn.Conv2d(CHANNELS, CHANNELS, 1, groups=CHANNELS),
        norm=nn.BatchNorm2d(CHANNELS),
    ),
    "FastViT's mixer: x + gain * (mixer(x) - norm(x))": lambda: body(
        lambda self, x: F.relu(x + self.gain * ((self.wide(x) + self.narrow(x)) - self.norm(x))),
        wide=layer(3, groups=CHANNELS),
        narrow=layer(1, groups=CHANNELS),
        norm=nn.BatchNorm2d(CHANNELS),
        gain=nn.Parameter(torch.linspace(0.5, 1.5, CHANNELS).reshape(CHANNELS, 1, 1)),
    ),
    "branches that are stacked and summed": lambda: body(
        lambda self, x: F.relu(torch.stack([branch(x) for branch in self.branches]).sum(0)),
        branches=nn.ModuleList([layer(3), layer(1), nn.BatchNorm2d(CHANNELS)]),
    ),
    "two batch norms": lambda: body(
        lambda self, x: F.relu(self.norm(self.conv(x))), conv=layer(3), norm=nn.BatchNorm2d(CHANNELS)
    ),
    "a batch norm before a layer without padding": lambda: body(
        lambda self, x: F.relu(self.conv(self.norm(F.relu(x)))),
        conv=layer(3, groups=2, padding=0),
        norm=nn.BatchNorm2d(CHANNELS),
    ),
}


@pytest.mark.parametrize("block", BLOCKS)
def test_linear_branches_are_one_convolution(block):
    kinds, layers = steps_of(BLOCKS[block]())
    assert kinds[-2:] == ONE and len(layers) == 1, kinds


def test_a_fused_layer_is_named_after_the_block():
    tiny = body(lambda self, x: self.block(x), block=Block())
    captured = capture(tiny, SIZE_PX)
    assert "layers.block" in dict(captured.named_modules())


class Block(nn.Module):
    """A block of two branches."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = layer(3), layer(1)

    def forward(self, x):
        return self.wide(x) + self.narrow(x)


def test_a_branch_with_an_activation_stays_beside_the_others():
    kinds, layers = steps_of(summed(layer(3), layer(1), layer(3, act=nn.ReLU)))
    assert len(layers) == 2 and kinds.count(Kind.ADD) == 1


OTHERS = {
    "where one would cost more": lambda: summed(layer(1), layer(3, groups=CHANNELS)),
    "of other offsets": lambda: summed(layer(3), nn.Sequential(nn.ZeroPad2d((2, 0, 2, 0)), layer(3, padding=0))),
}


@pytest.mark.parametrize("what", OTHERS)
def test_branches_that_no_single_convolution_equals_at_their_cost_stay_two(what):
    kinds, layers = steps_of(OTHERS[what]())
    assert len(layers) == 2 and Kind.ADD in kinds


def test_a_branch_that_others_read_stays():
    tiny = body(
        lambda self, x: (lambda wide: F.relu(wide + self.narrow(x)) + wide)(self.wide(x)),
        wide=layer(3),
        narrow=layer(1),
    )
    _, layers = steps_of(tiny)
    assert len(layers) == 2


def test_a_batch_norm_before_a_padded_layer_stays_as_its_offset_does_not_reach_the_padding():
    tiny = body(lambda self, x: self.conv(self.norm(F.relu(x))), conv=layer(3), norm=nn.BatchNorm2d(CHANNELS))
    _, layers = steps_of(tiny)
    assert len(layers) == 2


def test_a_mean_of_stacked_maps_is_their_sum_and_a_factor():
    kinds, layers = steps_of(body(lambda self, x: torch.stack([F.relu(self.conv(x)), x], 1).mean(1), conv=layer(3)))
    assert kinds == [Kind.WEIGHTED, Kind.RELU, Kind.ADD, Kind.SCALE] and len(layers) == 1
