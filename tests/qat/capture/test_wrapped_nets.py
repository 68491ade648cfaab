"""Nets as training leaves them: wrapped, exported, in other precisions; and what forward() does besides computing."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from qat.capture.capture import capture
from qat.preparation.preparation import prepare
from qat.steps import Kind, step_of
from tests.support.tiny_nets import CONTRACT, SIZE_PX, body, net


def plain():
    return net(
        lambda self, x: self.head(F.relu(self.stem(x)).mean((2, 3))), stem=nn.Conv2d(3, 6, 3), head=nn.Linear(6, 5)
    )


WRAPPED = {
    "in training": lambda: plain().train(),
    "DataParallel": lambda: nn.DataParallel(plain()),
    "compiled": lambda: torch.compile(plain()),
    "with a compiled part": lambda: net(
        lambda self, x: self.head(F.relu(self.stem(x)).mean((2, 3))),
        stem=torch.compile(nn.Conv2d(3, 6, 3)),
        head=nn.Linear(6, 5),
    ),
    "averaged": lambda: AveragedModel(plain()),
    "the module of an exported program": lambda: torch.export.export(plain(), (torch.zeros(2, 3, 16, 16),)).module(),
    "traced by torch.fx": lambda: torch.fx.symbolic_trace(plain()),
}


def kinds(captured):
    return [step.kind for node in captured.graph.nodes if (step := step_of(node)) is not None]


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")  # torch.compile's own
@pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning")  # torch.export's own
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_a_wrapped_net_is_the_net_inside(wrapped):
    captured = prepare(WRAPPED[wrapped](), CONTRACT).captured
    assert kinds(captured) == [Kind.WEIGHTED, Kind.RELU, Kind.GLOBAL_MEAN, Kind.WEIGHTED]


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16, torch.float64])
def test_a_net_of_another_precision_becomes_float32_with_a_word(precision, capsys):
    prepared = prepare(plain().to(precision), CONTRACT)
    assert all(parameter.dtype == torch.float32 for parameter in prepared.parameters())
    assert f"parameters become float32: some are {str(precision)[6:]}" in capsys.readouterr().err


class Part(nn.Module):
    """A layer and what forward() does around it."""

    def __init__(self, function) -> None:
        super().__init__()
        self.conv, self.function = nn.Conv2d(6, 6, 1), function

    def forward(self, x, mask=None, scale=1.0):
        return self.function(self, x) * scale


def without_autocast(self, x):
    with torch.autocast("cpu", enabled=False):
        return F.relu(self.conv(x.float()))


def without_gradients(self, x):
    with torch.no_grad():
        return F.relu(self.conv(x))


def asserting(self, x):
    torch._assert(x.shape[1] == 6, "six channels")
    torch._check(x.shape[2] > 2)
    assert x.ndim == 4
    return F.relu(self.conv(x))


def masked(self, x):
    mask = torch.zeros(x.shape[2:])
    mask[2:5] = 1
    return F.relu(self.conv(x)) * mask.masked_fill(mask != 0, 0.5).masked_fill(mask == 0, 2.0).mean()


def zeroed(self, x):
    x = self.conv(x).clone()
    x[:, 2] = 0.0
    return F.relu(x)


PARTS = {
    "autocast is off": without_autocast,
    "gradients are off": without_gradients,
    "shapes are asserted": asserting,
    "a mask is made from shapes": masked,
    "one channel is written": zeroed,
    "it is divided by the root of a size": lambda self, x: F.relu(
        self.conv(x) / torch.tensor(float(x.shape[1])).sqrt()
    ),
    "stochastic depth is off in eval()": lambda self, x: (
        F.relu(self.conv(x)) * (1.0 if not self.training else x.mean())
    ),
    "a type is taken from another tensor": lambda self, x: F.relu(self.conv(x).type_as(x)),
    "float64 comes between": lambda self, x: F.relu(self.conv(x).double()).float(),
    "memory lies channels last": lambda self, x: F.relu(self.conv(x.contiguous(memory_format=torch.channels_last))),
    "gradients are checkpointed": lambda self, x: F.relu(
        torch.utils.checkpoint.checkpoint(self.conv, x, use_reentrant=False)
    ),
}


@pytest.mark.parametrize("what", PARTS)
def test_what_forward_does_besides_leaves_its_layers(what):
    captured = capture(body(lambda self, x: self.part(x), part=Part(PARTS[what])), SIZE_PX)
    found = kinds(captured)
    assert Kind.RELU in found and set(found) <= {Kind.WEIGHTED, Kind.RELU, Kind.GLOBAL_MEAN, Kind.SCALE}
