"""Defines the blocks that nets are built of; every operator is a module, so that a module's path names it."""

from collections.abc import Callable

from torch import Tensor, nn

from mobile_sdk.contract import Contract
from qat.layers.memory_format import ChannelsLast

TIMM_EPSILON = 1e-5  # in all of timm's nets but its `tf_…`, which pad as TensorFlow does

Activation = Callable[[], nn.Module]
Norm = Callable[[int], nn.Module]


class ImageClassifier(ChannelsLast):
    """Joins features, global average and classifier: (N, 3, H, W) float32 to (N, classes) float32 logits.

    H and W are at least 32. The attributes have torchvision's names (`features`, `avgpool`, `classifier`), and so do
    the weights' keys. `hidden` holds the layers, if any, between the average and the classifier's vector.
    `twin_epsilon` is the batch norms' ε in timm's net of the same layers; None if timm has none that computes the same.
    """

    contract: Contract | None = None  # `fit` and `evaluate` read it; `build_net` sets it

    def __init__(
        self,
        features: nn.Sequential,
        classifier: nn.Sequential,
        *,
        hidden: nn.Sequential | None = None,
        twin_epsilon: float | None = None,
    ) -> None:
        super().__init__()
        self.twin_epsilon = twin_epsilon
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.hidden = hidden
        self.flatten = nn.Flatten()
        self.classifier = classifier
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the logits: no softmax."""
        average = self.avgpool(self.features(x))
        logits: Tensor = self.classifier(self.flatten(average if self.hidden is None else self.hidden(average)))
        return logits


class ConvNormActivation(nn.Sequential):
    """Chains a convolution padded by `kernel // 2` on every side, batch norm and, if given, an activation."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        norm: Norm,
        activation: Activation | None,
    ) -> None:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        super().__init__(conv, norm(outputs), *([activation()] if activation else []))


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate in 0..1 that is computed from the average of all channels.

    Source: MobileNetV3, section 5.3: a hard-sigmoid gate, squeezed to a quarter of the channels (here a multiple of 8)
    unless `squeezed` and `gate` are given.
    """

    def __init__(self, channels: int, squeezed: int | None = None, *, gate: Activation = nn.Hardsigmoid) -> None:
        super().__init__()
        squeezed = squeezed or make_divisible(channels / 4)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.activation = nn.ReLU()
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.scale_activation = gate()

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N, C, H, W) for (N, C, H, W)."""
        gate: Tensor = self.scale_activation(self.fc2(self.activation(self.fc1(self.avgpool(x)))))
        return x * gate


def make_divisible(channels: float) -> int:
    """Returns the multiple of 8 nearest to `channels`, at least 8 and never below 90 % of `channels`.

    Source: TF-Slim's `_make_divisible`, used by MobileNetV2 and V3.
    """
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _initialise(module: nn.Module) -> None:
    """Draws convolutions from He's normal distribution (fan out) and linear layers from N(0, 0.01); biases are 0."""
    if any(parameter.is_meta for parameter in module.parameters(recurse=False)):
        return  # it has a shape alone
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
