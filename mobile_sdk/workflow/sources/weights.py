"""Reads what `--weights` names, a net that `train` wrote or a published checkpoint; its labels, and pictures for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.contract.input_text import size_px
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.labels.lists import default_labels, numbered_labels, other_names, read_labels
from mobile_sdk.system.regular_file import other_kind
from mobile_sdk.workflow.choices import DEFAULT_NET, NONE
from mobile_sdk.workflow.sources.source_net import SourceNet, say_image
from mobile_sdk.workflow.tasks.classification import Classification
from mobile_sdk.workflow.tasks.labelled_pictures import (
    is_folder,
    labels_of,
    load_pictures,
    load_pictures_of,
    load_unlabelled_of,
)
from mobile_sdk.workflow.tasks.named_net import build_named, header_fields
from qat.data.pictures import Pictures, has_labels, order_note
from qat.nets.saved_net import SavedNet, read_header
from qat.nets.weights.file import read_weight_file
from qat.nets.weights.published import load_weights
from qat.nets.weights.recognition import options_of, recognise
from qat.progress import say

_TASK = Classification()


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Describes a file of weights: its net, the form of its pictures, and the meaning of its scores.

    `net` is what `build_named` takes. `has_names` is True if the file names the labels, or if `is_asked`: `--labels`
    does.
    """

    path: Path
    net: str
    width: float
    title: str
    image: ImageSpec
    labels: tuple[str, ...]
    has_names: bool
    is_asked: bool
    name: str | None = None
    history: tuple[dict[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def float_net(self, contract: Contract) -> SourceNet:
        """Returns the net with these weights, for a contract; one with a new head, of another size, cannot teach."""
        torch.manual_seed(0)  # for a head that is new
        built = build_named(self.net, contract, self.width)
        report = load_weights(built, self.path)
        say(str(report))
        if contract.labels == self.labels and not self.has_names:
            whose = "numbered" if self.labels == numbered_labels(len(self.labels)) else "ImageNet's"
            say(f"the {len(self.labels)} labels are {whose} (--labels FILE says others)")
        can_teach = not report.replaced_head
        return SourceNet(
            task=_TASK,
            net=built.eval(),
            name=self.title,
            contract=contract,
            history=self.history,
            settings=self.settings,
            can_teach=can_teach,
        )

    def contract(self, name: str | None, data: str, labels: tuple[str, ...]) -> Contract:
        """Returns the contract of that name; without one, of the file's, the data's or the net's."""
        return _TASK.contract(name or self.name or (self.title if data == NONE else None), data, labels, self.image)


def read_weights(
    path: Path,
    data: str,
    *,
    net: str | None,
    width: float | None,
    size: int | str | None,
    channels: int | None,
    labels: str | None,
) -> Weights:
    """Reads the file of weights; options add what it does not say. Raises SettingError if both say it, differently."""
    check_weights(path)
    if (saved := read_header(path)) is not None:
        return _trained(path, saved, net=net, width=width, size=size, channels=channels, labels=labels)
    if channels not in (None, 3):
        raise SettingError(
            f"expected --channels 3 for {path}, whose net reads RGB, found {channels}", hint="leave --channels out"
        )
    image = ImageSpec.torchvision(_TASK.size_px(data, size))
    name, alpha = net or DEFAULT_NET, 1.0 if width is None else width
    built = build_named(name, _TASK.contract("net", NONE, numbered_labels(2), image), alpha)
    count = load_weights(built, path).classes_in_file or 2
    say_image(image, "ImageNet's, as PyTorch's published checkpoints have it")
    return Weights(
        path=path,
        net=name,
        width=alpha,
        title=header_fields(name, alpha)["net"],
        image=image,
        labels=read_labels(labels, count) if labels else default_labels(count),
        has_names=labels is not None,
        is_asked=labels is not None,
    )


def check_net_is_named(path: Path, net: str | None) -> None:
    """Raises SettingError if neither the file nor `--net` names the net of its weights; the hint may know it."""
    if net is not None or read_header(path) is not None:
        return
    known = recognise(read_weight_file(path))
    raise SettingError(
        f"expected a net that `train` wrote in {path}, or --net beside a published checkpoint, found neither",
        hint=f"this one looks like {options_of(known)}" if known else "name its net: mobile-sdk nets lists them",
    )


def check_weights(path: Path) -> None:
    """Raises DataError if there is no file at `path`, before anything long begins."""
    if not path.is_file():
        found = other_kind(path) or "nothing"
        hint = "name the file in it" if path.is_dir() else "check the path"
        raise DataError(f"expected a file of weights at {path}, found {found}", hint=hint)


def _trained(
    path: Path,
    saved: SavedNet,
    *,
    net: str | None,
    width: float | None,
    size: int | str | None,
    channels: int | None,
    labels: str | None,
) -> Weights:
    """Describes a file of `train`, which says all but labels that are named anew."""
    contract = saved.contract
    if contract.task != "classification":
        raise DataError(
            f"expected a classifier in {path}, found a net for {contract.task}", hint="name a classifier's weights"
        )
    told: dict[str, tuple[Any, Any]] = {
        "--net": (net, saved.net),
        "--width": (width, saved.width),
        "--size": (size_px(size), contract.image.size_px),
        "--channels": (channels, contract.image.channels),
    }
    for option, (asked, found) in told.items():
        if asked is not None and asked != found:
            raise SettingError(
                f"expected {option} {found} for {path}, found {asked}", hint=f"leave {option} out: the file says it"
            )
    say_image(contract.image, f"as {path.name} says")
    return Weights(
        path=path,
        net=str(path),
        width=1.0,
        title=saved.title,
        name=contract.name,
        image=contract.image,
        labels=read_labels(labels, len(contract.labels)) if labels else contract.labels,
        has_names=True,
        is_asked=labels is not None,
        history=saved.history,
        settings=saved.settings,
    )


def pictures_for(weights: Weights, data: str, *, learns: bool, trains_float: bool) -> Pictures:
    """Returns the pictures, with the labels of the net that they are for.

    The head of the weights stays if the pictures have no labels, if theirs are labels of the weights (all of them, if
    the float net is to be trained), or if `--labels` says what its scores mean. If the weights' classes have no names
    and the folders are equally many, the folders are those classes, in order. Other labels require a new head, which
    something has to train: `learns`.
    """
    contract, known_as = weights.contract("net", data, weights.labels), other_names(weights.labels)
    mine, theirs = set(weights.labels), {known_as.get(label, label) for label in labels_of(data)}
    if is_folder(data) and (not has_labels(data, weights.labels, known_as) or (weights.is_asked and not mine & theirs)):
        return load_unlabelled_of(contract, data)
    keeps_head = weights.is_asked or mine == theirs or (mine > theirs and not trains_float)
    if keeps_head or (weights.has_names and not trains_float):  # of labels that are others this names some
        if mine > theirs:
            say(f"{len(theirs)} of the {len(mine)} labels of {weights.path.name} are in {data}: its head stays")
        return load_pictures_of(contract, data)
    if len(mine) == len(theirs) and not weights.has_names:
        return _of_folders_in_order(weights, data)
    if not learns:
        raise _no_new_head(weights, data, sorted(theirs - mine), len(theirs))
    asked = f"a head for the {len(theirs)} labels in {data}"
    say(f"{weights.path.name} gets {asked}, still to be trained (--labels keeps its own)")
    return load_pictures(data)


def _of_folders_in_order(weights: Weights, data: str) -> Pictures:
    """Returns pictures whose folders name the classes of weights without names, as they do in training scripts."""
    pictures = load_pictures(data)
    say(f"the {len(pictures.labels)} folders in {data} name the classes of {weights.path.name}, in this order")
    if note := order_note(pictures.labels):
        say(f"{note} (--labels FILE says the order)")
    return pictures


def _no_new_head(weights: Weights, data: str, others: list[str], count: int) -> SettingError:
    listed = ", ".join(others[:3]) + (" …" if len(others) > 3 else "")
    return SettingError(
        f"expected a head of {count} classes in {weights.path} for the labels {listed} in {data}, "
        f"found {len(weights.labels)} classes",
        hint="train a new head: give --epochs, or train --weights first; --labels keeps the old, and names its labels",
    )
