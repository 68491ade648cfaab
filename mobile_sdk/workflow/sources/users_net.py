"""Brings the user's own net, which a function in a module of theirs returns."""

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from mobile_sdk.arguments import described
from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import CaptureError, SettingError
from mobile_sdk.labels.label_text import check_labels
from mobile_sdk.labels.lists import numbered_labels, read_labels
from mobile_sdk.workflow.choices import NONE
from mobile_sdk.workflow.sources.source_net import SourceNet, say_image
from mobile_sdk.workflow.tasks.classification import Classification
from mobile_sdk.workflow.tasks.labelled_pictures import labels_of
from mobile_sdk.workflow.tasks.score_check import count_scores
from qat.data.pictures import Pictures, order_note
from qat.progress import say


def users_own(
    reference: str, data: str, *, size: int | None, name: str | None, labels: str | None
) -> tuple[SourceNet, Pictures | None]:
    """Returns the net that the function MODULE:FUNCTION makes, and its pictures.

    The contract comes from the net's attributes and the pictures. Its labels are the first of these that exist: the
    list `labels`, the net's own, the pictures', numbers.
    """
    net = _called(reference, _function(reference))
    if not isinstance(net, nn.Module):
        raise CaptureError(
            f"expected {reference} to return an nn.Module, found {type(net).__name__}", hint="return the net itself"
        )
    own_image = _attribute(reference, net, "image", ImageSpec, "an ImageSpec")
    net, image = net.eval().float(), _sized(own_image or ImageSpec(), size)
    say_image(image, f"{reference}'s" if own_image else "this SDK's own; another is the attribute `image`")
    labels_of_net = read_labels(labels, count_scores(reference, net, image.shape)) if labels else ()
    own_labels = tuple(_attribute(reference, net, "labels", (list, tuple), "a list of names") or ())
    names = labels_of_net or own_labels or (() if data == NONE else _labels_of_pictures(data))
    if not names:
        names = numbered_labels(count_scores(reference, net, image.shape))
        say(f"labels are numbered: {names[0]} … (--labels FILE, or the attribute `labels`, names them)")
    task = Classification()
    contract = task.contract(name or (reference.rpartition(":")[2] if data == NONE else None), data, names, image)
    check_labels(contract.labels, reference)
    pictures = None if data == NONE else task.pictures_of(contract, data)
    return SourceNet(task=task, net=net, name=reference, contract=contract), pictures


def _attribute(reference: str, net: nn.Module, name: str, kinds: Any, wanted: str) -> Any:
    """Returns the net's attribute of this name; None if it has none, or if that is a part of the net.

    Raises SettingError if it is something else.
    """
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


def _labels_of_pictures(data: str) -> tuple[str, ...]:
    """Returns the labels of the pictures' folders, whose order is taken for that of the net's scores."""
    labels = labels_of(data)
    if note := order_note(labels):
        say(f"{note}: if this net counts so too, give it the attribute `labels`")
    return labels


def _sized(image: ImageSpec, size: int | None) -> ImageSpec:
    """Returns `image`, of another size if one is asked for."""
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
