"""`mobile-sdk inspect` shows the content of a bundle or a program."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.chosen_bits import show_chosen_bits
from mobile_sdk.cli.kept_layers import show_change
from mobile_sdk.cli.tables import show_table, show_text
from mobile_sdk.cli.terminal import quiet, show_json
from mobile_sdk.tasks.class_quality import label_lines

if TYPE_CHECKING:
    from mobile_sdk.bundle.bundle import Bundle
    from mobile_sdk.contract import NetInput
    from mobile_sdk.graph.operators import Operator
    from mobile_sdk.program.program import Program


def inspect(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="BUNDLE|PROGRAM", help="A bundle folder or a program.pt2.")],
    sensitivity: Annotated[
        bool,
        typer.Option(
            "--sensitivity", help="Rank the program's layers by what each costs in SQNR; float.pt2 must lie beside it."
        ),
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="DIR", help="Pictures for the ranking, labelled or not, in any folders; or 'digits'."
        ),
    ] = None,
    pictures: Annotated[
        int, typer.Option("--pictures", min=1, max=256, help="How many of them; all are held in memory at once.")
    ] = 16,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Where the ranking is drawn, *.svg or *.png. Default: beside it."),
    ] = None,
    memory: Annotated[
        bool,
        typer.Option("--memory", help="Show what the program's activations need, where, and what limits on them cost."),
    ] = False,
    json: options.Json = False,
) -> None:
    """Show operators, partitions, what is not delegated, bytes per part; or which layers cost most, or need memory."""
    quiet()
    if memory:
        options.check_unread(context, "beside --memory", "sensitivity")
    if not sensitivity:
        options.check_unread(context, "without --sensitivity", "data", "pictures", "plot")
    if memory:
        from mobile_sdk.cli.insight.memory import show_memory

        return show_memory(path, json)
    if sensitivity:
        from mobile_sdk.cli.insight.sensitivity import show_sensitivity

        return show_sensitivity(path, data, pictures, plot, json)
    from mobile_sdk.devices.model_process import MODELS

    if path.is_dir():
        MODELS.prepare()  # it starts while the rest is imported
    from mobile_sdk.bundle.bundle import open_bundle
    from mobile_sdk.program.viewed_program import load_with_view

    if path.is_file():
        return _program(load_with_view(path), json)
    return _bundle(open_bundle(path), json)


def _bundle(bundle: "Bundle", json: bool) -> None:
    from mobile_sdk.bundle.manifest import StructureEntry
    from mobile_sdk.devices.model_process import MODELS

    manifest = bundle.manifest
    structure = StructureEntry.of(MODELS.structure(bundle.runtime, bundle.model_path))
    if json:
        show_json(
            {
                "manifest": manifest.model_dump(mode="json"),
                "structure": structure.model_dump(mode="json"),
                "signed": bundle.is_signed,
            }
        )
        return
    labels = len(manifest.labels)
    show_text(
        f"{manifest.name}: {manifest.precision_in_words} for {manifest.runtime}, {labels} labels,"
        f" {_size(manifest.input)}"
    )
    show_text("signed: yes; `mobile-sdk verify --key` says by whom" if bundle.is_signed else "signed: no")
    show_table(("operator", "count"), sorted(structure.operators.items()), numbers=("count",))
    sizes = [(part, f"{size:,}") for part, size in structure.bytes_by_part.items()]
    show_table(("part", "bytes"), sizes, numbers=("bytes",))
    show_text(f"partitions: {structure.partitions}")
    share, convolutions = structure.int8_weight_share, structure.float_convolutions
    show_text(f"int8 share of weights: {share:.1%}; float convolutions: {convolutions}")
    for operator, why in structure.not_delegated:
        show_text(f"not delegated: {operator}: {why}")


def _program(program: "Program", json: bool) -> None:
    contract, record = program.contract, program.record
    operators = Counter(map(_kind, program.graph.operators))
    if json:
        said = {"contract": contract.model_dump(mode="json"), "record": record.model_dump(mode="json")}
        show_json({**said, "operators": dict(operators), "digest": program.digest()})
        return
    outputs = zip(program.graph.output_names, program.graph.outputs, strict=True)
    gives = f"{len(contract.labels)} labels" if contract.has_labels else contract.task
    show_text(f"{contract.name}: {record.net}, {record.quantized}, {gives}, {_size(contract.input)}")
    if not contract.has_labels:
        show_table(("output", "shape"), [(name, " × ".join(map(str, each.shape))) for name, each in outputs])
    show_table(("operator", "count"), sorted(operators.items()), numbers=("count",))
    for title, quality in (("float", record.float_quality), ("int8 reference", record.reference_quality)):
        if quality:
            show_text(f"{title}: {quality.value:.2%} of {quality.images} pictures")
            for line in label_lines(contract.labels, quality.by_class):
                show_text(f"{title}: {line}")
    if record.agreement:
        from mobile_sdk.program.agreement import agreement_lines

        for line in agreement_lines(record.agreement, contract.input.noun):
            show_text(line)
    show_change(record)
    show_chosen_bits(record)
    show_text(f"digest: {program.digest()}")


def _kind(operator: "Operator") -> str:
    """Returns the class of an operator, and the bits of its weights where they are not 8."""
    name, bits = type(operator).__name__, getattr(operator, "weight_bits", 8)
    return name if bits == 8 else f"{name}, {bits}-bit weights"


def _size(spec: "NetInput") -> str:
    """Returns what a net reads, in words; of square RGB pictures their side alone."""
    is_square = spec.kind == "image" and spec.shape == (3, *spec.shape[1:2] * 2)
    return f"{spec.shape[1]} px" if is_square else str(spec)
