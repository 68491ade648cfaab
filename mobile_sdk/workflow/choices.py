"""Holds the words that a caller chooses from, and the check of a choice; nothing heavy is imported here."""

from collections.abc import Iterable
from difflib import get_close_matches

from mobile_sdk.errors import SettingError

DIGITS = "digits"
NONE = "none"
DEFAULT_NET = "mobilenet_v3_small"
RECIPES = ("default", "digits", "mobilenet-v1", "mobilenet-v2", "mobilenet-v3")
METHODS = ("netadapt", "evolution", "random")  # of search


def check_choice(what: str, found: str, known: Iterable[str]) -> str:
    """Returns `found` if it is among `known`; raises SettingError with the nearest one otherwise."""
    names = tuple(known)
    if found not in names:
        near = get_close_matches(found, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(names)}"
        raise SettingError(f"expected {what} ({', '.join(names)}), found {found!r}", hint=hint)
    return found
