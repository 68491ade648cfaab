"""This room takes a task's name, and returns its pictures, plans, nets, training and quality.

A new task is a file and a row.
"""

from collections.abc import Mapping
from typing import Any

from mobile_sdk.contract import Contract
from mobile_sdk.workflow.choices import check_choice
from mobile_sdk.workflow.tasks.classification import Classification
from mobile_sdk.workflow.tasks.detection import Detection
from mobile_sdk.workflow.tasks.features import Features
from mobile_sdk.workflow.tasks.segmentation import Segmentation
from mobile_sdk.workflow.tasks.task import Task

TASKS: Mapping[str, type[Task[Any]]] = {each.name: each for each in (Classification, Detection, Features, Segmentation)}


def choose_task(name: str, head: str | None = None, output_stride: int | None = None) -> Task[Any]:
    """Returns the task of that name with that head; raises SettingError for an unknown name."""
    return TASKS[check_choice("a task", name, TASKS)](head, output_stride)


def held_out_of(contract: Contract, data: str) -> Any:
    """Returns the held-out pictures with the truths that the contract's task is measured by."""
    return TASKS[contract.task]().pictures_of(contract, data).validation
