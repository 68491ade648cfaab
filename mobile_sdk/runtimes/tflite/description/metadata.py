"""Describes a model in TensorFlow Lite's own metadata: who made it, its ends, normalization, and the labels."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.base import InputSpec, Interface, OutputSpec
from mobile_sdk.runtimes.flatbuffer.encoding import encode
from mobile_sdk.runtimes.flatbuffer.schema import Schema, read_schema
from mobile_sdk.runtimes.tflite.description.detector import encode_detector
from mobile_sdk.runtimes.tflite.description.labels_archive import LABELS_FILE
from mobile_sdk.tasks.detection import LOCATION
from mobile_sdk.tasks.registry import task_of

AUTHOR = "mobile-sdk"
_PARSER, _PARSER_OF_CUSTOM = "1.0.0", "1.5.0"  # the first parsers that understand all of it
_COLOURS: Mapping[int, str] = {1: "GRAYSCALE", 3: "RGB"}


def encode_metadata(graph: Graph, contract: Contract, ends: Interface) -> bytes:
    """Returns the content of the TFLITE_METADATA of a program's graph, whose file has these ends."""
    whole: dict[str, Any] = {
        "input_tensor_metadata": [_input(contract, ends.input)],
        "output_tensor_metadata": [_output(contract, each) for each in ends.outputs],
    }
    anchors = {each.name: each.shape[1] for each in ends.outputs}.get(LOCATION)
    if anchors is not None:
        whole["custom_metadata"] = [{"name": "DETECTOR_METADATA", "data": encode_detector(anchors, contract)}]
    described = {
        "name": contract.name,
        "description": description_of(graph, contract),
        "version": graph.digest()[:12],
        "subgraph_metadata": [whole],
        "author": AUTHOR,
        "license": contract.licence,
        **({"license": contract.licence} if contract.licence else {}),
        "min_parser_version": _PARSER if anchors is None else _PARSER_OF_CUSTOM,
    }
    return encode(metadata_schema(), described)


def description_of(graph: Graph, contract: Contract) -> str:
    """Returns what the model is, in a line."""
    labels = f", {len(contract.labels)} labels" if contract.has_labels else ""
    return f"{contract.name}: {graph.precision} {contract.input.noun} {contract.task}{labels}"


@cache
def metadata_schema() -> Schema:
    """Returns the part of the metadata's schema that is written."""
    return read_schema(Path(__file__).with_name("written.fbs"))


def _input(contract: Contract, spec: InputSpec) -> dict[str, Any]:
    """Describes the input. Normalization and the tensor's own quantization together give the bytes back."""
    source = contract.input
    least, most = (0.0, 255.0) if spec.dtype == "uint8" else (-128.0, 127.0)
    described: dict[str, Any] = {"name": spec.name, "stats": {"max": [most], "min": [least]}}
    if not isinstance(source, ImageSpec):
        return {**described, "description": f"An {source}", "content": {"content_properties": _FEATURES}}
    colours = _COLOURS.get(source.channels)
    shown = ("ImageProperties", {"color_space": colours}) if colours else _FEATURES
    normalization = {"mean": [float(source.pad_byte)], "std": [source.step_byte]}
    return {
        **described,
        "description": f"A picture, {source}, resized by the bundle's recipe",
        "content": {"content_properties": shown},
        "process_units": [{"options": ("NormalizationOptions", normalization)}],
    }


def _output(contract: Contract, spec: OutputSpec) -> dict[str, Any]:
    if spec.name == LOCATION:
        return {
            "name": spec.name,
            "description": "A row an anchor: its box's vertical and horizontal centre, height and width, as shares",
            "content": {"content_properties": _BOXES},
        }
    is_share = spec.activation == "softmax"
    described: dict[str, Any] = {
        "name": spec.name,
        "description": _SHARES if is_share else task_of(contract).output_description,
        "content": {"content_properties": _FEATURES},
    }
    if is_share:
        described["stats"] = {"max": [1.0], "min": [0.0]}
    if contract.detection is not None:
        least = {"global_score_threshold": contract.detection.score_threshold}
        described["process_units"] = [{"options": ("ScoreThresholdingOptions", least)}]
    if contract.has_labels:
        named = {"name": LABELS_FILE, "description": "A label a line", "type": "TENSOR_AXIS_LABELS"}
        described["associated_files"] = [named]
    return described


_FEATURES: tuple[str, dict[str, Any]] = ("FeatureProperties", {})
_BOXES = ("BoundingBoxProperties", {"index": [0, 1, 2, 3], "type": "BOUNDARIES"})
_SHARES = "Shares of a softmax, labels last, in the order of the labels' file"
