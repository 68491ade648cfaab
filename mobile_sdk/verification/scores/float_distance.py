"""Measures how far scores are from the float net's, beside how far the int8 reference's are from them.

Int8 rounding puts the reference some 15 to 35 dB from the float net. An accelerator that rounds otherwise adds as much
noise of its own, and so may be 17 dB from a reference that it is as good as. What counts is whether it is further from
the float net than the reference, and whether it loses more of the float net's winners than two equally good nets would.
"""

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.comparison import compare
from mobile_sdk.document import Document
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.program.program import Program
from mobile_sdk.tasks.registry import task_of

STANDARD_ERRORS = 3
"""So far may counts of two equally good nets be apart by chance."""
_PICTURES = 16


class FloatDistance(Document):
    """Holds how far scores, and the int8 reference's, are from the float32 twin's on the same pictures.

    SQNR is in decibels, of all outputs in steps of the program's grids; null without any noise. `winners` counts the
    pictures whose most certain label is the float net's, `reference_winners` those of the reference, and `one_sided`
    those that only one of the two has. `not_finite` counts scores that are NaN or infinite.
    """

    pictures: int
    sqnr_db: float | None
    reference_sqnr_db: float | None
    winners: int
    reference_winners: int
    one_sided: int
    not_finite: int

    @property
    def loss_db(self) -> float:
        """Returns by how many decibels the scores are further from the float net than the reference: below 0, nearer.

        It is infinite for scores that are no numbers, and where the reference alone has no noise.
        """
        if self.not_finite:
            return math.inf
        found, reference = (math.inf if each is None else each for each in (self.sqnr_db, self.reference_sqnr_db))
        return 0.0 if found == reference else reference - found

    @property
    def most_lost(self) -> int:
        """Returns by how many winners chance explains that the scores trail the reference."""
        return most_by_chance(self.one_sided)


def most_by_chance(differing: int) -> int:
    """Returns by how many pictures one of two equally good nets may trail, of which `differing` tell them apart.

    Each is a toss, so the difference has the standard deviation `sqrt(differing)`; one picture is always allowed.
    """
    return max(1, math.floor(STANDARD_ERRORS * math.sqrt(differing)))


def float_distance(
    found: NDArray[Any], reference: NDArray[Any], float_scores: NDArray[Any], program: Program
) -> FloatDistance:
    """Compares the scores of some pictures, a row each: codes, float32 values, or records of several outputs.

    `reference` are the program's own (`program.expected_scores`), and `float_scores` those of its twin. Raises
    ValueError for rows of different lengths.
    """
    ours, reference_s = (
        compare(each, float_scores, in_unit=partial(in_steps, graph=program.graph)) for each in (found, reference)
    )
    wanted = top_classes(float_scores, program)
    hits, reference_hits = ((top_classes(each, program) == wanted) & (wanted >= 0) for each in (found, reference))
    return FloatDistance(
        pictures=len(found),
        sqnr_db=ours.sqnr_db,
        reference_sqnr_db=reference_s.sqnr_db,
        winners=int(hits.sum()),
        reference_winners=int(reference_hits.sum()),
        one_sided=int((hits != reference_hits).sum()),
        not_finite=ours.not_finite,
    )


def top_classes(outputs: NDArray[Any], program: Program, graph: Graph | None = None) -> NDArray[np.int64]:
    """Returns the most certain labels, some pictures at a time: masks in steps take eight times their codes' memory.

    `graph` is the one that gives the outputs, if that is not the program's.
    """
    task, contract = task_of(program.contract), program.contract
    winners = []
    for start in range(0, len(outputs), _PICTURES):
        part = outputs[start : start + _PICTURES]
        joined = task.as_one(part, contract)
        rows = in_steps(part, graph or program.graph) if joined is part else joined
        winners.append(task.top_classes(rows, contract))
    return np.concatenate(winners)


def check_twin(program: Program, twin: Program) -> None:
    """Raises SettingError unless `twin` is float32, of the same input, outputs and labels as `program`."""
    shapes = [[output.shape for output in each.graph.outputs] for each in (program, twin)]
    is_pair = program.contract == twin.contract and shapes[0] == shapes[1]
    if not is_pair or twin.graph.precision != "float32":
        raise SettingError(
            f"expected the float32 twin of {program.contract.name}, found {twin.graph.precision} "
            f"{twin.contract.name} with other {'numbers' if is_pair else 'ends'}",
            hint="give float.pt2 of the `mobile-sdk quantize` that wrote the program",
        )
