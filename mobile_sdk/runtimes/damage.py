"""Makes one error in one line of whatever a damaged model file makes its readers raise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mobile_sdk.errors import BundleError, SdkError

_LONGEST_QUOTE = 200


def one_line(text: str) -> str:
    """Returns what a message may quote of a file: one printable line, cut down."""
    line = "".join(letter if letter.isprintable() else "?" for letter in text)
    return line if len(line) <= _LONGEST_QUOTE else line[:_LONGEST_QUOTE] + "…"


@contextmanager
def damage_named(error_of: Callable[[str], BundleError]) -> Iterator[None]:
    """Raises `error_of(what was found)` for any exception of the block that is not the SDK's own."""
    try:
        yield
    except SdkError:
        raise
    except Exception as error:  # a changed number in a sealed file can break any assumption
        raise error_of(one_line(f"{type(error).__name__}: {error}")) from error
