"""Checks a bundle without a run of the model: its program, and the content of its model file."""

from pathlib import Path

from mobile_sdk.bundle.bundle import Bundle, files_below
from mobile_sdk.bundle.manifest import StructureEntry
from mobile_sdk.bundle.writer import file_entry, written_by
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.errors import BundleError, CompileError, MachineError, SettingError
from mobile_sdk.graph.operators import Conv2d, Graph, Weighted
from mobile_sdk.memory.limit import executed
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.base import Runtime
from mobile_sdk.system.temporary_folder import scratch_folder
from mobile_sdk.verification.verdict import Check


def run(bundle: Bundle, program: Program, runtime: Runtime) -> tuple[StructureEntry | None, list[Check]]:
    """Returns the content of the model file (None if it cannot be read), and all checks of this module."""
    checks = [_program_check(bundle, program), _contract_check(bundle, program), _output_check(bundle, program)]
    name, required = "structure", "a model file that can be read"
    try:
        structure = StructureEntry.of(MODELS.structure(runtime, bundle.model_path))
    except BundleError as error:
        return None, [*checks, Check.judged(name, False, measured="none", required=required, reason=error.message)]
    except (MachineError, ImportError) as error:
        return None, [*checks, Check.skipped(name, required=required, reason=str(error))]
    found = [*_structure_checks(bundle, structure, program.graph), _model_check(bundle, program, runtime)]
    return structure, checks + found


def _program_check(bundle: Bundle, program: Program) -> Check:
    manifest = bundle.manifest
    found = manifest.program_sha256 == program.digest() and manifest.graph_sha256 == program.graph.digest()
    return Check.judged(
        "program",
        found,
        measured=manifest.program_sha256[:12],
        required=f"made from the program {program.digest()[:12]}",
    )


def _contract_check(bundle: Bundle, program: Program) -> Check:
    """Checks the name, the labels in their order, and the picture's recipe."""
    found, expected = bundle.manifest.contract.model_dump(), program.contract.model_dump()
    others = [field for field in expected if found[field] != expected[field]]
    return Check.judged(
        "labels" if others == ["labels"] else "contract",
        not others,
        measured=f"other {', '.join(others)}" if others else "equal",
        required="the program's name, task, labels in their order, and picture recipe",
    )


def _output_check(bundle: Bundle, program: Program) -> Check:
    """Checks the scale and zero point in the manifest, which the app reads scores with."""
    spec, grid = bundle.interface.output, program.graph.output.quantization
    expected = (grid.scale, grid.zero_point) if grid is not None and spec.dtype == "int8" else (None, None)
    right = (spec.scale, spec.zero_point) == expected
    precision = program.graph.precision
    return Check.judged(
        "output scale",
        right and bundle.manifest.precision == precision,
        measured=f"{bundle.manifest.precision} model, scale {spec.scale}, zero point {spec.zero_point}",
        required=f"{precision} model, scale {expected[0]}, zero point {expected[1]}",
    )


def _structure_checks(bundle: Bundle, structure: StructureEntry, graph: Graph) -> list[Check]:
    written = bundle.manifest.structure
    told = ("operators", "int8_weight_share", "float_convolutions", "bytes_by_part")
    others = [field for field in told if getattr(written, field) != getattr(structure, field)]
    left = "; ".join(f"{operator} stays outside: {why}" for operator, why in structure.not_delegated)
    checks = [
        Check.judged(
            "structure",
            not others,
            measured=f"other {', '.join(others)}" if others else "equal",
            required="what the manifest says of the model file",
        ),
        Check.judged(
            "partitions",
            structure.partitions == 1,
            measured=structure.partitions,
            required="1 partition",
            reason=left,
        ),
    ]
    return checks + (_float_checks(structure, graph) if graph.precision != "float32" else [])


def _float_checks(structure: StructureEntry, graph: Graph) -> list[Check]:
    """Checks that no layer is in float32 but those that the program keeps so."""
    layers = [operator for operator in graph.operators if isinstance(operator, Weighted)]
    kept = [layer for layer in layers if layer.weight_scales is None]
    int8_bytes = sum(layer.weight.nbytes for layer in layers if layer.weight_scales is not None)
    share = int8_bytes / max(sum(layer.weight.nbytes for layer in layers), 1)
    convolutions = sum(isinstance(layer, Conv2d) for layer in kept)
    return [
        Check.judged(
            "int8 weights",
            abs(structure.int8_weight_share - share) < 1e-9,
            measured=structure.int8_weight_share,
            required=f"a share of {share:.6g} of all convolution and linear weights",
        ),
        Check.judged(
            "float convolutions",
            structure.float_convolutions == convolutions,
            measured=structure.float_convolutions,
            required=str(convolutions),
        ),
    ]


def _model_check(bundle: Bundle, program: Program, runtime: Runtime) -> Check:
    """Checks every weight, bias and scale: equal packages must export equal bytes.

    Exporting is deterministic.
    """
    name, required = "model file", "byte for byte what exporting the program gives"
    try:
        graph = executed(program.graph, bundle.manifest.activation_limit_kib)
        with scratch_folder() as folder:
            runtime.export(graph, program.contract, folder / bundle.manifest.model)
            fresh = {path: file_entry(Path(folder), path) for path in files_below(folder)}
    except (CompileError, MachineError, SettingError, ImportError) as error:
        return Check.skipped(name, required=required, reason=f"it cannot be exported here: {error}")
    here = {entry.path: entry for entry in bundle.manifest.files if entry.path.startswith(bundle.manifest.model)}
    others = sorted(path for path in fresh.keys() | here.keys() if fresh.get(path) != here.get(path))
    if others and bundle.manifest.versions != written_by(runtime):
        reason = "other versions of the packages wrote it, and their files differ"
        return Check.skipped(name, required=required, reason=reason)
    measured = f"{others[0]} differs" if others else "equal"
    return Check.judged(name, not others, measured=measured, required=required)
