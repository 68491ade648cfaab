"""Makes the contract that pictures and settings give; an error blames the setting or the labels that caused it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mobile_sdk.contract import Contract, ContractError, NetInput
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.workflow.choices import DIGITS

_LONGEST_NAME = 64


def make_contract(name: str | None, data: str, labels: tuple[str, ...], source: NetInput, **of_task: Any) -> Contract:
    """Returns the contract of that name, or the data's; `of_task` is what the contract of a task holds besides.

    Raises SettingError for the name, DataError for the labels.
    """
    with _blaming_labels(name):
        return Contract(name=name or data_name(data), labels=labels, inputs=(source,), **of_task)


def licensed(contract: Contract, licence: str) -> Contract:
    """Returns the contract with the model's licence; raises SettingError for one that is not a line of text."""
    try:
        return Contract(**contract.model_dump(exclude={"licence"}), licence=licence)
    except ContractError as error:
        raise SettingError(
            f"expected a --licence of up to 200 letters of ASCII, found {licence!r:.60}",
            hint="write its short name, such as Apache-2.0",
        ) from error


@contextmanager
def _blaming_labels(name: str | None) -> Iterator[None]:
    """Turns an error of the contract into a SettingError for its name, or a DataError for its labels."""
    try:
        yield
    except ContractError as error:
        if error.field == "name":
            raise SettingError(
                f"expected a --name of up to {_LONGEST_NAME} letters, digits, _ . and -, found {name!r}",
                hint="write a plain one, such as fruit",
            ) from error
        raise DataError(
            f"expected labels that an app can show, found: {error.message}",
            hint="rename the pictures' folders, or change the list of labels",
        ) from error


def data_name(data: str) -> str:
    """Returns a bundle's default name: the last part of the data's folder, in letters that a file name may have."""
    stem = DIGITS if data == DIGITS else Path(data).resolve().name
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "_" for letter in stem)
    return plain.lstrip("_.-")[:_LONGEST_NAME] or "pictures"
