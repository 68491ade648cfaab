"""The float net that is to be quantized: one that `train` wrote, or the user's own."""

import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobile_sdk.cli.options import NONE
from mobile_sdk.cli.pictures import labels_of, load_pictures_of, make_contract
from mobile_sdk.cli.terminal import say
from mobile_sdk.errors import CaptureError, SettingError
from mobile_sdk.labels.lists import numbered_labels, read_labels
from mobile_sdk.labels.written import check_labels

if TYPE_CHECKING:
    from torch import nn

    from mobile_sdk.contract import Contract, ImageSpec
    from qat.data.pictures import Pictures


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatNet:
    """A net in eval() mode, its name in the record, its contract, and how it was trained where that is known.

    `can_teach` is False where the net has a head that nobody has trained.
    """

    net: "nn.Module"
    name: str
    contract: "Contract"
    history: tuple[dict[str, Any], ...] = ()
    can_teach: bool = True


def trained(path: Path) -> FloatNet:
    """The net that `train` wrote; of several processes the main one reads it."""
    from qat.distributed.processes import current_processes
    from qat.nets.saved_net import load_net

    net, saved = current_processes().from_main(lambda: load_net(path))
    return FloatNet(net=net, name=saved.title, contract=saved.contract, history=saved.history)


def users_own(
    reference: str, data: str, *, size: int | None, name: str | None, labels: str | None
) -> "tuple[FloatNet, Pictures | None]":
    """The net that the function MODULE:FUNCTION returns, and the contract that its attributes and the pictures give.

    Its labels are those of the list `labels`, its own, the pictures' or numbers: the first that there are.
    """
    from torch import nn

    from mobile_sdk.contract import ImageSpec

    net = _called(reference, _function(reference))
    if not isinstance(net, nn.Module):
        raise CaptureError(
            f"expected {reference} to return an nn.Module, found {type(net).__name__}", hint="return the net itself"
        )
    own_image = _attribute(reference, net, "image", ImageSpec, "an ImageSpec")
    net, image = net.eval().float(), _sized(own_image or ImageSpec(), size)
    say_image(image, f"{reference}'s" if own_image else "this SDK's own; another is the attribute `image`")
    labels_of_net = read_labels(labels, _count_scores(reference, net, image.size_px)) if labels else ()
    own_labels = tuple(_attribute(reference, net, "labels", (list, tuple), "a list of names") or ())
    names = labels_of_net or own_labels or (() if data == NONE else _labels_of_pictures(data))
    if not names:
        names = numbered_labels(_count_scores(reference, net, image.size_px))
        say(f"labels are numbered: {names[0]} … (--labels FILE, or the attribute `labels`, names them)")
    contract = make_contract(name or (reference.rpartition(":")[2] if data == NONE else None), data, names, image)
    check_labels(contract.labels, reference)
    pictures = None if data == NONE else load_pictures_of(contract, data)
    return FloatNet(net=net, name=reference, contract=contract), pictures


def _attribute(reference: str, net: "nn.Module", name: str, kinds: Any, wanted: str) -> Any:
    """What the net says of itself under this name; None where that is nothing, or a part of the net's own.

    Raises SettingError where it is something else.
    """
    from torch import Tensor, nn

    from mobile_sdk.arguments import described

    try:
        value = getattr(net, name, None)
    except Exception as error:  # the user's own property may raise anything
        raise SettingError(
            f"expected {wanted} as the attribute `{name}` of {reference}, found {type(error).__name__}: {error}",
            hint=f"let the property `{name}` return {wanted}",
        ) from error
    if value is None or isinstance(value, nn.Module | Tensor) or callable(value):
        return None
    if not isinstance(value, kinds):
        raise SettingError(
            f"expected {wanted} as the attribute `{name}` of {reference}, found {described(value)}",
            hint=f"give it {wanted}, or another name where it means something else",
        )
    return value


def say_image(image: "ImageSpec", whose: str) -> None:
    """Says what becomes of a picture before the net sees it, and whose rule that is."""
    cut = "stretched whole" if image.fit == "stretch" else f"the central {100 * image.crop_share:g} %"
    mean, std = (" ".join(f"{value:g}" for value in values) for values in (image.mean_byte, image.std_byte))
    say(f"pictures: {cut}, {image.size_px} px, mean {mean}, deviation {std} of 255 ({whose})")


def _labels_of_pictures(data: str) -> tuple[str, ...]:
    """The labels that the pictures say, whose order is taken for that of the net's scores."""
    from qat.data.pictures import order_note

    labels = labels_of(data)
    if note := order_note(labels):
        say(f"{note}: if this net counts so too, give it the attribute `labels`")
    return labels


def _sized(image: "ImageSpec", size: int | None) -> "ImageSpec":
    """`image`, of another size where one is asked for."""
    return image.model_copy(update={"size_px": size or image.size_px})


def _function(reference: str) -> Callable[[], object]:
    module_name, _, function_name = reference.partition(":")
    if not module_name or not function_name:
        raise SettingError(
            f"expected --model MODULE:FUNCTION, found {reference!r}", hint="write package.module:function"
        )
    sys.path.insert(0, os.getcwd())
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except Exception as error:  # the user's own code may raise anything
        raise SettingError(
            f"expected to import --model {reference}, found {type(error).__name__}: {error}",
            hint="run from the folder that holds the module; --debug shows where it fails",
        ) from error
    if not callable(function):
        raise SettingError(
            f"expected a function at --model {reference}, found {type(function).__name__}",
            hint="name a function that returns the net",
        )
    return function  # type: ignore[no-any-return]


def _called(reference: str, function: Callable[[], object]) -> object:
    try:
        return function()
    except Exception as error:  # the user's own code may raise anything
        raise CaptureError(
            f"expected {reference}() to return a net, found {type(error).__name__}: {error}",
            hint="let it take no arguments; --debug shows where it fails",
        ) from error


def check_scores(float_net: FloatNet) -> None:
    """Raises CaptureError where the net does not give one score a label; found out before anything long begins."""
    side, classes = float_net.contract.image.size_px, len(float_net.contract.labels)
    found = _scores_shape(float_net.name, float_net.net, side)
    if found != (2, classes):
        raise CaptureError(
            f"expected scores (2, {classes}) for two pictures, found {found}",
            hint="give the net one output per label, or the attribute `labels`",
        )


def _count_scores(name: str, net: "nn.Module", side: int) -> int:
    found = _scores_shape(name, net, side)
    if len(found) != 2 or found[1] < 2:
        raise CaptureError(
            f"expected {name} to give scores (2, classes) for two pictures, found {found}",
            hint="return the scores alone, flattened",
        )
    return found[1]


def _scores_shape(name: str, net: "nn.Module", side: int) -> tuple[int, ...]:
    """The shape of what the net gives for two pictures; CaptureError where it takes none of that size."""
    import torch

    from qat.arguments.nets import expect_net
    from qat.capture.float_scores import without_last_activation

    try:
        with torch.inference_mode():
            scores = net(torch.zeros(2, 3, side, side))
    except Exception as error:  # the user's own code may raise anything
        expect_net(net)
        raise CaptureError(
            f"expected {name} to take (2, 3, {side}, {side}), found {type(error).__name__}: {error}",
            hint="give the net the attribute `image`, an ImageSpec, or --size",
        ) from error
    shape = tuple(getattr(scores, "shape", ()))
    if len(shape) != 2 or shape[1] == 1:  # an argmax, or several results, which are then refused by what they are
        shape = (2, *without_last_activation(net, side)(torch.zeros(2, 3, side, side)).shape[1:])
    return shape
