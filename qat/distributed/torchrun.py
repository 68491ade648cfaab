"""Reads this process's number among those that `torchrun` started, from its environment."""

import os

from mobile_sdk.errors import SettingError


def process_count() -> int:
    """Returns how many processes train together, over all machines; 1 if `torchrun` did not start this one.

    Raises SettingError if the environment differs from what `torchrun` sets.
    """
    if "LOCAL_RANK" not in os.environ:
        return 1
    _number("LOCAL_RANK", least=0)
    return _number("WORLD_SIZE", least=1)


def process_rank() -> int:
    """Returns this process's number among them, from 0; raises SettingError like `process_count`."""
    count = process_count()
    rank = _number("RANK", least=0) if count > 1 else 0
    if rank >= count:
        raise _wrong("RANK", f"a number below {count}")
    return rank


def is_main_process() -> bool:
    """Returns whether this process writes files and news: process 0, a single one, or one with no valid number."""
    try:
        return process_rank() == 0
    except SettingError:
        return True


def _number(name: str, *, least: int) -> int:
    text = os.environ.get(name, str(least))
    if not (text.isascii() and text.isdecimal() and int(text) >= least):
        raise _wrong(name, f"a number from {least} on")
    return int(text)


def _wrong(name: str, expected: str) -> SettingError:
    return SettingError(
        f"expected {expected} in the variable {name}, found {os.environ.get(name)!r}",
        hint="start it by torchrun, which sets LOCAL_RANK, RANK and WORLD_SIZE, or unset them",
    )
