"""Groups options into dataclasses that verbs share; the fields of a block become options of the verb that takes it."""

from dataclasses import dataclass, fields
from typing import Any

from mobile_sdk.cli import options
from mobile_sdk.workflow.choices import DIGITS


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Names the labelled pictures and the learning target."""

    data: options.Data = DIGITS
    task: options.Task = "classification"


@dataclass(frozen=True, kw_only=True)
class StartOptions:
    """Names the weights that training starts from."""

    weights: options.Weights = None
    labels: options.Labels = None


@dataclass(frozen=True, kw_only=True)
class ContractOptions:
    """Sets the contract of the result."""

    size: options.Size = None
    channels: options.Channels = None
    name: options.Name = None


@dataclass(frozen=True, kw_only=True)
class NetOptions:
    """Names the net, its head and its contract."""

    net: options.NetOrWeights = None
    width: options.WidthOrWeights = None
    head: options.Head = None
    output_stride: options.OutputStride = None
    contract: ContractOptions


@dataclass(frozen=True, kw_only=True)
class RecipeOptions:
    """Sets how long a net is trained, and by which recipe."""

    recipe: options.Recipe = None
    epochs: options.Epochs = None


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """Sets what the plan of any recipe leaves open, or changes it."""

    batch_size: options.BatchSize = None
    learning_rate: options.LearningRate = None
    validation_share: options.ValidationShare = None
    class_balance: options.ClassBalance = False
    seed: options.Seed = 0
    tensorboard: options.Tensorboard = False


@dataclass(frozen=True, kw_only=True)
class ResultOptions:
    """Sets how results are written and shown."""

    overwrite: options.Overwrite = False
    json: options.Json = False


def fields_of(*blocks: Any) -> dict[str, Any]:
    """Returns all fields of the blocks by name, those of blocks inside them too."""
    found: dict[str, Any] = {}
    for block in blocks:
        for each in fields(block):
            value = getattr(block, each.name)
            found |= fields_of(value) if hasattr(value, "__dataclass_fields__") else {each.name: value}
    return found
