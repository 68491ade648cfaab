"""Reads the last operation of a classifier, which turns probabilities into a label, and a dictionary by labels."""

from dataclasses import dataclass
from typing import Any

KIND = "classify"
PROBABILITIES = "probabilities"
LABEL, BY_LABEL = "classLabel", "classLabel_probs"
"""These are the outputs' names in Apple's own classifiers; Vision finds them by the model's description."""


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """Holds what makes a program a classifier.

    `source` names the result with the probabilities, `labels` are the keys in its order, `outputs` the names of the
    label and of the dictionary, in the program and then in the model's description.
    """

    source: str
    labels: tuple[str, ...]
    outputs: tuple[str, ...]

    @classmethod
    def of(cls, source: str, labels: tuple[str, ...]) -> "Classifier":
        """Returns a classifier with the names of Apple's own."""
        return cls(source=source, labels=labels, outputs=(LABEL, BY_LABEL) * 2)


def read_classifier(item: Any, description: Any) -> Classifier:
    """Reads a `classify`; raises ValueError if it does not hold texts as labels, or takes what it should not."""
    if set(item.inputs) != {"probabilities", "classes"} or item.blocks or len(item.outputs) != 2:
        raise ValueError(f"a classifier with {', '.join(item.inputs)}")
    (source,), (classes,) = (item.inputs[name].arguments for name in ("probabilities", "classes"))
    texts = [text for value in classes.value.immediateValue.list.values for text in _texts(value)]
    named = (description.predictedFeatureName, description.predictedProbabilitiesName)
    return Classifier(
        source=source.name, labels=tuple(texts), outputs=(*(output.name for output in item.outputs), *named)
    )


def _texts(value: Any) -> list[str]:
    return [str(text) for text in value.immediateValue.tensor.strings.values]
