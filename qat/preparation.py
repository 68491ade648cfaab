"""`prepare`: a float net becomes its fake-quantized copy, with ordinary `train()` and `eval()`."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, fx, nn

from mobile_sdk.arguments import expect_each
from mobile_sdk.contract import Contract
from mobile_sdk.errors import CaptureError
from qat.arguments import expect_contract, expect_float_net
from qat.capture import LEFT_OUT, capture
from qat.fake_quant import TensorQuantizer
from qat.fusion import fused
from qat.kept_layers import find_layers, float_parts
from qat.layers import HardSwish, Weighted
from qat.layout import ChannelsLast, channels_last
from qat.left_out import LeftOut
from qat.net_copy import copy_net
from qat.normalisation import fold_normalisation
from qat.output_fit import check_output
from qat.picture_set import PictureSet
from qat.pt2e import prepare_qat_pt2e
from qat.quantizer import MobileQuantizer
from qat.resizing import give_grids
from qat.rewriter import path_of

COMPARED = 4  # pictures

_Part = TypeVar("_Part", bound=nn.Module)


class FakeQuantNet(ChannelsLast):
    """A net that computes on the int8 grids that the phone will use, in float, so that it can be trained.

    Takes the float net's own inputs: `(byte - mean_byte) / std_byte`, (N, 3, H, W). Inside, pictures are on the integer
    net's one grid for all channels, and the first convolution has what differs between the channels folded into it.
    """

    gain: Tensor
    shift: Tensor

    def __repr__(self) -> str:
        """What it is, in one line; `print(net.captured)` shows its modules."""
        kept = f", {len(self.kept)} layers kept in float" if self.kept else ""
        return f"FakeQuantNet({self.contract.name!r}, {len(self.contract.labels)} labels{kept})"

    def __init__(
        self,
        captured: fx.GraphModule,
        contract: Contract,
        kept: frozenset[str] = frozenset(),
        left_out: Sequence[LeftOut] = (),
    ) -> None:
        super().__init__()
        self.contract = contract
        self.left_out = tuple(left_out)  # the last operators of the user's net, which this one does without
        self.kept = kept  # the layers that stay in float32
        image = contract.image
        gain = torch.tensor(image.std_byte) / image.step_byte
        shift = (torch.tensor(image.mean_byte) - image.pad_byte) / image.step_byte
        self.register_buffer("gain", gain.reshape(3, 1, 1), persistent=False)
        self.register_buffer("shift", shift.reshape(3, 1, 1), persistent=False)
        self.captured = captured
        self._in_training = (fused(captured),)  # a tuple: its modules are `captured`'s, and listed there

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, classes)."""
        x = self.on_one_grid(x)
        scores: Tensor = self._in_training[0](x) if self.training else self.captured(x)
        return scores

    def on_one_grid(self, x: Tensor) -> Tensor:
        """The pictures as the captured net reads them."""
        x = channels_last(x)
        return x if self.contract.image.is_uniform else x * self.gain + self.shift

    def learn_steps(self) -> None:
        """Makes parameters, from where they stand, of every range's ends and of the steps of all weights.

        To be called before the optimizer is made. What mathematics fixes stays: zero is a code, a ReLU begins at it,
        the 6 of a ReLU6 may only come down. They move only in the phase `at(…, learn_steps=True)`, never else.
        """
        for quantizer in self._parts(TensorQuantizer):
            quantizer.learn()
        for layer in self._parts(Weighted):
            layer.learn()
        for parameter in self.step_parameters():
            parameter.requires_grad_(True)

    def step_parameters(self) -> list[nn.Parameter]:
        """What `learn_steps` made: ends (scalars) and weights' steps (O,), which want no weight decay."""
        ends = [getattr(part, name) for part in self._parts(TensorQuantizer) for name in ("low", "high")]
        scales = [layer.scales for layer in self._parts(Weighted)]
        return [value for value in (*ends, *scales) if isinstance(value, nn.Parameter)]

    def followed_ranges(self) -> list[tuple[Tensor, Tensor]]:
        """The ends `(low, high)` of every range that a training step moves, as they stand."""
        return [(part.low, part.high) for part in self._parts(TensorQuantizer) if part.is_following]

    def at(self, *, freeze_observers: bool, freeze_batch_norm: bool, learn_steps: bool = False) -> None:
        """Moves the net along its schedule: which ranges and statistics still follow the data.

        Ranges first follow it, then are learned (observers frozen, `learn_steps`), then stand still: without either,
        steps get no gradients, and an optimizer leaves them where they are.
        """
        for quantizer in self._parts(TensorQuantizer):
            quantizer.observing = not freeze_observers
            quantizer.learning = learn_steps
        for layer in self._parts(Weighted):
            layer.learning = learn_steps
            layer.statistics_frozen = freeze_batch_norm
            layer.train(layer.training)
        for parameter in self.step_parameters():
            parameter.requires_grad_(learn_steps)

    def calibrate(self, enabled: bool) -> None:
        """Switches calibration: values stay float and every range widens to the extremes that it sees."""
        for quantizer in self._parts(TensorQuantizer):
            quantizer.calibrating = enabled
        self.quantize(not enabled)

    def check_ranges(self) -> None:
        """Raises CaptureError, naming the module, where a value that was seen is not finite."""
        for node in self.captured.graph.nodes:
            quantizer = self.captured.get_submodule(str(node.target)) if node.op == "call_module" else None
            if isinstance(quantizer, TensorQuantizer) and not (quantizer.low.isfinite() and quantizer.high.isfinite()):
                path = path_of(node.all_input_nodes[0])
                raise CaptureError(
                    f"expected finite numbers from {path}, found NaN or infinity on a picture",
                    hint="look at its weights: a training that diverged leaves such ones",
                )

    def widen(self, factor: float) -> None:
        """Moves both ends of every range outwards, but those that mathematics fixes."""
        for quantizer in set(self._parts(TensorQuantizer)):
            if quantizer.bounds.low is None:
                quantizer.low.mul_(factor)
            if quantizer.bounds.high is None:
                quantizer.high.mul_(factor)

    def quantize(self, enabled: bool) -> None:
        """Switches all rounding on, or off: off, the net is the float net again."""
        kinds: tuple[type[TensorQuantizer | Weighted | HardSwish], ...] = (TensorQuantizer, Weighted, HardSwish)
        for kind in kinds:
            for part in self._parts(kind):
                part.quantizing = enabled
        for part in float_parts(self.captured, self.kept):
            part.quantizing = False

    def _parts(self, kind: type[_Part]) -> Iterable[_Part]:
        return (module for module in self.captured.modules() if isinstance(module, kind))


def prepare(
    net: nn.Module, contract: Contract, *, keep_float: Sequence[str] = (), pictures: PictureSet | None = None
) -> FakeQuantNet:
    """A fake-quantized copy of `net`, weights and statistics carried over; `net` stays as it is.

    The layers named in `keep_float` (a layer's module path, or a module's for all in it) stay in float32, there and in
    the program that is frozen from it. What was captured is compared with `net` in float, on the first of `pictures`,
    or on made-up ones. Raises CaptureError, naming the module, where the net does what no integer
    operator stands for, SettingError for a name that no layer has.
    """
    expect_float_net(net)
    expect_contract(contract)
    expect_each("keep_float", keep_float, str, hint='give the layers\' paths: ["features.0"]')
    batch = None if pictures is None or not len(pictures) else _few(pictures).tensors(contract.image)
    captured = capture(copy_net(net).cpu().float(), contract.image.size_px, batch)
    left_out = captured.meta[LEFT_OUT]
    fold_normalisation(captured, contract.image)
    check_output(captured, contract)
    prepared = prepare_qat_pt2e(captured, MobileQuantizer())
    # A new GraphModule has the ordinary train() and eval() that torchao replaced on the prepared one.
    module = fx.GraphModule(prepared, prepared.graph)
    give_grids(module)
    fake_quantized = FakeQuantNet(module, contract, find_layers(module, keep_float), left_out)
    fake_quantized.quantize(True)
    return fake_quantized.train(net.training)


def _few(pictures: PictureSet) -> PictureSet:
    """The first pictures; a single one twice, for some nets squeeze() a batch of one away."""
    few = pictures[:COMPARED]
    return few if len(few) > 1 else PictureSet(sources=few.sources * 2, targets=few.targets * 2)
