"""Defines the contract between training, bundles and apps: the input and the output of a net."""

from mobile_sdk.contract.contract import (
    MOST_MASK_LABELS,
    TRAITS,
    Contract,
    DetectionSpec,
    Task,
    TaskTraits,
    check_one_image,
)
from mobile_sdk.contract.inputs import Channels, ImageSpec
from mobile_sdk.contract.part import ContractError, Part

__all__ = [
    "MOST_MASK_LABELS",
    "TRAITS",
    "Channels",
    "Contract",
    "ContractError",
    "DetectionSpec",
    "ImageSpec",
    "Part",
    "Task",
    "TaskTraits",
    "check_one_image",
]
