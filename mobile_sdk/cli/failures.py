"""Turns an error into one line that says what was expected and found, one hint, and the exit code."""

import errno
from dataclasses import dataclass, replace

import typer

from mobile_sdk.errors import MachineError, SdkError, SettingError

BUG = 70  # EX_SOFTWARE of sysexits.h
_OF_THE_PLAN = frozenset(("--batch-size", "--learning-rate"))
_SHORTER = {"--batch": "--batch-size", "--bs": "--batch-size", "--lr": "--learning-rate"}
_LACKS = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_USAGE_ERROR = typer.BadParameter.__mro__[1]  # click's UsageError, wherever this version of typer keeps it


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Holds the message, the hint and the exit code for the user, and, of several reasons, a line for each."""

    message: str
    hint: str
    exit_code: int
    reasons: tuple[str, ...] = ()


def explain(error: Exception) -> Failure:
    """Returns the failure of an exception; an unexpected exception is a bug, and is called so."""
    if isinstance(error, SdkError):
        reasons = tuple(getattr(error, "__notes__", ()))
        return replace(_failure(error.message, error.hint, error.exit_code), reasons=reasons)
    if isinstance(error, _USAGE_ERROR):
        return _failure(*_usage(error), SettingError.exit_code)
    if lack := _lack(error):
        return lack
    return _failure(
        f"expected no bug in mobile-sdk, found {type(error).__name__}: {error}",
        "run it again with --debug and report what it prints",
        BUG,
    )


def _lack(error: BaseException) -> Failure | None:
    """Returns the machine's lack or refusal, from the error itself or from one that led to it."""
    if isinstance(error, MemoryError):
        return _failure(
            "expected enough memory, found too little", "free some, or ask for less", MachineError.exit_code
        )
    if isinstance(error, OSError) and error.strerror:
        where = f" at {error.filename}" if error.filename is not None else ""
        hint = "check the path, the right to use it, and the free space"
        return _failure(
            f"expected to read and write files, found{where}: {error.strerror}", hint, MachineError.exit_code
        )
    reason = error.__cause__ or error.__context__
    while reason is not None and not (isinstance(reason, OSError) and reason.errno in _LACKS):
        reason = reason.__cause__ or reason.__context__
    return None if reason is None else _lack(reason)


def _failure(message: str, hint: str, exit_code: int) -> Failure:
    return Failure(message=" ".join(message.split()), hint=" ".join(hint.split()), exit_code=exit_code)


def _usage(error: Exception) -> tuple[str, str]:
    """Returns message and hint for arguments that cannot be parsed; click's own words if they are enough."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "mobile-sdk"
    hint = f"see {command} --help"
    parameter = getattr(error, "param", None)
    if hasattr(error, "possibilities"):
        option: str = getattr(error, "option_name", "")
        known = {name for each in context.command.params for name in each.opts} if context else set()
        meant = _SHORTER.get(option, option)
        near = meant if meant in known else " or ".join(error.possibilities or ())
        if meant in _OF_THE_PLAN - known:
            hint = "the training plan decides that; in Python, TrainPlan(batch=…, learning_rate=…)"
        elif near:
            hint = f"did you mean {near}?"
        return f"expected an option of {command}, found {option}", hint
    if parameter is None:
        return f"expected arguments of {command}, found: {error}", hint
    name = parameter.opts[-1] if parameter.param_type_name == "option" else parameter.metavar
    # pydantic's message names the value
    problems: list[dict[str, object]] = getattr(error.__cause__, "errors", list)()
    if problems:
        wanted = str(problems[0]["msg"]).removeprefix("Input should be ").partition(", unable")[0]
        return f"expected {name} to be {wanted}, found {problems[0]['input']!r}", hint
    return f"expected {name}, found {str(getattr(error, 'message', '')) or 'none'}", hint
