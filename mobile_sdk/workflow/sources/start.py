"""Chooses the start of a training: a net by name, file or weights, its contract, and its pictures."""

from dataclasses import dataclass
from typing import Any

from mobile_sdk.contract import Contract
from mobile_sdk.errors import SettingError
from mobile_sdk.workflow.choices import DEFAULT_NET
from mobile_sdk.workflow.settings import NetSettings
from mobile_sdk.workflow.sources.published_weights import weights_file
from mobile_sdk.workflow.sources.weights import Weights, pictures_for, read_weights
from mobile_sdk.workflow.tasks import choose_task
from mobile_sdk.workflow.tasks.task import Task
from qat.data.pictures import Pictures


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """Holds the start of a net's training; `weights` is None if it starts from random weights."""

    task: Task[Any]
    net: str
    width: float
    contract: Contract
    pictures: Any
    weights: Weights | None = None

    @property
    def title(self) -> str:
        """Returns the net's name in a text."""
        return self.weights.title if self.weights else self.task.title(self.net)


def choose_start(asked: NetSettings, *, learns: bool = True, trains_float: bool = True) -> Start:
    """Returns the start that the settings select; `learns` and `trains_float` are as `pictures_for` takes them."""
    task = choose_task(asked.task, asked.head, asked.output_stride)
    if asked.weights is not None:
        return _from_weights(task, asked, learns=learns, trains_float=trains_float)
    if asked.labels is not None:
        raise SettingError(
            "expected --labels beside --weights, found it alone", hint="the pictures' folders say labels"
        )
    net, width = asked.net or DEFAULT_NET, 1.0 if asked.width is None else asked.width
    image = task.image(asked.data, asked.size, asked.channels)
    task.check_net(net, width, image)
    pictures = _held_out(task.load_pictures(asked.data), asked)
    contract = task.contract(asked.name, asked.data, pictures.labels, image)
    return Start(task=task, net=net, width=width, contract=contract, pictures=pictures)


def _from_weights(task: Task[Any], asked: NetSettings, *, learns: bool, trains_float: bool) -> Start:
    assert asked.weights is not None
    found = read_weights(
        weights_file(asked.weights, asked.net, asked.width),
        asked.data,
        net=asked.net,
        width=asked.width,
        size=asked.size,
        channels=asked.channels,
        labels=asked.labels,
    )
    pictures = _held_out(pictures_for(found, asked.data, learns=learns, trains_float=trains_float), asked)
    contract = found.contract(asked.name, asked.data, pictures.labels)
    return Start(task=task, net=found.net, width=found.width, contract=contract, pictures=pictures, weights=found)


def _held_out(pictures: Any, asked: NetSettings) -> Any:
    """Returns the pictures, with the asked share of them held out."""
    if asked.validation_share is None:
        return pictures
    if not isinstance(pictures, Pictures):
        raise SettingError(
            f"expected no --validation-share for {asked.task}, found it", hint="lay the pictures out in train/ and val/"
        )
    return pictures.holding_out(asked.validation_share)
