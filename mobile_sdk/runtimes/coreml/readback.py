"""Proves that a saved program is the requested one: every operation, connection, number, shape and option."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.coreml.mil_writer import INPUT_LABEL, labels, output_names
from mobile_sdk.runtimes.coreml.package.contents import read_contents
from mobile_sdk.runtimes.coreml.package.program_file import MilOperation, MilProgram
from mobile_sdk.runtimes.coreml.requested import Requested, RequestedProgram
from mobile_sdk.runtimes.differences import unequal

_PROGRAM = "the whole program"


def package_differences(package: Path, fresh: Path, graph: Graph) -> list[str]:
    """Names every difference between two packages, of which `fresh` is the one that was just written for `graph`.

    Raises BundleError if the other one is damaged.
    """
    found, written = read_contents(package), read_contents(fresh)
    return [
        *_between(written.operations, found.operations, graph),
        *unequal(_PROGRAM, "the order of operations", list(written.operations), list(found.operations)),
        *unequal(_PROGRAM, "the package", written.rest, found.rest),
    ]


def _between(asked: Mapping[str, Any], found: Mapping[str, Any], graph: Graph) -> Iterator[str]:
    paths = {each.output.name: each.path for each in graph.operators}
    ends = {name: paths[output.name] for name, output in zip(output_names(graph), graph.outputs, strict=True)}
    places = {INPUT_LABEL: "the input"}
    places |= {label.partition("_")[0]: each.path for label, each in zip(labels(graph), graph.operators, strict=True)}
    for name in dict.fromkeys((*asked, *found)):
        path = ends.get(name) or places.get(name.partition("_")[0], _PROGRAM)
        yield from unequal(path, f"the operation {name}", asked.get(name), found.get(name))


def check_saved(requested: RequestedProgram, program: MilProgram) -> None:
    """Raises CompileError at the first difference between the saved program and the requested one."""
    for difference in differences(requested, program):
        raise CompileError(difference, hint="use coremltools 9.0, or report this as a bug")


def differences(requested: RequestedProgram, program: MilProgram) -> Iterator[str]:
    """Names every difference, with its module path: nothing may be merged, dropped, put in between or changed."""
    ends = {
        "input": ((requested.input_name, requested.input_shape), (program.input_name, program.input_shape)),
        "colours": (requested.colours, program.colours),
        "outputs": (requested.output_names, tuple(program.outputs)),
        "classifier": (requested.classifier, program.classifier),
        "graph_digest": (requested.graph_digest, program.metadata.get("graph_digest")),
    }
    for what, (expected, found) in ends.items():
        yield from unequal(_PROGRAM, what, expected, found)
    computing = [operation for operation in program.operations if operation.kind != "const"]
    saved = {operation.output: operation for operation in computing}
    names = [each.operation.output for each in requested.operations]
    for each in requested.operations:
        yield from _operation(each, saved.get(each.operation.output))
    for name in sorted(saved.keys() - set(names)):
        yield from unequal(_PROGRAM, f"the operation {name}", "absent", saved[name].kind)
    if saved.keys() == set(names):
        yield from unequal(_PROGRAM, "the order of operations", names, [operation.output for operation in computing])


def _operation(requested: Requested, found: MilOperation | None) -> Iterator[str]:
    asked, path = requested.operation, requested.path
    if found is None or found.kind != asked.kind:
        yield from unequal(path, f"the operation {asked.output}", asked.kind, found.kind if found else "nothing")
        return
    for part in ("dtype", "shape"):
        yield from unequal(path, f"{part} of {asked.output}", getattr(asked, part), getattr(found, part))
    for part in ("arguments", "values"):
        yield from unequal(path, asked.output, getattr(asked, part), getattr(found, part))
