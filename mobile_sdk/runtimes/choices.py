"""Holds what a user chooses of a model file against the choices that a runtime's exporter has."""

from collections.abc import Mapping

from mobile_sdk.errors import SettingError

Choices = Mapping[str, tuple[str, ...]]
"""It maps the name of a choice to its values, the usual one first."""


def complete(form: Mapping[str, str], choices: Choices, runtime: str) -> dict[str, str]:
    """Returns a value for each choice: that of `form`, else the usual one.

    Raises SettingError for a choice that the runtime does not have, and for another value.
    """
    for name, value in form.items():
        if name not in choices:
            known = f"a choice of {runtime} ({', '.join(choices)})" if choices else f"no choices of {runtime}"
            raise SettingError(f"expected {known}, found {name!r}", hint="leave it out")
        if value not in choices[name]:
            raise unknown_value(name, value, choices[name])
    return {name: form.get(name, values[0]) for name, values in choices.items()}


def unknown_value(name: str, value: object, values: tuple[str, ...]) -> SettingError:
    """Returns the error for a value that a choice does not have."""
    known = " or ".join(values)
    return SettingError(f"expected {name} {known}, found {value!r}", hint=f"leave it out for {values[0]}")
