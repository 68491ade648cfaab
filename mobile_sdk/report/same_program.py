"""Refuses verdicts, numbers and bundles of another program than the one that a report is about."""

from collections.abc import Iterator, Sequence

from mobile_sdk.benchmarking.measurements import Numbers
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.errors import DataError
from mobile_sdk.program.program import Program
from mobile_sdk.verification.verdict import Verdict


def check_same_program(
    program: Program | None, verdicts: Sequence[Verdict], numbers: Numbers | None, bundles: Sequence[Bundle]
) -> None:
    """Raises DataError, which names the first of them that is of another program, or of another state of a bundle.

    A float32 bundle belongs to the program's twin, which is not checked; numbers identify a bundle only by its size.
    """
    for what, hint in _of_others(program, verdicts, numbers, bundles):
        raise DataError(f"expected all of one program in a report, found {what}", hint=hint)


def _of_others(
    program: Program | None, verdicts: Sequence[Verdict], numbers: Numbers | None, bundles: Sequence[Bundle]
) -> Iterator[tuple[str, str]]:
    by_name = {bundle.path.name: bundle for bundle in bundles}
    if program is not None:
        is_float, digest = program.graph.precision == "float32", program.digest()
        for bundle in bundles:
            manifest = bundle.manifest
            if (manifest.precision == "float32") == is_float and manifest.program_sha256 != digest:
                yield f"the bundle {bundle.path.name} of another one", "export it again"
        for verdict in verdicts:
            if (verdict.precision == "float32") == is_float and verdict.program_sha256 != digest:
                yield f"the verdict on {verdict.bundle} of another one", "verify again"
    for verdict in verdicts:
        known = by_name.get(verdict.bundle)
        if known is not None and verdict.manifest_sha256 != known.manifest.manifest_sha256:
            yield f"the verdict on an earlier {verdict.bundle}", "verify again"
    for measurement in numbers.measurements if numbers else ():
        known = by_name.get(measurement.bundle)
        if known is not None and measurement.model_bytes != known.model_bytes:
            yield f"the times of an earlier {measurement.bundle}", "bench again"
