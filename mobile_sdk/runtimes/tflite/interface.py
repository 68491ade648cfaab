"""Describes the ends of the file that is written for a graph, in any of its forms."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Self

from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.base import InputSpec, Interface, OutputSpec, input_name
from mobile_sdk.runtimes.choices import Choices
from mobile_sdk.runtimes.tflite.probabilities import with_probabilities
from mobile_sdk.tasks.detection import SCORE
from mobile_sdk.tasks.softmax import PROBABILITIES

CHOICES: Choices = MappingProxyType({"input": ("uint8", "int8"), "output": ("scores", PROBABILITIES)})
"""A picture's bytes, or its codes for processors of integers alone; scores, or shares for MediaPipe's tasks."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """Says which form of the file is asked for: whether it reads codes, and whether it gives probabilities."""

    reads_codes: bool = False
    gives_probabilities: bool = False

    @classmethod
    def of(cls, chosen: Mapping[str, str]) -> Self:
        """Returns the form with these values of `CHOICES`."""
        return cls(reads_codes=chosen["input"] == "int8", gives_probabilities=chosen["output"] == PROBABILITIES)

    def computed(self, graph: Graph) -> Graph:
        """Returns the graph that the file computes."""
        return with_probabilities(graph) if self.gives_probabilities else graph


USUAL = Form()


def interface_of(graph: Graph, form: Form) -> Interface:
    """Returns the tensors of the file: a picture's bytes or codes, or an array's codes, and what the graph gives."""
    specs = OutputSpec.all_of(form.computed(graph))
    if form.gives_probabilities:
        specs = tuple(
            spec.model_copy(update={"activation": "softmax"}) if spec.name in (PROBABILITIES, SCORE) else spec
            for spec in specs
        )
    dtype: Literal["uint8", "int8"] = "int8" if form.reads_codes or not graph.reads_picture else "uint8"
    return Interface(input=InputSpec.of_bytes(graph, input_name(graph), dtype), outputs=specs)
