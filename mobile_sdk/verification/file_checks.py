"""Checks a bundle without a run of the model: its program, and the content of its model file."""

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.manifest import StructureEntry
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.errors import BundleError, MachineError
from mobile_sdk.graph.operators import Conv2d, ConvTranspose2d, Graph, Weighted
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.base import Runtime
from mobile_sdk.verification.manifest_checks import manifest_checks
from mobile_sdk.verification.model_check import model_check
from mobile_sdk.verification.verdict import Check

WITHOUT_DELEGATE = "the runtime runs without its delegate here: its own kernels round otherwise"


def run(bundle: Bundle, program: Program, runtime: Runtime) -> tuple[StructureEntry | None, list[Check]]:
    """Returns the content of the model file (None if it cannot be read), and all checks of a bundle without a run."""
    name, required = "structure", "a model file that can be read"
    try:
        structure = StructureEntry.of(MODELS.structure(runtime, bundle.model_path))
    except BundleError as error:
        unread = Check.judged(name, False, measured="none", required=required, reason=error.message)
        return None, [*manifest_checks(bundle, program, None), unread]
    except (MachineError, ImportError) as error:
        unread = Check.skipped(name, required=required, reason=str(error))
        return None, [*manifest_checks(bundle, program, None), unread]
    checks = [*manifest_checks(bundle, program, structure), *_structure_checks(structure, program.graph)]
    return structure, [*checks, model_check(bundle, program, runtime)]


def _structure_checks(structure: StructureEntry, graph: Graph) -> list[Check]:
    left = "; ".join(f"{operator} stays outside: {why}" for operator, why in structure.not_delegated)
    if not structure.partitions:
        left = WITHOUT_DELEGATE
    checks = [
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
    convolutions = sum(isinstance(layer, Conv2d | ConvTranspose2d) for layer in kept)
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
