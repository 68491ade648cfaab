"""Refuses settings without meaning where they are made, by name and with their values."""

import math
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mobile_sdk.errors import SettingError


@dataclass(frozen=True)
class Rule:
    """Describes a rule for some fields in words, and tests whether an instance keeps it."""

    expected: str
    fields: tuple[str, ...]
    holds: Callable[[Any], bool]


def check_settings(settings: object, rules: Sequence[Rule], where: str) -> None:
    """Raises SettingError for the first rule that `settings` break; `where` names the object in the message."""
    for rule in rules:
        try:
            is_right = rule.holds(settings)
        except (TypeError, ValueError, AttributeError):  # a value of another kind, which cannot even be compared
            is_right = False
        if not is_right:
            found = ", ".join(f"{name}={reprlib.repr(getattr(settings, name))}" for name in rule.fields)
            raise SettingError(f"expected {rule.expected} in {where}, found {found}", hint=f"correct {rule.fields[0]}")


def is_share(value: object) -> bool:
    """Returns whether `value` is a number from 0 to 1."""
    return is_number(value) and 0 <= float(value) <= 1  # type: ignore[arg-type]


def is_number(value: object) -> bool:
    """Returns whether `value` is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_range(value: object) -> bool:
    """Returns whether `value` is two numbers above 0, the first no larger than the second."""
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and all(is_number(each) and each > 0 for each in value)
        and value[0] <= value[1]
    )
