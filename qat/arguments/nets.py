"""Checks nets, plans and pictures as arguments, and refuses other types by name, with the call that makes one."""

import itertools
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from mobile_sdk.arguments import NOTHING, expect, expect_path
from mobile_sdk.contract import Contract
from mobile_sdk.errors import CaptureError, SettingError

Kind = TypeVar("Kind")
CONTRACT_HINT = "make one: Contract(name=…, labels=pictures.labels)"


def expect_contract(contract: object) -> None:
    """Raises SettingError if `contract` is none."""
    expect("contract", contract, Contract, hint=CONTRACT_HINT)


def expect_to_build(name: object, contract: object, width: object) -> None:
    """Raises SettingError if a builder's arguments are not a name, a contract and a number."""
    expect("name", name, str)
    expect_contract(contract)
    expect("width", width, float, int)


def expect_net(net: object, *, name: str = "net") -> None:
    """Raises SettingError if `net` is no module, CaptureError if a tensor of it has no numbers yet."""
    if isinstance(net, torch.export.ExportedProgram):
        raise SettingError(
            f"expected Module as {name}, found ExportedProgram", hint="give its module: program.module()"
        )
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
    """Raises SettingError if `net` is no module with float32 parameters, or gradients may change none of them."""
    expect_float32(net)
    assert isinstance(net, nn.Module)
    if not any(parameter.requires_grad for parameter in net.parameters()):
        raise SettingError(
            "expected a net with parameters to train, found none that requires a gradient",
            hint="unfreeze some: net.requires_grad_(True)",
        )


def expect_float32(net: object) -> None:
    """Raises SettingError if `net` is no module, or has parameters and none of them in float32."""
    expect_net(net)
    assert isinstance(net, nn.Module)
    found = [parameter.dtype for parameter in net.parameters()]
    if found and torch.float32 not in found:
        raise SettingError(f"expected a net in float32, found one in {found[0]}", hint="give net.float()")


def expect_plan(plan: object, kind: type) -> None:
    """Raises SettingError if `plan` is neither None nor of that `kind`."""
    expect("plan", plan, kind, NOTHING, hint=f"make one: qat.{kind.__name__}(…), or leave it out")


def folder_or_none(out: Path | str | None) -> Path | None:
    """Returns the folder `out`, if there is one; raises SettingError if it is no path."""
    if out is None:
        return None
    expect_path("out", out)
    return Path(out)
