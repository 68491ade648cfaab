"""Nets, plans and pictures as arguments: what is of another kind is refused by name, with the call that gives one."""

import itertools
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from mobile_sdk.arguments import NOTHING, described, expect, expect_path
from mobile_sdk.contract import Contract
from mobile_sdk.errors import CaptureError, SettingError
from qat.annotated_set import AnnotatedSet
from qat.picture_set import PictureSet

Kind = TypeVar("Kind")
CONTRACT_HINT = "make one: Contract(name=…, labels=pictures.labels)"
_CALIBRATE_HINT = "give qat.load_folder(path), its .train, or qat.load_unlabelled(path)"


def expect_contract(contract: object) -> None:
    """Raises SettingError where `contract` is none."""
    expect("contract", contract, Contract, hint=CONTRACT_HINT)


def expect_to_build(name: object, contract: object, width: object) -> None:
    """Raises SettingError where a builder's arguments are of other kinds than a name, a contract and a number."""
    expect("name", name, str)
    expect_contract(contract)
    expect("width", width, float, int)


def expect_net(net: object, *, name: str = "net") -> None:
    """Raises SettingError where `net` is no module, CaptureError where a tensor of it has no numbers yet."""
    expect(name, net, nn.Module, hint="give the net itself: qat.build_net(…), or a torch.nn.Module")
    assert isinstance(net, nn.Module)
    for path, tensor in itertools.chain(net.named_parameters(), net.named_buffers()):
        if is_lazy(tensor):
            raise CaptureError(
                f"expected a {name} with numbers in {path}, found one of a lazy module, which has no shape yet",
                hint="call the net once on pictures first",
            )
        if tensor.is_meta:
            raise CaptureError(
                f"expected a {name} with numbers in {path}, found a tensor on the device meta, which holds none",
                hint="load weights first: net.load_state_dict(…, assign=True)",
            )


def expect_to_learn(net: object) -> None:
    """Raises SettingError where `net` is no module with float32 parameters, or has none that gradients may change."""
    expect_float32(net)
    assert isinstance(net, nn.Module)
    if not any(parameter.requires_grad for parameter in net.parameters()):
        raise SettingError(
            "expected a net with parameters to train, found none that requires a gradient",
            hint="unfreeze some: net.requires_grad_(True)",
        )


def expect_float32(net: object) -> None:
    """Raises SettingError where `net` is no module, or has parameters and none of them in float32."""
    expect_net(net)
    assert isinstance(net, nn.Module)
    found = [parameter.dtype for parameter in net.parameters()]
    if found and torch.float32 not in found:
        raise SettingError(f"expected a net in float32, found one in {found[0]}", hint="give net.float()")


def expect_float_net(net: object) -> None:
    """Raises SettingError where `net` is no module, or has been prepared already."""
    expect_net(net)
    if _is_prepared(net):
        raise SettingError(
            f"expected a float net, found a {type(net).__name__}, which is prepared already",
            hint="give the float net that it was prepared from, or freeze this one",
        )


def expect_prepared(net: object) -> None:
    """Raises SettingError where `net` is not one that `prepare` gave."""
    if not _is_prepared(net):
        raise SettingError(
            f"expected a net from qat.prepare, found {described(net)}",
            hint="prepare it: qat.prepare(net, contract); or use qat.quantize, which does it all",
        )


def expect_plan(plan: object, kind: type) -> None:
    """Raises SettingError where `plan` is neither None nor of that `kind`."""
    expect("plan", plan, kind, NOTHING, hint=f"make one: qat.{kind.__name__}(…), or leave it out")


def to_calibrate_on(pictures: object) -> PictureSet:
    """The pictures to calibrate on: of pictures in two parts those to learn from, else all of them.

    SettingError where they are no pictures.
    """
    chosen = getattr(pictures, "train", pictures)
    if isinstance(chosen, AnnotatedSet):
        return chosen.pictures
    if not isinstance(chosen, PictureSet):
        raise SettingError(f"expected pictures to calibrate on, found {described(pictures)}", hint=_CALIBRATE_HINT)
    return chosen


def to_judge_by(pictures: object, kind: type[Kind], loader: str) -> Kind:
    """The pictures to evaluate on: of pictures in two parts those held out; SettingError for others than `kind`."""
    chosen = getattr(pictures, "validation", pictures)
    if not isinstance(chosen, kind):
        raise SettingError(
            f"expected a {kind.__name__} to evaluate on, found {described(pictures)}",
            hint=f"give qat.{loader}(path), or its .validation",
        )
    return chosen


def to_learn_from(pictures: object, kind: type, loader: str) -> None:
    """Raises SettingError where pictures to train on are not of that `kind`, which has two parts."""
    if not isinstance(pictures, kind):
        raise SettingError(
            f"expected {kind.__name__}, to learn from and held out, found {described(pictures)}",
            hint=f"give qat.{loader}(path), or make them: {kind.__name__}(train=…, validation=…, labels=…)",
        )


def folder_or_none(out: Path | str | None) -> Path | None:
    """The folder `out`, if there is one; SettingError where it is no path."""
    if out is None:
        return None
    expect_path("out", out)
    return Path(out)


def _is_prepared(net: object) -> bool:
    from qat.preparation import FakeQuantNet  # it knows torchao: float training does without

    return isinstance(net, FakeQuantNet)
