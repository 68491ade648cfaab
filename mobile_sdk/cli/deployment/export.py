"""`mobile-sdk export` writes one bundle a runtime from a program."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_sdk import runtimes
from mobile_sdk.cli import options
from mobile_sdk.cli.tables import show_table
from mobile_sdk.cli.terminal import progress, quiet, show_json
from mobile_sdk.errors import SettingError
from mobile_sdk.workflow.output_paths import folder_to_write
from mobile_sdk.workflow.run_files import TWIN
from qat.progress import say

if TYPE_CHECKING:
    from mobile_sdk.bundle.manifest import StructureEntry
    from mobile_sdk.program.program import Program


@dataclass(frozen=True, kw_only=True)
class FormOptions:
    """Says which model files are written, and in which of the forms that their runtimes have."""

    runtime: Annotated[
        str,
        typer.Option(
            "--runtime",
            "--to",
            metavar="NAME[,…]",
            help=f"Runtimes whose bundles are written: {', '.join(runtimes.names())}; {runtimes.other_names()}.",
        ),
    ] = ",".join(runtimes.usual())
    max_activation_kib: Annotated[
        int | None,
        typer.Option(
            "--max-activation-kib",
            metavar="KIB",
            min=1,
            help="Keep activations within KIB: what is wider runs in strips of rows, some rows twice, with the same "
            "scores. `inspect` shows what limits cost.",
        ),
    ] = None
    compute: Annotated[
        str | None,
        typer.Option(
            "--compute",
            metavar="FORM",
            help="Core ML: exact (usual), the reference's scores on the CPU, or neural-engine, in float16 and int8, as "
            "near to the float net.",
        ),
    ] = None
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            metavar="KIND",
            help="scores (usual), or probabilities, as platforms' own tools take them: Apple's Vision a classifier, "
            "Google's MediaPipe a classifier, a detector or a segmenter.",
        ),
    ] = None
    deployment_target: Annotated[
        str | None,
        typer.Option("--deployment-target", metavar="NAME", help="Core ML: the oldest system, iOS17 (usual) or iOS18."),
    ] = None
    input_: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="TYPE",
            help="LiteRT: uint8 (usual), a picture's bytes, or int8, bytes less 128, for NPUs of integers alone.",
        ),
    ] = None

    @property
    def chosen(self) -> dict[str, str]:
        """Returns what was chosen of the files, by the names of the choices."""
        asked = {
            "compute": self.compute,
            "output": self.output,
            "input": self.input_,
            "deployment_target": self.deployment_target,
        }
        return {name: value for name, value in asked.items() if value is not None}


def export(
    program: Annotated[Path, typer.Argument(metavar="PROGRAM", help="program.pt2, or float.pt2 for float32 bundles.")],
    form: FormOptions,
    with_float: Annotated[
        bool, typer.Option("--float", help="Export float.pt2 beside PROGRAM too: the float32 twin of every bundle.")
    ] = False,
    data: Annotated[
        str | None, typer.Option("--data", metavar="DIR", help="Golden pictures come from here, else they are made up.")
    ] = None,
    sign: Annotated[
        Path | None,
        typer.Option("--sign", metavar="FILE", help="Sign the bundles with this private key, one that `keygen` wrote."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the bundle folders go.")] = Path("bundles"),
    json: options.Json = False,
) -> None:
    """Write a bundle for every runtime: model, bundle.json, labels and golden pictures in one folder."""
    quiet()
    from mobile_sdk.bundle.lowering import lower
    from mobile_sdk.program.viewed_program import load_with_view
    from mobile_sdk.signing.keys import read_private_key

    names = _names(form.runtime)
    if sign is not None:
        read_private_key(sign)  # before anything is written
    chosen = form.chosen
    runtimes.in_form(names, chosen)
    programs = [load_with_view(program)]
    if with_float:
        programs.append(_twin(program, programs[0]))
    pictures = _pictures(programs[0], data)
    bundles = []
    for each in programs:
        with progress("export") as report:
            bundles += lower(
                each,
                folder_to_write(out),
                runtimes=names,
                pictures=pictures,
                activation_limit_kib=form.max_activation_kib
                if each is programs[0]
                else None,  # a twin is only compared
                choices=chosen,
                sign=sign,
                progress=report,
            )
    for bundle in bundles:
        if outside := left_out(bundle.manifest.structure):
            say(f"{bundle.path.name}: {outside}")
    if json:
        show_json([{"bundle": str(each.path), **each.manifest.model_dump(mode="json")} for each in bundles])
        return
    rows = [
        (
            each.path,
            each.manifest.precision_in_words,
            f"{each.model_bytes / 2**20:.2f}",
            each.manifest.structure.partitions,
        )
        for each in bundles
    ]
    show_table(("bundle", "precision", "model MiB", "partitions"), rows, numbers=("model MiB", "partitions"))


def _names(said: str) -> tuple[str, ...]:
    """Returns the names of runtimes, which are known; what the usual ones lack here is reported."""
    names = tuple(runtimes.called(name.strip()) for name in said.split(",") if name.strip())
    for name in names:
        if name not in runtimes.names():
            raise runtimes.unknown(name, runtimes.names())
    if names == runtimes.usual():
        for line in runtimes.left_out():
            say(line)
    return names


def _pictures(program: "Program", data: str | None) -> Any:
    """Returns the pictures that golden ones are chosen of, None if they are made up."""
    if data is None:
        return None
    from mobile_sdk.workflow.tasks import held_out_of

    return held_out_of(program.contract, data)


def left_out(structure: "StructureEntry") -> str | None:
    """Returns a line on what a model's delegate leaves to the runtime's own kernels; None if it takes the net whole."""
    if structure.partitions <= 1 and not structure.not_delegated:
        return None
    counted = Counter(kind for kind, _ in structure.not_delegated)
    kinds = ", ".join(f"{count} {kind}" for kind, count in counted.items()) or "none by name"
    parts = f"{structure.partitions} partitions"
    return (
        f"expected the whole net in one partition, found {parts}; outside: {kinds} (slower, and it may round otherwise)"
    )


def _twin(path: Path, program: "Program") -> "Program":
    """Reads the float32 twin beside an int8 program."""
    from mobile_sdk.program.viewed_program import load_with_view

    twin = path.parent / TWIN
    if program.graph.precision == "float32":
        raise SettingError(f"expected an int8 program with --float, found float32 in {path}", hint="leave --float out")
    if not twin.is_file():
        raise SettingError(f"expected {TWIN} beside {path}, found none", hint="leave --float out, or quantize again")
    return load_with_view(twin)
