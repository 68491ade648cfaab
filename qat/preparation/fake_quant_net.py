"""Defines the fake-quantized net: a captured net on int8 grids, with ordinary `train()` and `eval()`."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, fx, nn

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import CaptureError
from qat.capture.left_out import LeftOut
from qat.capture.rewriter import path_of
from qat.layers.memory_format import ChannelsLast, channels_last
from qat.layers.quantizers.fake_quant import TensorQuantizer
from qat.layers.weighted import HardSwish, Weighted
from qat.preparation.fusion import fused
from qat.preparation.kept_layers import float_parts

_Part = TypeVar("_Part", bound=nn.Module)


class FakeQuantNet(ChannelsLast):
    """Computes on the int8 grids that the phone will use, in float, so that it can be trained.

    It takes the float net's own inputs: `(byte - mean_byte) / std_byte`, (N, C, H, W), or an array's numbers. Inside,
    images are on the integer net's one grid for all channels, and the differences between the channels are folded into
    the first convolution.
    """

    gain: Tensor
    shift: Tensor

    def __repr__(self) -> str:
        """Returns a description in one line; `print(net.captured)` shows its modules."""
        kept = f", {len(self.kept)} layers kept in float" if self.kept else ""
        return f"FakeQuantNet({self.contract.name!r}, {len(self.contract.labels)} labels{kept})"

    def __init__(
        self,
        captured: fx.GraphModule,
        contract: Contract,
        kept: frozenset[str] = frozenset(),
        left_out: Sequence[LeftOut] = (),
        output_names: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.contract = contract
        self.left_out = tuple(left_out)  # the last operators of the user's net, which this one omits
        self.output_names = tuple(output_names)  # none for a net that returns scores alone
        self.kept = kept  # the layers that stay in float32
        self.channel_factors: dict[str, Tensor] = {}  # by node: what equalisation multiplied its channels by, (C,)
        if isinstance(image := contract.input, ImageSpec):
            gain = torch.tensor(image.std_byte) / image.step_byte
            shift = (torch.tensor(image.mean_byte) - image.pad_byte) / image.step_byte
            self.register_buffer("gain", gain.reshape(-1, 1, 1), persistent=False)
            self.register_buffer("shift", shift.reshape(-1, 1, 1), persistent=False)
        self.captured = captured
        self._in_training = (fused(captured),)  # a tuple, as its modules are registered in `captured`

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Returns scores (N, classes), or a tuple of several outputs."""
        x = self.on_one_grid(x)
        scores: Tensor | tuple[Tensor, ...] = self._in_training[0](x) if self.training else self.captured(x)
        return scores

    def on_one_grid(self, x: Tensor) -> Tensor:
        """Returns the images as the captured net reads them."""
        x = channels_last(x)
        return x if self.contract.input.is_uniform else x * self.gain + self.shift

    def learn_steps(self) -> None:
        """Makes parameters, from their present values, of every range's ends and of the steps of all weights.

        It is called before the optimizer is made. What mathematics fixes does not change: zero is a code, a ReLU begins
        at it, the 6 of a ReLU6 may only fall. They move only in the phase `set_phase(…, learn_steps=True)`.
        """
        for quantizer in self._parts(TensorQuantizer):
            quantizer.learn()
        for layer in self._parts(Weighted):
            layer.learn()
        for parameter in self.step_parameters():
            parameter.requires_grad_(True)

    def step_parameters(self) -> list[nn.Parameter]:
        """Returns the parameters of `learn_steps`: ends (scalars) and weights' steps (O,), without weight decay."""
        ends = [getattr(part, name) for part in self._parts(TensorQuantizer) for name in ("low", "high")]
        scales = [layer.scales for layer in self._parts(Weighted)]
        return [value for value in (*ends, *scales) if isinstance(value, nn.Parameter)]

    def followed_ranges(self) -> list[tuple[Tensor, Tensor]]:
        """Returns the present ends `(low, high)` of every range that a training step moves."""
        return [(part.low, part.high) for part in self._parts(TensorQuantizer) if part.is_following]

    def set_phase(self, *, freeze_observers: bool, freeze_batch_norm: bool, learn_steps: bool = False) -> None:
        """Moves the net along its schedule: which ranges and statistics still follow the data.

        Ranges first follow it, then are learned (observers frozen, `learn_steps`), then are frozen: without either,
        steps get no gradients, and an optimizer leaves them as they are.
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

    def forget_ranges(self) -> None:
        """Forgets what was observed; what mathematics fixes stays."""
        for quantizer in self._parts(TensorQuantizer):
            quantizer.forget()

    def check_ranges(self) -> None:
        """Raises CaptureError, naming the module, if an observed value is not finite."""
        for node in self.captured.graph.nodes:
            quantizer = self.quantizer_at(node)
            if quantizer is not None and not (quantizer.low.isfinite() and quantizer.high.isfinite()):
                path = path_of(node.all_input_nodes[0])
                raise CaptureError(
                    f"expected finite numbers from {path}, found NaN or infinity on a picture",
                    hint="look at its weights: a training that diverged leaves such ones",
                )

    def widen(self, factor: float, *, outputs_alone: bool = False) -> None:
        """Moves both ends of every range, or of the outputs' alone, outwards, but those that mathematics fixes."""
        for quantizer in self.output_quantizers() if outputs_alone else set(self._parts(TensorQuantizer)):
            if quantizer.bounds.low is None:
                quantizer.low.mul_(factor)
            if quantizer.bounds.high is None:
                quantizer.high.mul_(factor)

    def output_quantizers(self) -> set[TensorQuantizer]:
        """Returns the quantizers of the outputs: those that nothing but functions of one tensor follows."""
        (output,) = self.captured.graph.find_nodes(op="output")
        found = set()
        for returned in output.all_input_nodes:
            node = returned
            while node.op == "call_function" and len(node.all_input_nodes) == 1:
                (node,) = node.all_input_nodes
            if (quantizer := self.quantizer_at(node)) is not None:
                found.add(quantizer)
        return found

    def quantizer_at(self, node: fx.Node) -> TensorQuantizer | None:
        """Returns the quantizer that `node` of the captured graph calls; None if it calls something else."""
        module = self.captured.get_submodule(str(node.target)) if node.op == "call_module" else None
        return module if isinstance(module, TensorQuantizer) else None

    def quantize(self, enabled: bool) -> None:
        """Switches all rounding on or off; without it, the net is the float net again."""
        kinds: tuple[type[TensorQuantizer | Weighted | HardSwish], ...] = (TensorQuantizer, Weighted, HardSwish)
        for kind in kinds:
            for part in self._parts(kind):
                part.quantizing = enabled
        for part in float_parts(self.captured, self.kept):
            part.quantizing = False

    def _parts(self, kind: type[_Part]) -> Iterable[_Part]:
        return (module for module in self.captured.modules() if isinstance(module, kind))
