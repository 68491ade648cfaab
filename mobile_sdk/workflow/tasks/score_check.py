"""Runs a float net once, to check that it gives one score a label."""

import torch
from torch import nn

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import CaptureError
from qat.arguments.nets import expect_net
from qat.capture.float_scores import without_last_activation


def check_scores(net: nn.Module, name: str, contract: Contract) -> None:
    """Raises CaptureError if the net does not give one score a label, before anything long begins."""
    classes = len(contract.labels)
    found = _scores_shape(name, net, contract.input.shape, axes=2)
    if found != (2, classes):
        raise CaptureError(
            f"expected scores (2, {classes}) for two pictures, found {found}",
            hint="give the net one output per label, or the attribute `labels`; --task features takes any outputs",
        )


def count_scores(name: str, net: nn.Module, shape: tuple[int, ...]) -> int:
    """Returns how many scores the net gives for such an input; raises CaptureError if it gives something else."""
    found = _scores_shape(name, net, shape, axes=2)
    if len(found) != 2 or found[1] < 2:
        raise CaptureError(
            f"expected {name} to give scores (2, classes) for two pictures, found {found}",
            hint="return one score a label, flattened, or take what it gives as it is: --task features",
        )
    return found[1]


def count_map_scores(name: str, net: nn.Module, image: ImageSpec) -> int:
    """Returns how many scores the net gives every pixel; raises CaptureError if it gives something else."""
    found = _scores_shape(name, net, image.shape, axes=4)
    sides = (image.height_px, image.width_px)
    if len(found) != 4 or found[1] < 2 or found[2:] != sides:
        raise CaptureError(
            f"expected {name} to give scores (2, labels, {sides[0]}, {sides[1]}) for two pictures, found {found}",
            hint="let it end with bilinear interpolation to the picture's size; --task features takes any outputs",
        )
    return found[1]


def _scores_shape(name: str, net: nn.Module, shape: tuple[int, ...], *, axes: int) -> tuple[int, ...]:
    """Returns the shape of the net's output for two pictures, of so many axes where it has scores.

    Raises CaptureError if it takes none of that size.
    """
    try:
        with torch.inference_mode():
            scores = net(torch.zeros(2, *shape))
    except Exception as error:  # the user's own code may raise anything
        expect_net(net)
        raise CaptureError(
            f"expected {name} to take {(2, *shape)}, found {type(error).__name__}: {error}",
            hint="say what it reads: --size, --channels or --input; or its attribute `image` or `tensor`, a spec",
        ) from error
    found = tuple(getattr(scores, "shape", ()))
    if len(found) != axes or found[1] == 1:  # an argmax, or several results, which are then refused by what they are
        found = (2, *without_last_activation(net, shape)(torch.zeros(2, *shape)).shape[1:])
    return found
