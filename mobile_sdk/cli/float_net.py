"""The float net that is to be quantized: one that `train` wrote, a published checkpoint, or the user's own."""

import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobile_sdk.cli.options import NONE
from mobile_sdk.cli.pictures import (
    labels_of,
    load_pictures,
    load_pictures_of,
    make_contract,
    size_px,
)
from mobile_sdk.cli.terminal import say
from mobile_sdk.errors import CaptureError, DataError, SettingError

if TYPE_CHECKING:
    from torch import nn

    from mobile_sdk.contract import Contract, ImageSpec
    from qat.data import Pictures
    from qat.saved_net import SavedNet


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
    from qat.processes import current_processes
    from qat.saved_net import load_net

    net, saved = current_processes().from_main(lambda: load_net(path))
    return FloatNet(net=net, name=saved.title, contract=saved.contract, history=saved.history)


def trained_with_pictures(
    path: Path,
    saved: "SavedNet",
    data: str,
    *,
    net: str | None,
    width: float | None,
    size: int | None,
    name: str | None,
) -> "tuple[FloatNet, Pictures | None]":
    """The same with its pictures, if any; SettingError where the settings, which the file says itself, are others."""
    told = {"--net": (net, saved.net), "--width": (width, saved.width), "--size": (size, saved.contract.image.size_px)}
    for option, (asked, found) in told.items():
        if asked is not None and asked != found:
            raise SettingError(
                f"expected {option} {found} for {path}, found {asked}", hint=f"leave {option} out: the file says it"
            )
    contract = make_contract(name or saved.contract.name, data, saved.contract.labels, saved.contract.image)
    pictures = None if data == NONE else load_pictures_of(contract, data)
    return replace(trained(path), contract=contract), pictures


def published(
    path: Path, data: str, *, net: str, width: float, size: int | None, name: str | None, epochs: int
) -> "tuple[FloatNet, Pictures]":
    """A published checkpoint in the named net; a head of another size is replaced, which calibration cannot train."""
    import torch

    from mobile_sdk.contract import ImageSpec
    from qat.nets import build_net
    from qat.weights import load_weights

    pictures = load_pictures(data)
    contract = make_contract(name, data, pictures.labels, ImageSpec.torchvision(size_px(data, size)))
    torch.manual_seed(0)  # for a head that is replaced
    built = build_net(net, contract, width=width)
    report = load_weights(built, path)
    say(str(report))
    if report.replaced_head:
        if not epochs:
            raise SettingError(
                f"expected a head of {len(contract.labels)} classes in {path}, found {report.classes_in_file}",
                hint="train the new head: give --epochs, or train --weights first",
            )
        say(f"float.pt2 keeps the new head untrained: `train --weights {path}` gives a float net to compare with")
    can_teach = not report.replaced_head
    return FloatNet(net=built.eval(), name=net, contract=contract, can_teach=can_teach), pictures


def published_alone(
    path: Path, *, net: str, width: float, size: int | None, name: str | None
) -> "tuple[FloatNet, Pictures | None]":
    """The same without pictures: as many labels as the checkpoint has classes, numbered."""
    from mobile_sdk.contract import ImageSpec
    from qat.nets import build_net
    from qat.weights import load_weights

    image = ImageSpec.torchvision(size_px(NONE, size))
    labels = numbered_labels(2)
    while True:  # the file's head says how many there are
        contract = make_contract(name or net, NONE, labels, image)
        built = build_net(net, contract, width=width)
        report = load_weights(built, path)
        if report.classes_in_file is None:
            say(str(report))
            return FloatNet(net=built.eval(), name=net, contract=contract), None
        labels = numbered_labels(report.classes_in_file)


def numbered_labels(count: int) -> tuple[str, ...]:
    """Labels for a net whose classes have no names."""
    return tuple(f"class_{index:0{len(str(count - 1))}}" for index in range(count))


def users_own(reference: str, data: str, *, size: int | None, name: str | None) -> "tuple[FloatNet, Pictures | None]":
    """The net that the function MODULE:FUNCTION returns, and the contract that its attributes and the pictures give."""
    from torch import nn

    from mobile_sdk.contract import ImageSpec

    net = _called(reference, _function(reference))
    if not isinstance(net, nn.Module):
        raise CaptureError(
            f"expected {reference} to return an nn.Module, found {type(net).__name__}", hint="return the net itself"
        )
    image = getattr(net, "image", None) or ImageSpec()
    if data == NONE:
        return _users_own_alone(reference, net.eval(), _sized(image, size), name), None
    labels = tuple(getattr(net, "labels", None) or _labels_of_pictures(data))
    if not labels:
        raise DataError(
            f"expected the labels of {reference} in {data}, found pictures without folders",
            hint="give the net the attribute `labels`, or lay the pictures out as FOLDER/<label>/*.jpg",
        )
    contract = make_contract(name, data, labels, _sized(image, size))
    return FloatNet(net=net.eval(), name=reference, contract=contract), load_pictures_of(contract, data)


def _labels_of_pictures(data: str) -> tuple[str, ...]:
    """The labels that the pictures say, whose order is taken for that of the net's scores."""
    from qat.data import order_note

    labels = labels_of(data)
    if note := order_note(labels):
        say(f"{note}: if this net counts so too, give it the attribute `labels`")
    return labels


def _sized(image: "ImageSpec", size: int | None) -> "ImageSpec":
    """`image`, of another size where one is asked for."""
    return image.model_copy(update={"size_px": size or image.size_px})


def _users_own_alone(reference: str, net: "nn.Module", image: "ImageSpec", name: str | None) -> FloatNet:
    """The net without pictures: its own labels, or as many as it gives scores."""
    labels = tuple(getattr(net, "labels", None) or numbered_labels(_count_scores(reference, net, image.size_px)))
    contract = make_contract(name or reference.rpartition(":")[2], NONE, labels, image)
    return FloatNet(net=net, name=reference, contract=contract)


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

    try:
        with torch.inference_mode():
            scores = net(torch.zeros(2, 3, side, side))
    except Exception as error:  # the user's own code may raise anything
        raise CaptureError(
            f"expected {name} to take (2, 3, {side}, {side}), found {type(error).__name__}: {error}",
            hint="give the net the attribute `image`, an ImageSpec, or --size",
        ) from error
    return tuple(getattr(scores, "shape", ()))


def check_weights(path: Path) -> None:
    """Raises DataError where there is no file at `path`, before anything long begins."""
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise DataError(f"expected a file of weights at {path}, found {found}", hint="check the path")
