"""Lists the tasks by their names: a row a task."""

from collections.abc import Mapping

from mobile_sdk.contract import Contract
from mobile_sdk.contract import Task as Name
from mobile_sdk.tasks.classification import Classification
from mobile_sdk.tasks.detection import Detection
from mobile_sdk.tasks.features import Features
from mobile_sdk.tasks.segmentation import Segmentation
from mobile_sdk.tasks.task import Task

TASKS: Mapping[Name, Task] = {
    "classification": Classification(),
    "detection": Detection(),
    "features": Features(),
    "segmentation": Segmentation(),
}


def task_of(contract: Contract) -> Task:
    """Returns the contract's task."""
    return TASKS[contract.task]
