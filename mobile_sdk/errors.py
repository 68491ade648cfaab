"""Errors: each is one line that says what was expected and found, one hint, and an exit code.

SdkError
├── SettingError   2  an argument or a setting is wrong
├── DataError      3  pictures or labels cannot be used
├── CaptureError   4  a net cannot be captured as a program
├── CompileError   5  a runtime's compiler refused the program
├── BundleError    6  a program or bundle is damaged, or from a newer SDK
└── MachineError   7  this machine cannot run that

Exit code 1 is no error: it says that a check ran and failed.
"""

from typing import ClassVar


class SdkError(Exception):
    """This is the root of every error that this SDK raises on purpose.

    `message` says in one line what was expected and what was found; `hint` says in the imperative what to do.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = _one_line(message)  # names of files and messages of other libraries may have several
        self.hint = _one_line(hint)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})"


class SettingError(SdkError):
    """An argument or a setting is wrong."""

    exit_code = 2


class DataError(SdkError):
    """Pictures, labels or weights cannot be used."""

    exit_code = 3


class CaptureError(SdkError):
    """A net cannot be captured: it does something that no integer operator expresses."""

    exit_code = 4


class CompileError(SdkError):
    """A runtime's exporter or compiler refused the program."""

    exit_code = 5


class BundleError(SdkError):
    """A program or bundle is damaged, incomplete, or written by a newer SDK."""

    exit_code = 6


class MachineError(SdkError):
    """This machine cannot run what was asked: a package, a device or a right is missing."""

    exit_code = 7


def _one_line(text: str) -> str:
    return " ".join(text.split())
