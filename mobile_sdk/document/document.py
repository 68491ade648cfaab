"""Defines the base of everything that is read from disk and validated by pydantic."""

import json
import reprlib
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, ValidationError

from mobile_sdk.document.json_text import parse_json

SHORT = reprlib.Repr()
SHORT.maxtuple = SHORT.maxlist = SHORT.maxdict = 3
SHORT.maxlevel = 2
SHORT.maxstring = SHORT.maxother = 60
_LONGEST_REPR = 200


def _check_finite(value: JsonValue) -> JsonValue:
    json.dumps(value, allow_nan=False)
    return value


FiniteJson = Annotated[JsonValue, AfterValidator(_check_finite)]
"""This is any JSON value with finite numbers: a reader of JSON takes `1e999` for infinity."""


class Document(BaseModel):
    """This is the base of everything that is read from disk: it is frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __repr__(self) -> str:
        """Returns one short line, whatever the document holds."""
        said = ", ".join(f"{name}={SHORT.repr(value)}" for name, value in self.__repr_args__())
        return cut(f"{type(self).__name__}({said})")

    __str__ = __repr__

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **settings: Any) -> Self:
        """Reads a JSON text as pydantic does, which alone takes the last of a key's values; `parse_json` refuses it."""
        try:
            parse_json(json_data if isinstance(json_data, str) else bytes(json_data))
        except ValueError as error:
            found = str(error).splitlines()[0][:200]
            problem: Any = {"type": "json_invalid", "loc": (), "input": found, "ctx": {"error": found}}
            raise ValidationError.from_exception_data(cls.__name__, [problem]) from error
        return super().model_validate_json(json_data, **settings)


def schema_number_of(data: bytes) -> int:
    """Returns the `schema_number` of a JSON document; 0 where it has none, or is no JSON object."""
    try:
        content = parse_json(data)
    except ValueError:
        return 0
    number = content.get("schema_number") if isinstance(content, dict) else None
    return number if type(number) is int else 0


def cut(text: str) -> str:
    """Returns the text, its end left out if it is too long for one line."""
    return text if len(text) <= _LONGEST_REPR else f"{text[: _LONGEST_REPR - 2]}…)"
