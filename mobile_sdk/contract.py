"""The contract between training, bundles and apps: what goes into a net and what comes out."""

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from mobile_sdk.document import SHORT, Document
from mobile_sdk.errors import SettingError

Channels = tuple[float, float, float]
Task = Literal["classification", "detection", "segmentation"]
MOST_MASK_LABELS = 255  # a mask is bytes, and one of them says that no label is asked of a pixel


class ContractError(SettingError, ValueError):
    """A contract, or a part of it, cannot be; `field` is the one to blame, None where several are together."""

    def __init__(self, message: str, *, hint: str, field: str | None) -> None:
        super().__init__(message, hint=hint)
        self.field = field


class Part(Document):
    """Base of what people write themselves: their mistakes are ContractErrors, while files' are pydantic's own."""

    def __init__(self, **fields: Any) -> None:
        for field, value in fields.items():
            if isinstance(value, set | frozenset):  # pydantic would take its elements in any order
                where = f"{type(self).__name__}.{field}"
                message = f"expected {field} in an order for {where}, found a set"
                raise ContractError(message, hint="give a list", field=field)
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _mistake(type(self).__name__, error) from None

    # Without this mark pydantic would build what it reads from files by the method above, too.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


class ImageSpec(Part):
    """How a picture becomes `size_px` × `size_px` RGB bytes, and what the bytes mean to the net.

    The resize recipe is: cut the central square whose side is `crop_share` of the shorter side (`fit="crop"`), or take
    the whole picture (`fit="stretch"`); then Pillow's `resize(BILINEAR)`, rows first. The net's float input is
    `(byte - mean_byte) / std_byte`, per channel.

    The defaults make the input exact in int8: scale 1/128, zero point 0, one pad colour for all channels.
    """

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
        """What PyTorch's published ImageNet checkpoints were trained on: the central 7/8, ImageNet's mean and std.

        Source: torchvision `transforms/_presets.py`, ImageClassification: mean 0.485 0.456 0.406, std 0.229 0.224 0.225
        of 255.
        """
        return cls(
            size_px=size_px, crop_share=0.875, mean_byte=(123.675, 116.28, 103.53), std_byte=(58.395, 57.12, 57.375)
        )

    @property
    def pad_byte(self) -> int:
        """The byte that the integer net pads with: the mean colour, rounded, averaged over the channels."""
        return round(sum(self.mean_byte) / 3)

    @property
    def step_byte(self) -> float:
        """Bytes per unit of the integer net's input: `real = (byte - pad_byte) / step_byte`, all channels alike."""
        return sum(self.std_byte) / 3

    @property
    def is_uniform(self) -> bool:
        """Whether one scale and zero point say exactly what `mean_byte` and `std_byte` say."""
        return self.mean_byte == (float(self.pad_byte),) * 3 and self.std_byte == (self.step_byte,) * 3


class DetectionSpec(Part):
    """How an app turns boxes and logits into detections: `mobile_sdk.tasks.detection.detect` is the rule.

    A label's share of an anchor (softmax) must reach `score_threshold`; of two boxes of a label whose overlap
    (intersection over union) is above `iou_threshold` the better one stays; `max_detections` are kept of a picture.
    """

    # Schema 1 of the files has other names.
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    score_threshold: Annotated[float, Field(gt=0, lt=1, alias="least_score_share")] = 0.5
    iou_threshold: Annotated[float, Field(gt=0, lt=1, alias="overlap_share")] = 0.5
    max_detections: Annotated[int, Field(ge=1, le=1000, alias="most")] = 100


class Contract(Part):
    """What a bundle promises to the app: its name, its task, its labels in output order, its picture format.

    `detection` is there where that is the task, and else absent.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    task: Task = "classification"
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    image: ImageSpec = ImageSpec()
    detection: DetectionSpec | None = Field(default=None, exclude_if=lambda spec: spec is None)

    @property
    def output_columns(self) -> int:
        """The numbers that a score vector has, or a pixel, or each anchor: a box, "nothing" and the labels."""
        return len(self.labels) + (5 if self.task == "detection" else 0)

    @model_validator(mode="after")
    def _check(self) -> "Contract":
        if (self.task == "detection") != (self.detection is not None):
            raise ValueError("the field detection belongs to the task detection, and only to it")
        if self.task != "detection" and len(self.labels) < 2:
            raise ValueError(f"a {self.task} needs two labels or more")
        if self.task == "segmentation" and len(self.labels) > MOST_MASK_LABELS:
            raise ValueError(f"a segmentation has {MOST_MASK_LABELS} labels at most, not {len(self.labels)}")
        twice = [label for label, count in Counter(self.labels).items() if count > 1][:3]
        if twice:
            raise ValueError(f"labels must be unique; these occur twice: {', '.join(twice)}")
        unusable = [label for label in self.labels if not label.strip() or "\n" in label or "\r" in label]
        if unusable:
            raise ValueError(f"labels must be one line of text each, not {unusable[0]!r}")
        return self


_WORDS = {
    ("Contract", "name"): "1 to 64 of the letters A-Z and a-z, digits, '_', '-' and '.', a letter or digit first,",
    ("Contract", "labels"): "labels, each a string, in the order of the scores",
}
_NO_FIELD = {"missing": ("a value", "give it"), "extra_forbidden": ("no such field", "check its spelling")}


def _mistake(model: str, error: ValidationError) -> ContractError:
    """The first thing that pydantic found wrong, as one line."""
    problem = error.errors(include_url=False)[0]
    kind, place, reason = problem["type"], problem["loc"], str(problem["msg"])
    field = str(place[0]) if place else None
    if kind == "value_error":  # of this file: it says all
        reason = reason.removeprefix("Value error, ")
        return ContractError(f"expected a possible {model}, found: {reason}", hint="correct it", field=field)
    expected, hint = _NO_FIELD.get(kind, (_WORDS.get((model, str(field))) or _in_words(reason), f"correct {field}"))
    found = "nothing" if kind == "missing" else SHORT.repr(problem["input"])
    where = ".".join(map(str, (model, *place)))
    return ContractError(f"expected {expected} for {where}, found {found}", hint=hint, field=field)


def _in_words(reason: str) -> str:
    """Pydantic's "Input should be …" as what is expected."""
    wanted = reason.removeprefix("Input should be ").partition(", unable")[0]
    return f"a number {wanted}" if wanted.startswith(("greater", "less")) else wanted
