"""Draws the report's section of classification: the most probable labels of golden pictures."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.report.data import Prediction, Score
from mobile_sdk.report.sections.golden import Golden, TaskSection
from mobile_sdk.tasks.softmax import softmax

_SHOWN_SCORES = 5


def golden_predictions(golden: Golden) -> Iterator[Prediction]:
    """Yields the reference's expectation of a golden picture, and every runtime's result."""
    yield from _expected_predictions(golden.bundles, golden.index)
    yield from _found_predictions(golden)


def _expected_predictions(bundles: Sequence[Bundle], index: int) -> Iterator[Prediction]:
    """Yields the reference's expectation; a runtime's own adds nothing to its result."""
    for bundle in bundles:
        if bundle.manifest.golden.expected_by == "reference":
            real = bundle.interface.output.reals(bundle.golden_output(index))
            yield _prediction("reference", bundle.manifest.labels, real)
            return


def _found_predictions(golden: Golden) -> Iterator[Prediction]:
    index = golden.index
    for verdict, title in zip(golden.verdicts, golden.titles, strict=True):
        if index < len(verdict.golden) and None not in verdict.golden[index].found_scores:
            real = np.array(verdict.golden[index].found_scores, dtype=np.float64)
            yield _prediction(title, golden.bundles[0].manifest.labels, real)


def _prediction(computed_by: str, labels: Sequence[str], real: NDArray[np.float64]) -> Prediction:
    """Returns the five most probable labels by the softmax of real scores (classes,)."""
    shares = softmax(real)
    order = np.argsort(-shares, kind="stable")[:_SHOWN_SCORES]
    scores = tuple(Score(label=labels[index], share=min(1.0, float(shares[index]))) for index in order)
    return Prediction(computed_by=computed_by, scores=scores)


SECTION = TaskSection(
    title="Accuracy",
    quality_template="accuracy.html.j2",
    golden_template="predictions.html.j2",
    glance_template="glance_predictions.html.j2",
    glanced=3,
    golden_note="Probabilities in %.",
    answers=golden_predictions,
)
