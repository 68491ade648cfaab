"""Defines the contract between training, bundles and apps: the input and the output of a net."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from mobile_sdk.document import SHORT, Document
from mobile_sdk.errors import SettingError

Channels = tuple[float, float, float]
Task = Literal["classification", "detection", "segmentation"]
MOST_MASK_LABELS = 255  # a mask holds bytes, and one value marks pixels without a label


@dataclass(frozen=True, kw_only=True)
class TaskTraits:
    """Holds a task's rules for a contract: how many labels, which numbers come before theirs, and its own part."""

    least_labels: int
    most_labels: int | None
    gives_boxes: bool
    other_columns: int  # of a score vector, a pixel or an anchor, before the labels' own
    part: str | None  # the field of a contract that belongs to this task alone


TRAITS: Mapping[Task, TaskTraits] = {
    "classification": TaskTraits(least_labels=2, most_labels=None, gives_boxes=False, other_columns=0, part=None),
    "detection": TaskTraits(least_labels=1, most_labels=None, gives_boxes=True, other_columns=5, part="detection"),
    "segmentation": TaskTraits(
        least_labels=2, most_labels=MOST_MASK_LABELS, gives_boxes=False, other_columns=0, part=None
    ),
}


class ContractError(SettingError, ValueError):
    """A contract, or a part of it, is invalid; `field` is the one to blame, None if several are together."""

    def __init__(self, message: str, *, hint: str, field: str | None) -> None:
        super().__init__(message, hint=hint)
        self.field = field


class Part(Document):
    """This is the base of what people write themselves: their mistakes are ContractErrors; files' are pydantic's."""

    def __init__(self, **fields: Any) -> None:
        for field, value in fields.items():
            if isinstance(value, set | frozenset):  # pydantic would take its elements in any order
                where = f"{type(self).__name__}.{field}"
                message = f"expected {field} in an order for {where}, found a set"
                raise ContractError(message, hint="give a list", field=field)
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _mistake(type(self), error) from None

    # Without this mark pydantic would build what it reads from files by the method above, too.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


class ImageSpec(Part):
    """Describes how a picture becomes `size_px` × `size_px` RGB bytes, and what the bytes mean to the net.

    The resize recipe is: cut the central square whose side is `crop_share` of the shorter side (`fit="crop"`), or take
    the whole picture (`fit="stretch"`); then Pillow's `resize(BILINEAR)`, rows first. The net's float input is
    `(byte - mean_byte) / std_byte`, per channel.

    The defaults make the input exact in int8: scale 1/128, zero point 0, one pad colour for all channels.
    """

    kind: Literal["image"] = "image"
    size_px: Annotated[int, Field(ge=8, le=4096)] = 224
    fit: Literal["crop", "stretch"] = "crop"
    crop_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    mean_byte: Channels = (128.0, 128.0, 128.0)
    std_byte: Channels = (128.0, 128.0, 128.0)

    @model_validator(mode="after")
    def _check(self) -> "ImageSpec":
        if not all(0 <= mean <= 255 for mean in self.mean_byte):
            raise ValueError(f"mean_byte must lie in 0..255 (byte units), not {self.mean_byte}")
        if not all(1 <= std <= 1024 for std in self.std_byte):
            raise ValueError(f"std_byte must lie in 1..1024 (byte units, not 0..1), not {self.std_byte}")
        return self

    @classmethod
    def torchvision(cls, size_px: int = 224) -> "ImageSpec":
        """Returns the preprocessing of PyTorch's ImageNet checkpoints: the central 7/8, ImageNet's mean and std.

        Source: torchvision `transforms/_presets.py`, ImageClassification: mean 0.485 0.456 0.406, std 0.229 0.224 0.225
        of 255.
        """
        return cls(
            size_px=size_px, crop_share=0.875, mean_byte=(123.675, 116.28, 103.53), std_byte=(58.395, 57.12, 57.375)
        )

    @property
    def pad_byte(self) -> int:
        """Returns the byte that the integer net pads with: the mean colour, rounded, averaged over the channels."""
        return round(sum(self.mean_byte) / 3)

    @property
    def step_byte(self) -> float:
        """Returns bytes per unit of the integer net's input: `real = (byte - pad_byte) / step_byte` in each channel."""
        return sum(self.std_byte) / 3

    @property
    def is_uniform(self) -> bool:
        """Tells whether one scale and zero point express `mean_byte` and `std_byte` exactly."""
        return self.mean_byte == (float(self.pad_byte),) * 3 and self.std_byte == (self.step_byte,) * 3


class DetectionSpec(Part):
    """Sets how an app turns boxes and logits into detections; `mobile_sdk.tasks.detection.detect` is the rule.

    A label's share of an anchor (softmax) must reach `score_threshold`. Of two boxes of a label whose overlap
    (intersection over union) is above `iou_threshold` the better one stays. `max_detections` are kept of a picture.
    """

    score_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    iou_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    max_detections: Annotated[int, Field(ge=1, le=1000)] = 100


class Contract(Part):
    """Holds a bundle's promise to the app: its name, its task, its labels in output order, its inputs.

    There is exactly one input yet, an image, which `image=` sets. `detection` is set if that is the task, else absent.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    task: Task = "classification"
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    inputs: tuple[ImageSpec, ...] = (ImageSpec(),)
    detection: DetectionSpec | None = Field(default=None, exclude_if=lambda spec: spec is None)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            name: str,
            labels: tuple[str, ...],
            task: Task = "classification",
            image: ImageSpec = ...,
            inputs: tuple[ImageSpec, ...] = ...,
            detection: DetectionSpec | None = None,
        ) -> None: ...

    else:

        def __init__(self, **fields: Any) -> None:
            if "image" in fields and "inputs" not in fields:
                fields["inputs"] = (fields.pop("image"),)
            super().__init__(**fields)

        __init__.__pydantic_base_init__ = True  # as in Part

    @property
    def image(self) -> ImageSpec:
        """Returns the one input."""
        return self.inputs[0]

    def without_inputs(self) -> dict[str, Any]:
        """Returns every field of a contract but its inputs, by name."""
        return {name: getattr(self, name) for name in Contract.model_fields if name != "inputs"}

    @property
    def output_columns(self) -> int:
        """Returns the length of a score vector, or of each pixel's or anchor's: a box, "nothing" and the labels."""
        return len(self.labels) + TRAITS[self.task].other_columns

    @model_validator(mode="after")
    def _check(self) -> "Contract":
        check_one_image(self.inputs)
        traits = TRAITS[self.task]
        for part in filter(None, (each.part for each in TRAITS.values())):
            if (traits.part == part) != (getattr(self, part) is not None):
                raise ValueError(f"the field {part} belongs to the task {part}, and only to it")
        if len(self.labels) < traits.least_labels:
            raise ValueError(f"a {self.task} needs two labels or more")
        if traits.most_labels is not None and len(self.labels) > traits.most_labels:
            raise ValueError(f"a {self.task} has {traits.most_labels} labels at most, not {len(self.labels)}")
        twice = [label for label, count in Counter(self.labels).items() if count > 1][:3]
        if twice:
            raise ValueError(f"labels must be unique; these occur twice: {', '.join(twice)}")
        unusable = [label for label in self.labels if not label.strip() or "\n" in label or "\r" in label]
        if unusable:
            raise ValueError(f"labels must be one line of text each, not {unusable[0]!r}")
        return self


def check_one_image(inputs: Any) -> None:
    """Raises ValueError unless inputs, as specs or as a file spells them, are one image: no others are taken yet."""
    if isinstance(inputs, list | tuple):
        kinds = [each.get("kind") if isinstance(each, dict) else getattr(each, "kind", None) for each in inputs]
        if len(kinds) != 1 or (isinstance(kinds[0], str) and kinds[0] != "image"):
            found = ", ".join(map(str, kinds))[:60] if kinds else "none"
            raise ValueError(f"expected one image as input, found {found}")


_RENAMED = {
    "least_score_share": "score_threshold",
    "overlap_share": "iou_threshold",
    "most": "max_detections",
    "top1_share": "top1_agreement",
    "float_accuracy": "float_quality",
    "reference_accuracy": "reference_quality",
    "share": "value",
    "pictures": "images",
    "by_label": "by_class",
}
_WORDS = {
    ("Contract", "name"): "1 to 64 of the letters A-Z and a-z, digits, '_', '-' and '.', a letter or digit first,",
    ("Contract", "labels"): "labels, each a string, in the order of the scores",
}
_NO_FIELD = {"missing": ("a value", "give it"), "extra_forbidden": ("no such field", "check its spelling")}


def _mistake(part: type[Part], error: ValidationError) -> ContractError:
    """Returns the first mistake that pydantic found, as one line; a field's earlier name comes before all others."""
    model, problems = part.__name__, error.errors(include_url=False)
    problem = next((each for each in problems if _name_of_now(part, each)), problems[0])
    kind, place, reason = problem["type"], problem["loc"], str(problem["msg"])
    field = str(place[0]) if place else None
    if kind == "value_error":  # raised in this file, with its full message
        reason = reason.removeprefix("Value error, ")
        return ContractError(f"expected a possible {model}, found: {reason}", hint="correct it", field=field)
    if place[:2] == ("inputs", 0):
        place, field = ("image", *place[2:]), "image"
    expected, hint = _NO_FIELD.get(kind, (_WORDS.get((model, str(field))) or _in_words(reason), f"correct {field}"))
    if now := _name_of_now(part, problem):
        hint = f"it is called {now} now"
    found = "nothing" if kind == "missing" else SHORT.repr(problem["input"])
    where = ".".join(map(str, (model, *place)))
    return ContractError(f"expected {expected} for {where}, found {found}", hint=hint, field=field)


def _name_of_now(part: type[Part], problem: Mapping[str, Any]) -> str | None:
    """Returns how this part calls a field that was given by its earlier name."""
    now = _RENAMED.get(str(problem["loc"][-1])) if problem["type"] == "extra_forbidden" else None
    return now if now in part.model_fields else None


def _in_words(reason: str) -> str:
    """Turns pydantic's "Input should be …" into what is expected."""
    wanted = reason.removeprefix("Input should be ").partition(", unable")[0]
    return f"a number {wanted}" if wanted.startswith(("greater", "less")) else wanted
