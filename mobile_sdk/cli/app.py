"""The application: its verbs, and what becomes of their errors.

Exit codes: 0 done · 1 a check failed · 2 a setting is wrong · 3 data · 4 a net cannot be captured · 5 a runtime's
compiler refused · 6 a bundle is damaged or from a newer SDK · 7 this machine cannot run that · 70 a bug in this SDK ·
130 interrupted.
"""

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from mobile_sdk.cli import about, bench, export, inspect, quantize, report, run, train, verify
from mobile_sdk.errors import SdkError

BUG, INTERRUPTED = 70, 130

app = typer.Typer(
    name="mobile-sdk",
    help="From labelled pictures to one int8 program, and from that to LiteRT, ExecuTorch and Core ML, exactly.",
    epilog="Exit codes: 0 done, 1 a check failed, 2 setting, 3 data, 4 net, 5 compiler, 6 bundle, 7 machine. "
    "Start with: mobile-sdk run",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (
    run.run,
    train.train,
    quantize.quantize,
    export.export,
    verify.verify,
    bench.bench,
    inspect.inspect,
    report.report,
    about.nets,
    about.devices,
    about.doctor,
):
    app.command()(verb)


@app.callback()
def settings(
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback with an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=about.show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """What holds for every verb; `call` reads `--debug` itself, for it must know it when a verb fails."""


def call(arguments: Sequence[str]) -> int:
    """Runs one command line and gives its exit code."""
    debug = "--debug" in arguments[:1]
    try:
        code = app(list(arguments), standalone_mode=False)
        return code if isinstance(code, int) else 0
    except SdkError as error:
        return _failed(error.message, error.hint, error.exit_code, debug)
    except typer.Exit as ended:
        return ended.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("\ninterrupted; what was finished is kept, and the same command goes on", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence: whatever it is, the user gets one line
        if hasattr(error, "format_message"):  # click's own: an option is wrong or missing
            return _failed(error.format_message().splitlines()[0], "add --help to see what it takes", 2, debug)
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        return _failed(
            f"this is a bug in mobile-sdk: {what}", "run mobile-sdk --debug … and report what it prints", BUG, debug
        )


def _failed(message: str, hint: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"error: {message}\nhint: {hint}", file=sys.stderr)
    return code
