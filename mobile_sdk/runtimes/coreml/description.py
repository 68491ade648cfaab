"""Describes a model to people, to Vision and to Xcode: author, ends, labels, and the kind of its preview."""

import colorsys
import json
from collections.abc import Mapping
from typing import Any

from mobile_sdk.contract import Contract, ImageSpec, TensorSpec
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.coreml.package.classifier import BY_LABEL, LABEL
from mobile_sdk.runtimes.exact_sums import inexact_paths
from mobile_sdk.tasks.registry import task_of

_OF_CLASSIFIERS = {LABEL: "The likeliest label", BY_LABEL: "The probability of every label, the softmax of the scores"}
_PREVIEW = "com.apple.coreml.model.preview"
_GOLDEN_ANGLE = 0.618034  # of the circle of hues: neighbouring labels get colours that differ


def describe(description: Any, graph: Graph, contract: Contract, digest: str, *, in_float16: bool) -> None:
    """Writes what people and Xcode read of the model into its `description`, a protobuf message."""
    precision = graph.precision
    metadata = description.metadata
    metadata.author = "mobile-sdk"
    metadata.license = contract.licence or ""
    metadata.versionString = digest[:12]
    metadata.shortDescription = (
        f"{contract.name}: {precision} {contract.input.noun} {contract.task}, {len(contract.labels)} labels"
    )
    metadata.userDefined.clear()  # coremltools writes its version and the date there: one graph gives one file
    metadata.userDefined.update(_user_defined(graph, contract, digest, in_float16))
    metadata.userDefined.update(_preview(contract, is_classifier=bool(description.predictedFeatureName)))
    description.input[0].shortDescription = _input_description(contract)
    for output in description.output:
        output.shortDescription = _OF_CLASSIFIERS.get(output.name, task_of(contract).output_description)


def _input_description(contract: Contract) -> str:
    spec = contract.input
    if isinstance(spec, TensorSpec):
        return f"array {spec.shape} of codes: round(number / {spec.scale}) + {spec.zero_point}, within -128..127"
    if isinstance(spec.size_px, int) and spec.channels == 3:
        return f"RGB picture, {spec.size_px} px square, resized by the recipe"
    return f"picture, {spec}, resized by the recipe"


def _user_defined(graph: Graph, contract: Contract, digest: str, in_float16: bool) -> Mapping[str, str]:
    precision = graph.precision
    arithmetic = "float32" if precision == "float32" else "integers in float32"
    keeps_integers = precision != "float32" and not in_float16
    return {
        "graph_digest": digest,
        "precision": precision,
        "arithmetic": "float16" if in_float16 else arithmetic,
        "rounded_sums": json.dumps(inexact_paths(graph) if keeps_integers else []),
        "labels": json.dumps(contract.labels, ensure_ascii=False),
    }


def _preview(contract: Contract, *, is_classifier: bool) -> Mapping[str, str]:
    """Returns what Xcode shows the model's answers by (coremltools' guide, "Xcode Model Preview Types")."""
    if not isinstance(contract.input, ImageSpec):
        return {}
    if is_classifier:
        return {f"{_PREVIEW}.type": "imageClassifier"}
    if task_of(contract).answer != "mask":
        return {}
    colours = [_colour(index) for index in range(len(contract.labels))]
    parameters = json.dumps({"labels": contract.labels, "colors": colours}, ensure_ascii=False)
    return {f"{_PREVIEW}.type": "imageSegmenter", f"{_PREVIEW}.params": parameters}


def _colour(index: int) -> str:
    """Returns a label's colour in hexadecimal digits; the first is black, the background's in most data sets."""
    if index == 0:
        return "#000000"
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN_ANGLE % 1, 0.65, 0.9)
    return f"#{round(red * 255):02X}{round(green * 255):02X}{round(blue * 255):02X}"
