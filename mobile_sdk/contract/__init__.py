"""Defines the contract between training, bundles and apps: the input and the output of a net."""

from mobile_sdk.contract.contract import (
    MOST_MASK_LABELS,
    TRAITS,
    Contract,
    DetectionSpec,
    Task,
    TaskTraits,
    check_one_input,
    kind_of_input,
)
from mobile_sdk.contract.inputs import (
    LEAST_SIDE_PX,
    MOST_SIDE_PX,
    ImageSpec,
    NetInput,
    SizePx,
    TensorSpec,
    stored_shape,
)
from mobile_sdk.contract.part import ContractError, Part, plain_place

__all__ = [
    "LEAST_SIDE_PX",
    "MOST_MASK_LABELS",
    "MOST_SIDE_PX",
    "TRAITS",
    "Contract",
    "ContractError",
    "DetectionSpec",
    "ImageSpec",
    "NetInput",
    "Part",
    "SizePx",
    "Task",
    "TaskTraits",
    "TensorSpec",
    "check_one_input",
    "kind_of_input",
    "plain_place",
    "stored_shape",
]
