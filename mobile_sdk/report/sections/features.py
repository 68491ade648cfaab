"""Draws the report's section of features: the shape and the range of every output on a golden picture."""

from collections.abc import Iterator

import numpy as np

from mobile_sdk.graph.outputs import separated
from mobile_sdk.report.data import OutputRange, OutputRanges
from mobile_sdk.report.sections.golden import Golden, TaskSection


def golden_ranges(golden: Golden) -> Iterator[OutputRanges]:
    """Yields the ranges of the first bundle's expected outputs of a golden picture."""
    bundle = golden.bundles[0]
    parts = separated(bundle.golden_output(golden.index)[np.newaxis])
    yield OutputRanges(
        computed_by=bundle.manifest.golden.expected_by,
        ranges=tuple(
            OutputRange(
                name=spec.name,
                shape=spec.shape[1:],
                least=float(spec.reals(part).min()),
                greatest=float(spec.reals(part).max()),
            )
            for spec, part in zip(bundle.manifest.outputs, parts, strict=True)
        ),
    )


SECTION = TaskSection(
    title="Outputs",
    quality_template="output_noise.html.j2",
    golden_template="output_ranges.html.j2",
    glance_template="output_ranges.html.j2",
    glanced=1,
    golden_note="Values are the real ones that codes stand for; a map's channels come last.",
    answers=golden_ranges,
)
