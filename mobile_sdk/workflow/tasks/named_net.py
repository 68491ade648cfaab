"""Builds the classifier that `--net` names: one of the papers', or the architecture in a saved file."""

from pathlib import Path
from typing import Any

from mobile_sdk.contract import Contract
from mobile_sdk.errors import DataError, SettingError
from qat.nets import ImageClassifier, build_net
from qat.nets.classifiers.mobilenet_v3 import build_for
from qat.nets.saved_net import read_header


def build_named(net: str, contract: Contract, width: float) -> ImageClassifier:
    """Returns the net, freshly initialised, with the contract's labels."""
    fields = header_fields(net, width)
    if fields["architecture"] is not None:
        return build_for(fields["architecture"], contract)
    return build_net(fields["net"], contract, width=fields["width"])


def header_fields(net: str, width: float) -> dict[str, Any]:
    """Returns `net`, `width` and `architecture`, as the header of a file of its weights holds them."""
    path = Path(net)
    if not path.is_file():
        return {"net": net, "width": width, "architecture": None}
    saved = read_header(path)
    if saved is None or saved.contract.task != "classification":
        raise DataError(
            f"expected a classifier that `search` or `train` wrote in {path}, found another file",
            hint="name net.safetensors, or one of `mobile-sdk nets`",
        )
    if width != 1.0:
        raise SettingError(f"expected no --width beside {path}, found {width:g}", hint="leave it out: the file says it")
    return {"net": saved.net, "width": saved.width, "architecture": saved.architecture}
