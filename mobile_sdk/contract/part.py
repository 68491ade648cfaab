"""Defines what the parts of a contract have in common: mistakes in them are told in one line."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from mobile_sdk.document import SHORT, Document
from mobile_sdk.errors import SettingError

SIDE, SIDES = "side", "sides"
"""These name the two forms of a size; a message leaves them out, as it does the kinds of inputs."""


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


def plain_place(place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Returns pydantic's place of a mistake without the names of forms that a field can have."""
    kept = place[:2] + place[3:] if place[:1] == ("inputs",) else place
    return tuple(each for each in kept if each not in (SIDE, SIDES))


def _mistake(part: type[Part], error: ValidationError) -> ContractError:
    """Returns the first mistake that pydantic found, as one line; a field's earlier name comes before all others."""
    model, problems = part.__name__, error.errors(include_url=False)
    problem = next((each for each in problems if _name_of_now(part, each)), problems[0])
    kind, place, reason = problem["type"], plain_place(problem["loc"]), str(problem["msg"])
    field = str(place[0]) if place else None
    if kind == "value_error":  # raised in this file, with its full message
        reason = reason.removeprefix("Value error, ")
        return ContractError(f"expected a possible {model}, found: {reason}", hint="correct it", field=field)
    if place[:2] == ("inputs", 0):
        field = str(problem["loc"][2]) if len(problem["loc"]) > 2 else "input"
        place = (field, *place[2:])
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
    wanted = reason.removeprefix("Input should be ").removeprefix("Tuple should have ")
    wanted = wanted.partition(", unable")[0].partition(" after validation")[0]
    return f"a number {wanted}" if wanted.startswith(("greater", "less")) else wanted
