"""Synthesises images from a net's batch norms, for calibration without pictures.

Batch norms store means and variances of the net's training data. Images are optimised until the layers' statistics over
the batch equal those: ZeroQ (Cai et al., arXiv 2001.00281, section 3.1), DeepInversion (Yin et al., arXiv 1912.08795,
section 3.1). Each is the sum of a pyramid of scales, as natural images have most contrast in the coarse ones, and stays
within the range of bytes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.arguments import expect, expect_seed
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import CaptureError, SettingError
from qat.data.picture_set import PictureSet, normalised
from qat.layers.weighted import Weighted
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.preparation import prepare
from qat.progress import track
from qat.steps import channel_axis

PICTURES = 16
STEPS = 80
RATE = 0.1
COARSEST_PX = 7
SILENT_GAIN = 1e-3  # below it a channel of a batch norm depends hardly on its input


def synthesise(net: nn.Module, contract: Contract, *, count: int = PICTURES, seed: int = 0) -> PictureSet:
    """Returns `count` images of the contract's size whose statistics in `net` equal those of its batch norms.

    They have the label -1. Equal seeds give equal images. Raises CaptureError if the net has no batch norm.
    """
    expect("count", count, int)
    if count < 2:
        raise SettingError(f"expected 2 pictures or more to make up, found {count}", hint="leave count out")
    expect_seed(seed)
    prepared = prepare(net, contract).eval()
    prepared.quantize(False)
    prepared.requires_grad_(False)
    targets = _BatchNormDistance(prepared)
    pyramid = _pyramid(count, contract.image, torch.Generator().manual_seed(seed))
    optimizer = torch.optim.Adam(pyramid, lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in track(range(STEPS), what="making pictures up", total=STEPS):
        distance = targets(normalised(_bytes(pyramid), contract.image))
        optimizer.zero_grad()
        distance.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    targets.end()
    rgb = _bytes(pyramid).detach().round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    return PictureSet(sources=tuple(rgb), targets=(-1,) * count)


class _BatchNormDistance:
    """Measures how far the statistics of every layer's output are from those of its batch norm."""

    def __init__(self, net: FakeQuantNet) -> None:
        self._net = net
        self._terms: list[Tensor] = []
        layers = [module for module in net.modules() if isinstance(module, Weighted) and module.norm is not None]
        if not layers:
            raise CaptureError(
                "expected a net with batch norm, whose statistics pictures can be made up from, found none",
                hint="give typical pictures: --data DIR",
            )
        self._hooks = [layer.register_forward_hook(self._measure) for layer in layers]

    def __call__(self, x: Tensor) -> Tensor:
        self._terms.clear()
        self._net(x)
        return torch.stack(self._terms).mean()

    def end(self) -> None:
        """Removes the hooks."""
        for hook in self._hooks:
            hook.remove()

    def _measure(self, layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        """Adds a layer's distance: in training, batch norm's output has the shift as mean and the gain as deviation."""
        assert isinstance(layer, Weighted) and layer.norm is not None
        shift, gain = layer.norm.bias, layer.norm.weight.abs()
        heard = gain > SILENT_GAIN
        by_channel = output.movedim(channel_axis(output.ndim), 0).flatten(1)
        variance, mean = torch.var_mean(by_channel, 1, correction=0)
        off = ((mean - shift) / gain)[heard], (variance + 1e-12).sqrt()[heard] / gain[heard] - 1
        self._terms.append(sum((term.square().mean() for term in off), start=torch.zeros(())))


def _pyramid(count: int, spec: ImageSpec, random: torch.Generator) -> list[Tensor]:
    """Returns noise at every scale, from the finest to the coarsest, whose sum is an image."""
    sizes = [(spec.height_px, spec.width_px)]
    while max(sizes[-1]) > COARSEST_PX:
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    levels = (torch.randn(count, spec.channels, *size, generator=random) * 0.2 for size in sizes)
    return [level.requires_grad_(True) for level in levels]


def _bytes(pyramid: list[Tensor]) -> Tensor:
    """Returns images (N, C, H, W) in byte units, 0..255, not yet rounded."""
    size = pyramid[0].shape[-2:]
    total = sum(
        (F.interpolate(level, size, mode="bilinear", align_corners=False) for level in pyramid[1:]), start=pyramid[0]
    )
    return 255 * torch.sigmoid(total)
