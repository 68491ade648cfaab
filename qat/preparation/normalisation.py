"""Folds a mean and standard deviation that differ between the channels into the net's first layers."""

import torch
from torch import Tensor, fx, nn

from mobile_sdk.contract import NetInput, TensorSpec
from qat.capture.readers.arithmetic import depthwise
from qat.capture.rewriter import shape_of
from qat.layers.constants import Constants
from qat.layers.weighted import Conv2d
from qat.steps import STEP, Kind, Step

_LAYER = "normalised"


@torch.no_grad()
def fold_normalisation(captured: fx.GraphModule, image: NetInput) -> None:
    """Makes a captured net read images on the integer net's one grid for all channels.

    The differences between the channels go into the convolutions that read the images. Zero padding is then the byte
    `pad_byte` in every channel, where the float net padded each with its mean. Other readers of the images get a
    depthwise convolution of one pixel.
    """
    if isinstance(image, TensorSpec) or image.is_uniform:
        return
    gain = torch.tensor([image.step_byte / std for std in image.std_byte])
    shift = torch.tensor(
        [(image.pad_byte - mean) / std for mean, std in zip(image.mean_byte, image.std_byte, strict=True)]
    )
    (picture,) = captured.graph.find_nodes(op="placeholder")
    others = []
    for user in list(picture.users):
        layer = captured.get_submodule(str(user.target)) if user.op == "call_module" else None
        if isinstance(layer, Conv2d):
            _fold(layer, gain, shift)
        elif not isinstance(layer, Constants):
            others.append(user)
    if others:
        _put_layer(captured, picture, others, depthwise(gain, shift))


def _fold(layer: Conv2d, gain: Tensor, shift: Tensor) -> None:
    """Gives the layer weights and biases for images `x` in place of `gain * x + shift`."""
    outputs, inputs = layer.weight.shape[:2]
    read = torch.arange(outputs)[:, None] // (outputs // layer.groups) * inputs + torch.arange(inputs)
    offset = (layer.weight * shift[read][..., None, None]).sum(dim=(1, 2, 3))
    layer.bias = nn.Parameter(offset if layer.bias is None else layer.bias + offset)
    layer.weight.mul_(gain[read][..., None, None])


def _put_layer(captured: fx.GraphModule, picture: fx.Node, readers: list[fx.Node], layer: Conv2d) -> None:
    captured.add_submodule(_LAYER, layer)
    with captured.graph.inserting_after(picture):
        node = captured.graph.call_module(_LAYER, (picture,))
    node.meta = {**picture.meta, STEP: Step(kind=Kind.WEIGHTED, path="<root>", shape=shape_of(picture)[1:])}
    for reader in readers:
        reader.replace_input_with(picture, node)
    captured.recompile()
