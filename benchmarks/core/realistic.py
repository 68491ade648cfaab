"""Gives photographs that installed packages ship, and nets whose weights and statistics are no special case."""

from functools import cache
from math import prod
from pathlib import Path

import numpy as np
import skimage.data
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn import datasets  # type: ignore[import-untyped]
from torch import nn

from mobile_sdk.contract import ImageSpec
from qat.data.picture_set import PictureSet

Photograph = NDArray[np.uint8]
_SKIMAGE = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
_SKLEARN = ("china.jpg", "flower.jpg")


@cache
def photographs() -> dict[str, Photograph]:
    """Returns RGB bytes (H, W, 3) by name: photographs of things, from scikit-image's and scikit-learn's wheels."""
    folders = ((Path(skimage.data.__file__).parent, _SKIMAGE), (Path(datasets.__file__).parent / "images", _SKLEARN))
    files = [folder / name for folder, names in folders for name in names]
    return {file.stem.removesuffix("_left"): np.asarray(Image.open(file).convert("RGB")) for file in files}


def crops(count: int, *, seed: int) -> PictureSet:
    """Returns `count` random squares of the photographs in turn, 120 px to the whole side, every other one mirrored."""
    random, whole = np.random.default_rng(seed), list(photographs().values())
    return PictureSet(
        sources=tuple(_crop(whole[index % len(whole)], random) for index in range(count)), targets=(-1,) * count
    )


@torch.no_grad()
def with_realistic_numbers(net: nn.Module, image: ImageSpec, *, seed: int = 0) -> nn.Module:
    """Returns `net` with random weights, gains and biases, and the batch statistics of crops of photographs."""
    random = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.uniform_(0.7, 1.3, generator=random)
            module.bias.normal_(0, 0.3, generator=random)
            module.momentum = 1.0  # one pass gives the statistics
        elif isinstance(module, nn.Conv2d | nn.Linear | nn.ConvTranspose2d):
            module.weight.normal_(0, _summed(module) ** -0.5, generator=random)
            if module.bias is not None:
                module.bias.normal_(0, 0.2, generator=random)
    net.train()(crops(16, seed=seed + 1).tensors(image))
    return net.eval()


def _summed(layer: nn.Conv2d | nn.Linear | nn.ConvTranspose2d) -> float:
    """Returns how many products a number of the layer's output is the sum of."""
    if isinstance(layer, nn.ConvTranspose2d):
        return layer.weight[:, 0].numel() / prod(layer.stride)
    return layer.weight[0].numel()


def _crop(whole: Photograph, random: np.random.Generator) -> Photograph:
    height, width, _ = whole.shape
    side = int(random.integers(120, min(height, width) + 1))
    top, left = random.integers(0, height - side + 1), random.integers(0, width - side + 1)
    square = whole[top : top + side, left : left + side]
    return square[:, ::-1] if random.integers(2) else square
