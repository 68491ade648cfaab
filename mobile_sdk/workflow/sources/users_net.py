"""Brings the user's own net, which a function in a module of theirs returns."""

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from mobile_sdk.arguments import described
from mobile_sdk.contract import ImageSpec, NetInput, TensorSpec
from mobile_sdk.contract.input_text import image_as_asked, tensor_shape
from mobile_sdk.errors import CaptureError, SettingError
from mobile_sdk.labels.label_text import check_labels
from mobile_sdk.labels.lists import numbered_labels, read_labels
from mobile_sdk.workflow.choices import NONE, check_choice
from mobile_sdk.workflow.sources.source_net import SourceNet, say_image
from mobile_sdk.workflow.tasks.classification import Classification
from mobile_sdk.workflow.tasks.detection import Detection
from mobile_sdk.workflow.tasks.features import Features
from mobile_sdk.workflow.tasks.labelled_pictures import labels_of, load_pictures
from mobile_sdk.workflow.tasks.score_check import count_map_scores, count_scores
from mobile_sdk.workflow.tasks.segmentation import Segmentation
from mobile_sdk.workflow.tasks.task import Task
from qat.data.arrays import spanning
from qat.data.masks.pictures import SegmentationPictures
from qat.data.pictures import Pictures, order_note
from qat.progress import say


def users_own(
    reference: str,
    data: str,
    *,
    task: str,
    size: int | str | None,
    name: str | None,
    labels: str | None,
    channels: int | None = None,
    array: str | None = None,
) -> tuple[SourceNet, Pictures | SegmentationPictures | None]:
    """Returns the net that the function MODULE:FUNCTION makes, and its pictures.

    The contract comes from the net's attributes and the pictures, or the arrays. `array` says that it reads such, of
    which shape. Its labels are the first of these that exist: the list `labels`, the net's own, the pictures', numbers.
    Features have none. Raises SettingError for another task.
    """
    net = _called(reference, _function(reference))
    if not isinstance(net, nn.Module):
        raise CaptureError(
            f"expected {reference} to return an nn.Module, found {type(net).__name__}", hint="return the net itself"
        )
    settings: dict[str, Any] = {"size": size, "channels": channels, "array": array, "name": name, "labels": labels}
    return with_contract(net.eval().float(), reference, data, task=task, **settings)


def with_contract(
    net: nn.Module,
    reference: str,
    data: str,
    *,
    task: str,
    size: int | str | None,
    channels: int | None,
    array: str | None,
    name: str | None,
    labels: str | None,
) -> tuple[SourceNet, Pictures | SegmentationPictures | None]:
    """Returns the net that `reference` names, as `users_own` does."""
    chosen = _task(task, labels)
    source = _input_of(reference, net, data, size, channels, array)
    own_name = name or (reference.rpartition(":")[2] if data == NONE else None)
    if isinstance(chosen, Features):
        contract = chosen.contract(own_name, data, (), source)
        pictures = None if data == NONE else chosen.pictures_of(contract, data)
        return SourceNet(task=chosen, net=net, name=reference, contract=contract), pictures
    if isinstance(chosen, Segmentation):
        return _segmenter(chosen, net, reference, data, source, own_name, labels)
    labels_of_net = read_labels(labels, count_scores(reference, net, source.shape)) if labels else ()
    names = labels_of_net or _own_labels(reference, net) or (() if data == NONE else _labels_of_pictures(data))
    if not names:
        names = numbered_labels(count_scores(reference, net, source.shape))
        say(f"labels are numbered: {names[0]} … (--labels FILE, or the attribute `labels`, names them)")
    contract = chosen.contract(own_name, data, names, source)
    check_labels(contract.labels, reference)
    pictures = None if data == NONE else chosen.pictures_of(contract, data)
    return SourceNet(task=chosen, net=net, name=reference, contract=contract), pictures


def _segmenter(
    task: Segmentation,
    net: nn.Module,
    reference: str,
    data: str,
    source: NetInput,
    name: str | None,
    labels: str | None,
) -> tuple[SourceNet, SegmentationPictures]:
    """Returns a net that labels every pixel, and its pictures with masks."""
    if data == NONE:
        raise SettingError(
            "expected pictures with masks for segmentation, found --data none",
            hint="give --data DIR; --task features quantizes the net without masks",
        )
    pictures = task.load_pictures(data)
    contract = task.contract(name, data, _own_labels(reference, net) or pictures.labels, source)
    if labels:
        count = count_map_scores(reference, net, contract.image)
        contract = task.contract(name, data, read_labels(labels, count), source)
    check_labels(contract.labels, reference)
    return SourceNet(task=task, net=net, name=reference, contract=contract), task.in_order_of(contract, pictures)


def _task(name: str, labels: str | None) -> Task[Any]:
    """Returns the task of a net of the user's own."""
    if name == Detection.name:
        raise SettingError(
            "expected classification, segmentation or features of a net of your own, found detection",
            hint="--task features takes its raw maps; mobile_sdk.detect_anchor_free turns them into boxes",
        )
    tasks: dict[str, type[Task[Any]]] = {each.name: each for each in (Classification, Features, Segmentation)}
    if check_choice("a task of a net of your own", name, tasks) != Features.name:
        return tasks[name]()
    if labels is not None:
        raise SettingError("expected no --labels for features, which have none, found some", hint="leave them out")
    return Features()


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


def _own_labels(reference: str, net: nn.Module) -> tuple[str, ...]:
    """Returns the net's attribute `labels`, or nothing."""
    return tuple(_attribute(reference, net, "labels", (list, tuple), "a list of names") or ())


def _labels_of_pictures(data: str) -> tuple[str, ...]:
    """Returns the labels of the pictures' folders, whose order is taken for that of the net's scores."""
    labels = labels_of(data)
    if note := order_note(labels):
        say(f"{note}: if this net counts so too, give it the attribute `labels`")
    return labels


def _input_of(
    reference: str, net: nn.Module, data: str, size: int | str | None, channels: int | None, array: str | None
) -> NetInput:
    """Returns what the net reads: as asked, else as its attributes say, else this SDK's own pictures."""
    own_tensor = _attribute(reference, net, "tensor", TensorSpec, "a TensorSpec")
    if (array or own_tensor) and not (size is None and channels is None):
        raise SettingError(
            f"expected no --size and --channels for {reference}, which reads arrays, found one", hint="leave it out"
        )
    if array:
        return _covering(tensor_shape(array), data)
    if own_tensor:
        say(f"arrays: {own_tensor}, scale {own_tensor.scale:g}, zero point {own_tensor.zero_point} ({reference}'s)")
        return own_tensor  # type: ignore[no-any-return]
    own_image = _attribute(reference, net, "image", ImageSpec, "an ImageSpec")
    image = image_as_asked(own_image or ImageSpec(), size, channels)
    say_image(image, f"{reference}'s" if own_image else "this SDK's own; another is the attribute `image`")
    return image


def _covering(shape: tuple[int, ...], data: str) -> TensorSpec:
    """Returns the arrays' input, whose codes span the numbers in `data`."""
    if data == NONE:
        raise SettingError(
            "expected arrays whose numbers decide the input's scale, found --data none",
            hint="give --data, or give the net the attribute `tensor`, a TensorSpec",
        )
    spec = spanning(load_pictures(data).train, shape)
    say(f"arrays: {spec}, scale {spec.scale:g}, zero point {spec.zero_point}, which span the numbers in {data}")
    return spec


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
