"""Small nets made at random, as people write them.

`python -m tests.support.nets.written_nets FIRST COUNT` tries more of them.

A seed gives one net of a few operations: convolutions of every kind, views, writes into slices, in-place operators,
functional forms, odd sizes, extreme weights.
"""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import SdkError
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import Graph
from mobile_sdk.graph.reference import Reference
from mobile_sdk.memory.limit import within
from mobile_sdk.memory.usage import peak_bytes
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.data.picture_set import PictureSet, normalised
from qat.freezing.freezing import float_twin

TWIN_DB = 60.0  # of the float twin against the user's net: float32 alone


class Step(nn.Module):
    """One operation on a map, and what it needs."""

    def __init__(self, function: Callable[[Any, Tensor], Tensor], **modules: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the function's result."""
        return self.function(self, x)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Holds the result for a random net: refused in words, or right; `fault` describes the error."""

    refusal: str = ""
    fault: str = ""


class _Dice:
    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def one(self, *choices: Any) -> Any:
        return choices[int(self.random.integers(len(choices)))]

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)


def random_net(seed: int) -> tuple[nn.Module, Contract]:
    """The net of this seed, in eval(), and its contract."""
    torch.manual_seed(seed)
    dice = _Dice(seed)
    size_px, labels = dice.one(8, 13, 16, 21, 24), dice.one(2, 3, 5)
    is_map = dice.chance(0.15)
    steps: list[nn.Module] = []
    x = torch.zeros(2, 3, size_px, size_px)
    for _ in range(dice.one(2, 3, 4, 5, 6)):
        step = dice.one(*_STEPS)(dice, x.shape[1:])
        try:
            y = step.eval()(x.clone())
        except RuntimeError:  # a window larger than the map, for one
            continue
        if y.numel() and y.shape[1] <= 64 and y.shape[2] <= 32:
            steps.append(step)
            x = y
    steps.append(_map_head(labels, x.shape[1], size_px) if is_map else _head(dice, labels, x.shape[1:]))
    net = nn.Sequential(*steps)
    _fill(net, dice)
    image = dice.one(ImageSpec(size_px=size_px), ImageSpec(size_px=size_px), ImageSpec.torchvision(size_px))
    names = tuple(f"label {index}" for index in range(labels))
    task = "segmentation" if is_map else "classification"
    return net.eval(), Contract(name="random", task=task, labels=names, image=image)


def judged(seed: int, folder: Path) -> Outcome:
    """Quantizes the net of this seed and holds the program to the net, and both runtimes to the program."""
    net, contract = random_net(seed)
    dice, pictures = _Dice(seed + 1), _pictures(contract.image.size_px, seed)
    kept = [name for name, module in net.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    keep = [dice.one(*kept)] if kept and dice.chance(0.25) else []
    try:
        program = quantize(net, contract, _set(pictures), CalibrationPlan.extremes(), keep_float=keep)
        twin = float_twin(net, contract).graph
        graph = program.graph
        if graph.is_int8 and dice.chance(0.3):
            graph = within(graph, int(peak_bytes(graph) * 0.9))
    except SdkError as error:
        is_one_line = "\n" not in f"{error.message}{error.hint}" and error.hint
        return Outcome(refusal=error.message, fault="" if is_one_line else f"more than one line: {error}")
    if contract.image.is_uniform and (fault := _twin_fault(net, twin, contract, pictures)):
        return Outcome(fault=fault)
    program.save(folder / "program.pt2")
    if Program.load(folder / "program.pt2").digest() != program.digest():
        return Outcome(fault="the saved program is another one")
    if not np.array_equal(*(Reference(each).run(pictures) for each in (program.graph, graph))):
        return Outcome(fault="strips compute other scores")
    for runtime in (ExecuTorchRuntime(), TfliteRuntime()):
        if fault := _runtime_fault(runtime, graph, contract, pictures, folder):
            return Outcome(fault=fault)
    return Outcome()


def _twin_fault(net: nn.Module, twin: Graph, contract: Contract, pictures: np.ndarray) -> str:
    values = normalised(torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2), contract.image)
    with torch.no_grad():
        wanted = net(values.contiguous()).numpy().astype(np.float64)
    wanted = wanted.transpose(0, 2, 3, 1) if wanted.ndim == 4 else wanted
    noise = np.square(FloatReference(twin).run(pictures) - wanted).sum()
    signal = np.square(wanted).sum()
    return f"the twin is at {10 * np.log10(signal / noise):.1f} dB" if noise > signal * 10 ** (-TWIN_DB / 10) else ""


def _runtime_fault(runtime: Any, graph: Graph, contract: Contract, pictures: np.ndarray, folder: Path) -> str:
    path, wanted = folder / runtime.model_file, Reference(graph).run(pictures)
    try:
        face = runtime.export(graph, contract, path)
    except SdkError as error:
        return f"{runtime.name} refuses what was frozen: {error}"
    session = runtime.load(path, face, threads=1)
    found = np.stack([session.run(picture) for picture in pictures]).reshape(wanted.shape)
    session.close()
    partitions = runtime.structure(path).partitions
    if partitions != 1:
        return f"{runtime.name}: {partitions} partitions"
    differing = int((found != wanted).sum())
    is_bound = not runtime.requirement(graph).exact
    if is_bound and np.allclose(found, wanted, rtol=1e-3, atol=1e-4 * float(np.abs(wanted).max())):
        return ""
    return f"{runtime.name}: {differing} of {wanted.size} scores differ" if differing else ""


def _pictures(size_px: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (4, -(-size_px // 4), -(-size_px // 4), 3)).repeat(4, 1).repeat(4, 2)
    blots = coarse[:, :size_px, :size_px] * 0.8 + random.integers(0, 50, (4, size_px, size_px, 3))
    noise = random.integers(0, 2, (1, size_px, size_px, 3)) * 255
    flat = [np.full((1, size_px, size_px, 3), value) for value in (0, 255)]
    return np.concatenate([blots, noise, *flat]).astype(np.uint8)


def _set(pictures: np.ndarray) -> PictureSet:
    return PictureSet(sources=tuple(pictures), targets=(0,) * len(pictures))


def _fill(net: nn.Module, dice: _Dice) -> None:
    """Statistics of no special case; now and then weights of another magnitude."""
    magnitude = 10 ** float(dice.random.uniform(-3, 2)) if dice.chance(0.3) else 1.0
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.3, 2.0)
                if module.affine:
                    module.weight.uniform_(-0.2, 1.5)
                    module.bias.normal_(0, 0.3)
            elif isinstance(module, nn.Conv2d | nn.Linear):
                module.weight.mul_(magnitude)


# -- operations: each takes the dice and the map's shape (C, H, W)

Shape = tuple[int, int, int]


def _convolution(dice: _Dice, shape: Shape) -> nn.Module:
    channels, kernel = shape[0], dice.one(1, 2, 3, 3, 5, (3, 1), (2, 3))
    outputs = dice.one(4, 6, 8, channels, 2 * channels)
    groups = dice.one(1, 1, 1, channels, 2)
    if channels % groups or outputs % groups:
        groups = 1
    stride, padding = dice.one(1, 1, 2, (2, 1)), dice.one(0, 1, 2, (1, 0))
    layer = nn.Conv2d(
        channels, outputs, kernel, stride, padding, dilation=dice.one(1, 1, 2), groups=groups, bias=dice.chance(0.5)
    )
    parts: list[nn.Module] = [nn.ZeroPad2d((0, 1, 0, 1)), layer] if dice.chance(0.2) else [layer]
    if dice.chance(0.5):
        parts.append(nn.BatchNorm2d(outputs, affine=dice.chance(0.8)))
    return nn.Sequential(*parts, dice.one(*_ACTIVATIONS)())


def _depthwise(dice: _Dice, shape: Shape) -> nn.Module:
    kernel = dice.one(3, 5, 7)
    layer = nn.Conv2d(shape[0], shape[0] * dice.one(1, 1, 2), kernel, dice.one(1, 2), kernel // 2, groups=shape[0])
    return nn.Sequential(layer, dice.one(*_ACTIVATIONS)())


_ACTIVATIONS = (
    nn.Identity,
    nn.ReLU,
    lambda: nn.ReLU(inplace=True),
    nn.ReLU6,
    lambda: nn.Hardswish(inplace=True),
    nn.Hardsigmoid,
    lambda: Step(lambda self, x: x.clamp(min=0)),
    lambda: Step(lambda self, x: x.clamp_(0, 6)),
    lambda: Step(lambda self, x: x * F.relu6(x + 3) / 6),
    lambda: Step(lambda self, x: F.relu6(x + 3.0).div_(6.0)),
    lambda: nn.Dropout(0.2),
    nn.Sigmoid,
    nn.Tanh,
    lambda: nn.SiLU(inplace=True),
    nn.Mish,
    nn.GELU,
    nn.ELU,
    lambda: nn.LeakyReLU(0.1, inplace=True),
    nn.Softplus,
    lambda: nn.Hardtanh(-0.7, 1.2),
    lambda: Step(lambda self, x: x.clamp(min=-0.3).abs()),
)


def _activation(dice: _Dice, shape: Shape) -> nn.Module:
    made: nn.Module = dice.one(*_ACTIVATIONS)()
    return made


def _residual(dice: _Dice, shape: Shape) -> nn.Module:
    inner = nn.Conv2d(shape[0], shape[0], dice.one(1, 3), padding="same")
    join: Callable[[Any, Tensor], Tensor] = dice.one(
        lambda self, x: x + self.inner(x),
        lambda self, x: self.inner(x).add_(x),
        lambda self, x: x - self.inner(x),
        lambda self, x: torch.add(x, self.inner(x), alpha=0.5),
        lambda self, x: x + self.gamma * self.inner(x),
        lambda self, x: torch.cat([x, F.relu(self.inner(x))], 1),
        lambda self, x: x * F.hardsigmoid(self.inner(x)),
        lambda self, x: x * torch.sigmoid(self.inner(x)),
    )
    return Step(join, inner=inner, gamma=nn.Parameter(torch.randn(shape[0], 1, 1)))


def _gate_by_map(self: Any, x: Tensor) -> Tensor:
    return x * F.hardsigmoid(self.widen_map(F.relu(self.narrow_map(x.mean((2, 3), keepdim=True)))))


def _gate_by_vector(self: Any, x: Tensor) -> Tensor:
    gate = self.widen(F.relu(self.narrow(F.adaptive_avg_pool2d(x, 1).view(x.size(0), -1))))
    return x * F.hardsigmoid(gate).view(x.size(0), -1, 1, 1)


def _gate(dice: _Dice, shape: Shape) -> nn.Module:
    channels = shape[0]
    return Step(
        dice.one(_gate_by_map, _gate_by_vector),
        narrow_map=nn.Conv2d(channels, 2, 1),
        widen_map=nn.Conv2d(2, channels, 1),
        narrow=nn.Linear(channels, 2),
        widen=nn.Linear(2, channels),
    )


def _pool(dice: _Dice, shape: Shape) -> nn.Module:
    kernel, padding = dice.one((2, 0), (3, 1), (3, 0), ((2, 3), (1, 1)))
    stride, ceil = dice.one(1, 2), dice.chance(0.4)
    pools = (
        nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil),
        nn.AvgPool2d(kernel, stride, padding, ceil_mode=ceil, count_include_pad=dice.chance(0.5)),
        nn.AdaptiveAvgPool2d(dice.one(1, 2, 4)),
        nn.AdaptiveMaxPool2d(dice.one(1, 2, 4)),
        Step(lambda self, x: x.amax((2, 3), keepdim=True) + x),
        nn.Upsample(scale_factor=2, mode="bilinear"),
    )
    pool: nn.Module = dice.one(*pools)
    return pool


def _write(channels: slice, value: Callable[[Any, Tensor], Any], copies: bool) -> Callable[[Any, Tensor], Tensor]:
    def function(self: Any, x: Tensor) -> Tensor:
        x = x.clone() if copies else x * 1.5
        x[:, channels] = value(self, x[:, channels])
        return x

    return function


def _add_in_place(self: Any, x: Tensor) -> Tensor:
    x = x * 0.5
    a, b = x.chunk(2, 1)
    if a.shape == b.shape:
        b += a
    return x


def _rectify_in_place(self: Any, x: Tensor) -> Tensor:
    y = x + 0.25
    y[:, : x.size(1) // 2].relu_()
    return y


def _shuffle(self: Any, x: Tensor) -> Tensor:
    if x.size(1) % 2:
        return x
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


def _rearrangement(dice: _Dice, shape: Shape) -> nn.Module:
    part = max(1, shape[0] // 2)
    inner = nn.Conv2d(part, part, 3, padding=1)
    return Step(
        dice.one(
            _write(slice(0, part), lambda self, y: self.inner(y), dice.chance(0.5)),
            _write(slice(shape[0] - part, None), lambda self, y: F.relu(y) * 2, dice.chance(0.5)),
            _write(slice(0, part), lambda self, y: 0.5, dice.chance(0.5)),
            _add_in_place,
            _rectify_in_place,
            _shuffle,
            lambda self, x: torch.cat(list(x.split(self.inner.in_channels, 1))[::-1], 1),
            lambda self, x: torch.cat([x[:, :1], x * 2, F.relu(x)], 1),
        ),
        inner=inner,
    )


def _arithmetic(dice: _Dice, shape: Shape) -> nn.Module:
    gain = nn.Parameter(torch.randn(1, shape[0], 1, 1))
    return Step(
        dice.one(
            lambda self, x: x * self.gain,
            lambda self, x: x + self.gain,
            lambda self, x: 1.5 - x,
            lambda self, x: -x,
            lambda self, x: (x - 0.4) / 0.7,
            lambda self, x: x * 1e-3,
            lambda self, x: x * x,
            lambda self, x: x.clone().mul_(0.5).add_(0.1),
        ),
        gain=gain,
    )


_STEPS = (
    *(_convolution, _convolution, _convolution, _depthwise, _residual),
    *(_gate, _pool, _rearrangement, _arithmetic, _activation),
)


def _head(dice: _Dice, labels: int, shape: Shape) -> nn.Module:
    channels, pixels = shape[0], shape[1] * shape[2]
    linear = nn.Linear(channels, labels)
    forms: tuple[Callable[[], nn.Module], ...] = (
        lambda: Step(lambda self, x: self.last(x.mean((2, 3))), last=linear),
        lambda: Step(lambda self, x: self.last(x.mean(3).mean(2)), last=linear),
        lambda: Step(lambda self, x: self.last(x.view(x.size(0), x.size(1), -1).mean(2)), last=linear),
        lambda: Step(lambda self, x: self.last(F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1)), last=linear),
        lambda: Step(
            lambda self, x: self.last(x.reshape(x.size(0), -1)), last=nn.Linear(channels * pixels, labels)
        ),
        lambda: nn.Sequential(
            nn.AdaptiveAvgPool2d((3, 2)), nn.Flatten(), nn.Dropout(), nn.Linear(6 * channels, 8), nn.BatchNorm1d(8),
            nn.ReLU(), nn.Linear(8, labels),
        ),
        lambda: Step(
            lambda self, x: self.last(self.norm(torch.flatten(F.adaptive_max_pool2d(x, 1), 1))),
            last=linear, norm=nn.BatchNorm1d(channels),
        ),
        lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, labels, 1), nn.Flatten()),
        lambda: Step(
            lambda self, x: self.last(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)),
            last=nn.Linear(2 * channels, labels),
        ),
    )  # fmt: skip
    head: nn.Module = dice.one(*forms)()
    return head


def _map_head(labels: int, channels: int, size_px: int) -> nn.Module:
    """Scores a pixel: from one pixel, whatever the map's size."""
    last = nn.Conv2d(channels, labels, 1)
    return Step(
        lambda self, x: F.interpolate(self.last(x.mean((2, 3), keepdim=True)), (size_px, size_px), mode="bilinear"),
        last=last,
    )


if __name__ == "__main__":
    first, amount = (int(argument) for argument in sys.argv[1:3])
    refused = 0
    for number in range(first, first + amount):
        with tempfile.TemporaryDirectory() as scratch:
            outcome = judged(number, Path(scratch))
        refused += bool(outcome.refusal)
        if outcome.refusal or outcome.fault:
            print(number, outcome.fault or f"refused: {outcome.refusal}", flush=True)
    print(f"{amount} nets, {refused} refused")
