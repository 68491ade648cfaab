"""Brings the start of a search: a net of MobileNetV3's family, its contract and its pictures."""

from dataclasses import dataclass
from typing import Any

from mobile_sdk.contract import Contract
from mobile_sdk.errors import DataError
from mobile_sdk.workflow.search.settings import SearchSettings
from mobile_sdk.workflow.tasks.classification import Classification
from qat.data.pictures import Pictures
from qat.nets.architecture import Architecture
from qat.nets.classifiers.mobilenet_v3 import architecture_of
from qat.nets.saved_net import load_net


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """Holds the start of a search; `state` is None if the start net is still to be trained."""

    net: str
    width: float
    architecture: Architecture
    contract: Contract
    pictures: Pictures
    state: dict[str, Any] | None = None


def choose_source(asked: SearchSettings) -> Source:
    """Returns the start net and its pictures; raises SettingError for a net of another family."""
    task = Classification()
    if asked.weights is None:
        architecture = architecture_of(asked.net, asked.width)
        pictures = task.load_pictures(asked.data)
        image = task.image(asked.data, asked.size)
        contract = task.contract(asked.name, asked.data, pictures.labels, image)
        return Source(net=asked.net, width=asked.width, architecture=architecture, contract=contract, pictures=pictures)
    net, saved = load_net(asked.weights)
    if saved.contract.task != "classification":
        raise DataError(f"expected a classifier in {asked.weights}, found a detector", hint="name a classifier's file")
    contract = task.contract(asked.name or saved.contract.name, asked.data, saved.contract.labels, saved.contract.image)
    return Source(
        net=saved.net,
        width=saved.width,
        architecture=saved.architecture or architecture_of(saved.net, saved.width),
        contract=contract,
        pictures=task.in_order_of(contract, task.load_pictures(asked.data)),
        state=net.state_dict(),
    )
