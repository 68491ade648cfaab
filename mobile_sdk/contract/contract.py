"""Defines the contract: a net's name, task and labels, and what goes into it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from mobile_sdk.contract.inputs import ImageSpec, NetInput, TensorSpec
from mobile_sdk.contract.part import ContractError, Part

Task = Literal["classification", "detection", "features", "segmentation"]
_BLANK_RANGES = (
    *((0x9, 0xD), (0x1C, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)),
    *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000)),
)
BLANKS = "".join(chr(code) for first, last in _BLANK_RANGES for code in range(first, last + 1))
"""A label of these alone is blank: Unicode's white space and the four information separators, in every language."""
MOST_MASK_LABELS = 255  # a mask holds bytes, and one value marks pixels without a label


@dataclass(frozen=True, kw_only=True)
class TaskTraits:
    """Holds a task's rules for a contract: how many labels, which numbers come before theirs, and its own part.

    A task without labels takes any number of outputs, of any shape.
    """

    least_labels: int
    most_labels: int | None
    gives_boxes: bool
    reads_pictures: bool  # and nothing else, as its answers are places in them
    other_columns: int  # of a score vector, a pixel or an anchor, before the labels' own
    part: str | None  # the field of a contract that belongs to this task alone


TRAITS: Mapping[Task, TaskTraits] = {
    "classification": TaskTraits(
        least_labels=2, most_labels=None, gives_boxes=False, reads_pictures=False, other_columns=0, part=None
    ),
    "detection": TaskTraits(
        least_labels=1, most_labels=None, gives_boxes=True, reads_pictures=True, other_columns=5, part="detection"
    ),
    "features": TaskTraits(
        least_labels=0, most_labels=0, gives_boxes=False, reads_pictures=False, other_columns=0, part=None
    ),
    "segmentation": TaskTraits(
        least_labels=2,
        most_labels=MOST_MASK_LABELS,
        gives_boxes=False,
        reads_pictures=True,
        other_columns=0,
        part=None,
    ),
}


def kind_of_input(value: Any) -> str:
    """Returns the kind of an input, as a spec or as a file spells it; what is no tensor is read as an image."""
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return "tensor" if kind == "tensor" else "image"


AnyInput = Annotated[
    Annotated[ImageSpec, Tag("image")] | Annotated[TensorSpec, Tag("tensor")], Discriminator(kind_of_input)
]


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

    There is exactly one input yet: an image, which `image=` sets, or an array, which `tensor=` sets. `detection` is set
    if that is the task, else absent. `licence` is that of the model, up to 200 letters of ASCII such as "Apache-2.0";
    model files carry it where their format has a place.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    task: Task = "classification"
    labels: tuple[str, ...] = ()
    inputs: tuple[AnyInput, ...] = (ImageSpec(),)
    detection: DetectionSpec | None = Field(default=None, exclude_if=lambda spec: spec is None)
    licence: Annotated[
        str | None, Field(pattern=r"^[!-~]([ -~]{0,198}[!-~])?$", exclude_if=lambda licence: licence is None)
    ] = None

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            name: str,
            labels: tuple[str, ...] = ...,
            task: Task = "classification",
            image: ImageSpec = ...,
            tensor: TensorSpec = ...,
            inputs: tuple[NetInput, ...] = ...,
            detection: DetectionSpec | None = None,
            licence: str | None = None,
        ) -> None: ...

    else:

        def __init__(self, **fields: Any) -> None:
            given = [name for name in ("image", "tensor") if name in fields]
            if len(given) == 1 and "inputs" not in fields:
                fields["inputs"] = (_of_kind(given[0], fields.pop(given[0])),)
            super().__init__(**fields)

        __init__.__pydantic_base_init__ = True  # as in Part

    @property
    def input(self) -> NetInput:
        """Returns the one input."""
        return self.inputs[0]

    @property
    def image(self) -> ImageSpec:
        """Returns the one input, an image; raises ContractError if it is an array."""
        if not isinstance(self.input, ImageSpec):
            reason = f"expected a net that reads pictures, found one that reads an {self.input}"
            raise ContractError(reason, hint="give arrays; contract.input describes them", field="image")
        return self.input

    def without_inputs(self) -> dict[str, Any]:
        """Returns every field of a contract but its inputs, by name."""
        return {name: getattr(self, name) for name in Contract.model_fields if name != "inputs"}

    @property
    def has_labels(self) -> bool:
        """Tells whether the task has labels; without them a net's outputs are taken as they are."""
        return TRAITS[self.task].most_labels != 0

    @property
    def output_columns(self) -> int:
        """Returns the length of a score vector, or of each pixel's or anchor's: a box, "nothing" and the labels.

        It is 0 without labels: outputs then have any shape.
        """
        return len(self.labels) + TRAITS[self.task].other_columns

    @model_validator(mode="after")
    def _check(self) -> "Contract":
        check_one_input(self.inputs)
        traits = TRAITS[self.task]
        if traits.reads_pictures and self.inputs[0].kind != "image":
            raise ValueError(f"a {self.task} reads pictures, not an array")
        for part in filter(None, (each.part for each in TRAITS.values())):
            if (traits.part == part) != (getattr(self, part) is not None):
                raise ValueError(f"the field {part} belongs to the task {part}, and only to it")
        if len(self.labels) < traits.least_labels:
            other = "; task='features' takes any outputs" if traits.other_columns == 0 else ""
            least = _counted(traits.least_labels)
            raise ValueError(f"{self.task} needs {least} or more, not {len(self.labels)}{other}")
        if traits.most_labels is not None and len(self.labels) > traits.most_labels:
            raise ValueError(f"{self.task} takes {_counted(traits.most_labels)} at most, not {len(self.labels)}")
        twice = [label for label, count in Counter(self.labels).items() if count > 1][:3]
        if twice:
            raise ValueError(f"labels must be unique; these occur twice: {', '.join(twice)}")
        unusable = [label for label in self.labels if not label.strip(BLANKS) or "\n" in label or "\r" in label]
        if unusable:
            raise ValueError(f"labels must be one line of text each, not {unusable[0]!r}")
        return self


def _counted(labels: int) -> str:
    return "one label" if labels == 1 else f"{labels or 'no'} labels"


def check_one_input(inputs: Any) -> None:
    """Raises ValueError unless inputs, as specs or as a file spells them, are one image or one array."""
    if isinstance(inputs, list | tuple):
        kinds = [each.get("kind") if isinstance(each, dict) else getattr(each, "kind", None) for each in inputs]
        if len(kinds) != 1 or (isinstance(kinds[0], str) and kinds[0] not in ("image", "tensor")):
            found = ", ".join(map(str, kinds))[:60] if kinds else "none"
            raise ValueError(f"expected one image or tensor as input, found {found}")


def _of_kind(kind: str, given: Any) -> Any:
    """Returns an input as the field of that name takes it: a dictionary of its numbers need not say the kind."""
    return {"kind": kind, **given} if isinstance(given, dict) else given
