"""`mobile-sdk inspect`: what is in a bundle or a program?"""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.terminal import quiet, show_json, show_table

if TYPE_CHECKING:
    from mobile_sdk.bundle import Bundle
    from mobile_sdk.program import Program


def inspect(
    path: Annotated[Path, typer.Argument(metavar="BUNDLE|PROGRAM", help="A bundle folder or a program.pt2.")],
    json: options.Json = False,
) -> None:
    """Show operators, partitions, what is not delegated and why, and bytes per part."""
    quiet()
    from mobile_sdk.bundle import open_bundle
    from mobile_sdk.program import Program

    if path.suffix == ".pt2":
        _program(Program.load(path), json)
    else:
        _bundle(open_bundle(path), json)


def _bundle(bundle: "Bundle", json: bool) -> None:
    from mobile_sdk import runtimes

    manifest = bundle.manifest
    structure = runtimes.get(manifest.runtime).structure(bundle.model_path)
    if json:
        show_json({"manifest": manifest.model_dump(mode="json"), "structure": vars(structure)})
        return
    print(f"{manifest.name}: {manifest.precision} for {manifest.runtime}, {len(manifest.labels)} labels, "
          f"{manifest.image.size_px} px")  # fmt: skip
    show_table(("operator", "count"), sorted(structure.operators.items()), numbers=("count",))
    show_table(
        ("part", "bytes"), [(part, f"{size:,}") for part, size in structure.bytes_by_part.items()], numbers=("bytes",)
    )
    print(f"partitions: {structure.partitions}")
    print(
        f"int8 share of weights: {structure.int8_weight_share:.1%}; float convolutions: {structure.float_convolutions}"
    )
    for operator, why in structure.not_delegated:
        print(f"not delegated: {operator}: {why}")


def _program(program: "Program", json: bool) -> None:
    operators = Counter(type(operator).__name__ for operator in program.graph.operators)
    summary: dict[str, Any] = {
        "contract": program.contract.model_dump(mode="json"),
        "record": program.record.model_dump(mode="json"),
        "operators": dict(operators),
        "digest": program.digest(),
    }
    if json:
        show_json(summary)
        return
    record = program.record
    print(f"{program.contract.name}: {record.net}, {record.quantized}, {len(program.contract.labels)} labels, "
          f"{program.contract.image.size_px} px")  # fmt: skip
    show_table(("operator", "count"), sorted(operators.items()), numbers=("count",))
    for title, accuracy in (("float", record.float_accuracy), ("int8 reference", record.reference_accuracy)):
        if accuracy:
            print(f"{title}: {accuracy.share:.2%} of {accuracy.pictures} pictures")
    print(f"digest: {program.digest()}")
