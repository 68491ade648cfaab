"""Declares the application: its verbs, each with examples, and the one place where their errors end.

Exit codes: 0 done · 1 a check failed · 2 a setting is wrong · 3 data · 4 a net cannot be captured · 5 a runtime's
compiler refused · 6 a bundle is damaged or from a newer SDK · 7 this machine cannot run that · 70 a bug in this SDK ·
129, 130, 143 stopped by SIGHUP, Ctrl-C, SIGTERM · 141 the reader of the output went away.
"""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from mobile_sdk.cli import stopping
from mobile_sdk.cli.deployment import bench, classify, embed, export, keygen, report, verify
from mobile_sdk.cli.failures import explain
from mobile_sdk.cli.flattening import flattened
from mobile_sdk.cli.insight import about, calibrate, inspect, predict
from mobile_sdk.cli.learning import quantize, run, search, shard, train
from mobile_sdk.cli.processes import speaker
from mobile_sdk.cli.terminal import verbosely
from mobile_sdk.errors import SettingError
from mobile_sdk.workflow.choices import check_choice
from mobile_sdk.workflow.main_process import OtherProcess
from qat.distributed.torchrun import is_main_process
from qat.progress import shown

BROKEN_PIPE = 141  # 128 and the signal's number, as shells say it
DEBUG, QUIET, VERBOSE = "--debug", "--quiet", "--verbose"
COMPLETING = "_MOBILE_SDK_COMPLETE"  # the shell's function sets it, and asks for the words that may follow

EXAMPLES: dict[Callable[..., None], tuple[str, ...]] = {
    run.run: (
        "mobile-sdk run",
        "mobile-sdk run --data photos --net mobilenet_v3_large --out runs/photos",
        "mobile-sdk run --data photos --weights mobilenet_v2.pth --net mobilenet_v2",
        "mobile-sdk run --task detection --data street --net mobilenet_v2",
        "mobile-sdk run --task segmentation --data street",
    ),
    train.train: (
        "mobile-sdk train --data photos --out runs/photos",
        "mobile-sdk train --data photos --net mobilenet_v2 --weights mobilenet_v2.pth --epochs 10",
    ),
    quantize.quantize: (
        "mobile-sdk quantize --weights runs/photos/net.safetensors --data photos --out runs/photos",
        "mobile-sdk quantize --weights mobilenet_v2.pth --net mobilenet_v2 --data camera --epochs 0",
        "mobile-sdk quantize --model my_package.nets:small_net --data photos",
        "mobile-sdk quantize --model my_package.nets:small_net --data photos --keep-float stem,blocks.0",
    ),
    shard.shard: (
        "mobile-sdk shard photos --out shards",
        "mobile-sdk shard imagenet --out /data/imagenet-shards --pictures-per-shard 5000",
    ),
    export.export: (
        "mobile-sdk export runs/photos/program.pt2 --data photos --out runs/photos/bundles",
        "mobile-sdk export runs/photos/program.pt2 --runtime litert --float",
        "mobile-sdk export runs/photos/program.pt2 --max-activation-kib 735",
        "mobile-sdk export runs/photos/program.pt2 --sign keys/signer.pem",
    ),
    verify.verify: (
        "mobile-sdk verify runs/digits/bundles/* --program runs/digits/program.pt2 --data digits --min-accuracy 0.97",
        "mobile-sdk verify digits.tflite --program program.pt2 --data digits --device emulated:cortex-a76",
        "mobile-sdk verify digits.tflite --program program.pt2 --data digits --device adb",
        "mobile-sdk verify fruit.tflite --program program.pt2 --data photos --key keys/signer.pub.pem",
    ),
    classify.classify: (
        "mobile-sdk classify runs/digits/bundles/digits.tflite photo.jpg",
        "mobile-sdk classify runs/photos/program.pt2 photos/*.jpg --top 1",
        "mobile-sdk classify street.executorch crossing.jpg --out drawings",
    ),
    keygen.keygen: ("mobile-sdk keygen keys/signer.pem",),
    bench.bench: (
        "mobile-sdk bench runs/digits/bundles/*",
        "mobile-sdk bench digits.tflite --threads 2 --max-ms 5",
        "mobile-sdk bench digits.tflite digits.executorch --device adb:8A1X0Q2",
    ),
    predict.predict: (
        "mobile-sdk predict mobilenet_v2 --width 0.5 --size 192",
        "mobile-sdk predict runs/photos/program.pt2 --device pixel-2 --runtime tflite-2019",
        "mobile-sdk predict mobilenet_v3_small --device pixel-7 --extrapolate",
        "mobile-sdk predict mobilenet_v3_small --device device.json",
        "mobile-sdk predict mobilenet_v3_small --measured bench.json --measured friends.json",
    ),
    search.search: (
        "mobile-sdk search --target-share 0.7 --out runs/search",
        "mobile-sdk search --data photos --weights runs/photos/net.safetensors --device pixel-3 --target-ms 8",
        "mobile-sdk search --method evolution --target-ms 1.1 --exponent -0.15 --address auto",
    ),
    calibrate.calibrate: ("mobile-sdk calibrate --device host --runtime litert --out host.json",),
    inspect.inspect: (
        "mobile-sdk inspect runs/digits/bundles/digits.tflite",
        "mobile-sdk inspect runs/digits/program.pt2 --json",
        "mobile-sdk inspect runs/digits/program.pt2 --memory",
        "mobile-sdk inspect runs/digits/program.pt2 --sensitivity --data digits --plot layers.png",
    ),
    embed.embed: (
        "mobile-sdk embed runs/digits/bundles/digits.tflite --android android_demo",
        "mobile-sdk embed runs/digits/bundles/digits.coreml --ios ios_demo",
        "mobile-sdk embed fruit.tflite --android android_demo --key keys/signer.pub.pem",
    ),
    report.report: (
        "mobile-sdk report bundles/* --program program.pt2 --verify verify.json --bench bench.json",
        "mobile-sdk report --program program.pt2 --bench bench.json --predict pixel-3",
        "mobile-sdk report --from report.json --out page.html",
    ),
    about.nets: (),
    about.devices: (),
    about.doctor: (),
}


class Verb(TyperCommand):
    """Shows flags without a type, as they take no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Returns the parameters of this verb."""
        return _plain_flags(super().get_params(ctx))


class Verbs(TyperGroup):
    """Refuses a misspelt verb with the nearest one."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Returns the options of all verbs."""
        return _plain_flags(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Returns the verb and its arguments; raises SettingError if there is none of that name."""
        check_choice("a verb", args[0], tuple(self.commands))
        return super().resolve_command(ctx, args)


def _plain_flags(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


app = typer.Typer(
    name="mobile-sdk",
    help="From labelled pictures to one int8 program, and from that to LiteRT, ExecuTorch and Core ML, exactly.",
    epilog="Exit codes: 0 done, 1 a check failed, 2 setting, 3 data, 4 net, 5 compiler, 6 bundle, 7 machine, "
    "129, 130, 143 stopped by SIGHUP, Ctrl-C, SIGTERM.\n\n"
    "Start with: mobile-sdk run. Of a verb: mobile-sdk help VERB",
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb, examples in EXAMPLES.items():
    app.command(cls=Verb, epilog="\n\n".join(("Examples:", *examples)) if examples else None)(flattened(verb))


@app.callback(invoke_without_command=True)
def settings(
    context: typer.Context,
    quiet: Annotated[bool, typer.Option(QUIET, help="Show results and errors alone, no progress.")] = False,
    verbose: Annotated[bool, typer.Option(VERBOSE, help="Show every check, layer and figure in tables.")] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="Show a traceback with an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=about.show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Takes the options of every verb; `call` itself takes the first three out, wherever they are."""
    if context.invoked_subcommand is None:
        context.get_help()  # prints it
        raise typer.Exit(2)


def call(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; whatever happens, the user gets one line and a hint."""
    try:
        return _answered(arguments)
    except KeyboardInterrupt as stopped:
        return _stopped(stopped)


def _answered(arguments: Sequence[str]) -> int:
    try:
        _check_none_is_empty(arguments)
        with shown(QUIET not in arguments), verbosely(VERBOSE in arguments):
            code = _run([argument for argument in arguments if argument not in (DEBUG, QUIET, VERBOSE)])
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of the output, such as `head`, has closed it
        _drop_output()
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the last line of defence
        if stopping.was_stopped():
            return _stopped(error)
        if DEBUG in arguments:
            traceback.print_exc()
        failure = explain(error)
        reasons = "".join(f"  {reason}\n" for reason in failure.reasons)
        stopping.say_last(f"{speaker()}error: {failure.message}\n{reasons}hint: {failure.hint}")
        _drop_output()
        return failure.exit_code


def _check_none_is_empty(arguments: Sequence[str]) -> None:
    """Raises SettingError for an empty argument: as a path it would be the folder where the command runs."""
    for before, argument in pairwise(("mobile-sdk", *arguments)):
        option, equals, value = argument.partition("=")
        if not argument or (equals and not value and option.startswith("--")):
            raise SettingError(
                f"expected a value after {before if not argument else option}, found an empty one",
                hint="leave the option out, or set the shell's variable that was meant",
            )


def _drop_output() -> None:
    """Writes the rest of the output if it can be written; else drops it, so that it is not tried again at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stopped(error: BaseException) -> int:
    return stopping.tell(error) if is_main_process() else stopping.INTERRUPTED


def _run(arguments: list[str]) -> int:
    """Runs the verb without `app(…)`, which turns interrupts, broken pipes and ends of files into codes of its own."""
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    elif arguments == ["version"]:
        arguments = ["--version"]
    command = typer.main.get_command(app)
    try:
        if COMPLETING in os.environ:
            command.main([], prog_name="mobile-sdk")
        with command.make_context("mobile-sdk", arguments) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code
    except SystemExit as ended:  # completion was installed, shown, or answered
        return int(ended.code or 0)
    except OtherProcess:
        return 0
    return 0
