"""Describes a bundle: the manifest that exporting a program writes, and with which `verify` compares what it finds."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.bundle.golden.tolerance import golden_tolerances, is_by_reference
from mobile_sdk.bundle.manifest import (
    FileEntry,
    GoldenEntry,
    GoldenPicture,
    Manifest,
    QualityEntry,
    QuantizationEntry,
    StructureEntry,
    input_entry,
)
from mobile_sdk.bundle.manifest_file import SCHEMA
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.base import Runtime
from mobile_sdk.system.seal import NO_SEAL


def describe(
    program: Program,
    runtime: Runtime,
    *,
    structure: StructureEntry,
    golden: GoldenEntry,
    files: tuple[FileEntry, ...],
    activation_limit_kib: int | None,
) -> Manifest:
    """Returns the manifest of the program's bundle, not sealed yet, with what was read of its files."""
    contract, record, interface = program.contract, program.record, runtime.interface(program.graph)
    return Manifest(
        schema_number=SCHEMA,
        **contract.without_inputs(),
        inputs=(input_entry(contract.input, interface.input),),
        outputs=interface.outputs,
        runtime=runtime.name,
        processors=runtime.processors,
        precision=program.graph.precision,
        model=runtime.model_file,
        quantization=QuantizationEntry.of(program.graph, record.quantized),
        quality=QualityEntry.of(record, contract),
        structure=structure,
        golden=golden,
        activation_limit_kib=activation_limit_kib,
        form=runtime.form,
        files=files,
        program_sha256=program.digest(),
        graph_sha256=program.graph.digest(),
        manifest_sha256=NO_SEAL,
    )


def describe_golden(
    program: Program,
    runtime: Runtime,
    *,
    source: Literal["given", "generated"],
    scores: NDArray[np.generic],
    pixels: NDArray[np.uint8],
    pictures: Sequence[GoldenPicture],
) -> GoldenEntry:
    """Returns the entry of golden images: `scores` are the expected outputs, a row each, `pixels` their bytes."""
    tolerances = golden_tolerances(program, runtime, scores, pixels)
    return GoldenEntry(
        source=source,
        expected_by="reference" if is_by_reference(program, runtime) else runtime.name,
        tolerance=max(tolerances),
        tolerances=tolerances if len(tolerances) > 1 else (),
        pictures=tuple(pictures),
    )
