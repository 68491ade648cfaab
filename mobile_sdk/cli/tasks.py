"""The tasks of the verbs beside classification, by name."""

from collections.abc import Mapping
from typing import Any

from mobile_sdk.cli.detection import Detection
from mobile_sdk.cli.segmentation import Segmentation
from mobile_sdk.cli.task import Task

DETECTION, SEGMENTATION = Detection(), Segmentation()
TASKS: Mapping[str, Task[Any]] = {task.name: task for task in (DETECTION, SEGMENTATION)}
