"""Lists the sections of the tasks: a row a task."""

from collections.abc import Mapping

from mobile_sdk.contract import Task
from mobile_sdk.report.sections import classification, detection, features, segmentation
from mobile_sdk.report.sections.golden import TaskSection

SECTIONS: Mapping[Task, TaskSection] = {
    "classification": classification.SECTION,
    "detection": detection.SECTION,
    "features": features.SECTION,
    "segmentation": segmentation.SECTION,
}
