"""Writes a graph as an ML program with coremltools' MIL builder; an int8 graph's integers are computed in float32.

iOS 17 is the first target with `quantize` and `dequantize` of activations; int8 weights are
`constexpr_affine_dequantize`. coremltools' own passes are all switched off: they would merge quantize/dequantize pairs,
fold the factors into the weights, or round everything to float16. The saved file is read back and compared with the
request before it counts.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mobile_sdk.contract import Contract
from mobile_sdk.errors import CompileError
from mobile_sdk.graph.checks.limits import check_graph
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.base import InputSpec, Interface, Layout, OutputSpec
from mobile_sdk.runtimes.coreml.description import describe
from mobile_sdk.runtimes.coreml.mil_writer import colours_of, input_name, output_names
from mobile_sdk.runtimes.coreml.package.classifier import LABEL, PROBABILITIES
from mobile_sdk.runtimes.coreml.package.manifest import MODEL_PATH, WEIGHTS_PATH, manifest_text
from mobile_sdk.runtimes.coreml.package.program_file import read_program
from mobile_sdk.runtimes.coreml.program_writer import build_program
from mobile_sdk.runtimes.coreml.readback import check_saved
from mobile_sdk.runtimes.coreml.requested import RequestedProgram
from mobile_sdk.runtimes.coreml.toolbox import coremltools_quietly
from mobile_sdk.runtimes.shapes import runtime_shape
from mobile_sdk.system.atomic_files import replacing_folder
from mobile_sdk.system.regular_file import MIB
from mobile_sdk.system.temporary_folder import own_folder
from mobile_sdk.tasks.registry import task_of

_PROBE_BYTES = 64 * MIB  # larger than a net for phones


def write_model(
    graph: Graph,
    contract: Contract,
    package: Path,
    *,
    target: str,
    in_float16: bool = False,
    gives_probabilities: bool = False,
) -> None:
    """Writes the `.mlpackage` folder `package` for `target` in one step, replacing one that was there.

    Input: an image, or an array of codes. Outputs: float32, as scores (1, classes) before any softmax; Core ML has no
    int8 outputs before iOS 26. With `in_float16` it is the form for the Neural Engine. Otherwise a sum that float32 may
    have to round (`inexact_paths`) is written and named in the file's metadata, `rounded_sums`. With
    `gives_probabilities` a classifier gives the likeliest label and a dictionary of probabilities beside its scores, as
    Vision takes them. Raises CompileError, with operator and module path, for what cannot be written.
    """
    _check_ends(graph, contract)
    if gives_probabilities and task_of(contract).answer != "label":
        raise CompileError(
            f"expected a classifier to give probabilities of labels, found {contract.task}",
            hint="leave the choice `output` out",
        )
    check_graph(graph)
    with replacing_folder(package) as draft:
        settings = {"in_float16": in_float16, "labels": contract.labels if gives_probabilities else ()}
        requested = _write(graph, contract, draft, target, settings)
        check_saved(requested, read_program(draft))


def interface_of(graph: Graph) -> Interface:
    """Returns the ends of the program that is written for `graph`."""
    return Interface(
        input=_input_of(graph),
        outputs=tuple(
            OutputSpec(
                name=name,
                dtype="float32",
                shape=runtime_shape(output.shape),
                scale=None,
                zero_point=None,
                activation="none",
            )
            for name, output in zip(output_names(graph), graph.outputs, strict=True)
        ),
    )


def _input_of(graph: Graph) -> InputSpec:
    """Returns the input: a picture that Core ML takes as such, or float32 numbers: its bytes, or an array's codes."""
    layouts: dict[int, Layout] = {1: "NC", 2: "NTC", 3: "NCHW"}
    return InputSpec(
        name=input_name(graph),
        dtype="float32" if colours_of(graph) is None else "image",
        shape=(1, *graph.input.shape),
        layout=layouts[len(graph.input.shape)],
        byte_offset=0 if graph.reads_picture else -128,
    )


def _check_ends(graph: Graph, contract: Contract) -> None:
    picture, columns = contract.input.shape, contract.output_columns
    fits = not columns or runtime_shape(graph.output.shape)[-1] == columns
    if graph.input.shape != picture or not fits:
        found = f"{graph.input.shape} to {', '.join(str(output.shape) for output in graph.outputs)}"
        raise CompileError(
            f"expected a graph from {picture} to (…, {columns or '…'}), found {found}",
            hint="freeze the net with the contract that it was trained with",
        )
    if graph.input.quantization is None:
        raise CompileError(
            "expected a graph that takes int8 codes, found a float32 input",
            hint="begin a float32 graph with a Dequantize",
        )


def request(graph: Graph, target: str, **settings: Any) -> RequestedProgram:
    """Returns the program that is requested for `graph`, without a file; the settings are `build_program`'s."""
    with coremltools_quietly() as tools:
        return build_program(tools, graph, target, **settings)[1]


def _write(graph: Graph, contract: Contract, draft: Path, target: str, settings: dict[str, Any]) -> RequestedProgram:
    with coremltools_quietly() as tools, _temporary_files_beside(draft), _full_disk_told(draft):
        program, requested = build_program(tools, graph, target, **settings)
        model = _convert(tools, program, graph, target, settings["labels"])
        spec = model.get_spec()
        digest = graph.digest()
        describe(spec.description, graph, contract, digest, in_float16=settings["in_float16"])
        data = draft / "Data"
        weights = data / WEIGHTS_PATH
        weights.mkdir(parents=True)
        for file in sorted(Path(model.weights_dir).iterdir()) if model.weights_dir else ():
            shutil.copyfile(file, weights / file.name)
        (data / MODEL_PATH).write_bytes(spec.SerializeToString(deterministic=True))
        (draft / "Manifest.json").write_text(manifest_text(digest), encoding="utf-8")
    return requested


@contextmanager
def _full_disk_told(draft: Path) -> Iterator[None]:
    """Raises OSError if coremltools fails because the disk is full; coremltools itself says "unknown error"."""
    try:
        yield
    except RuntimeError:
        with tempfile.TemporaryFile(dir=draft.parent) as probe:
            probe.write(bytes(_PROBE_BYTES))
        raise


@contextmanager
def _temporary_files_beside(draft: Path) -> Iterator[None]:
    """Puts temporary files beside the result inside the block: coremltools leaves them behind if it is killed."""
    before = tempfile.tempdir
    with own_folder(draft.parent) as folder:
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before


def _convert(tools: Any, program: Any, graph: Graph, target: str, labels: tuple[str, ...]) -> Any:
    name, colours = input_name(graph), colours_of(graph)
    shape = program.functions["main"].inputs[name].shape
    if colours is None:
        given = tools.TensorType(name=name, shape=shape, dtype=np.float32)
    else:
        given = tools.ImageType(name=name, shape=shape, color_layout=tools.colorlayout[colours], channel_first=True)
    classifier = tools.ClassifierConfig(
        class_labels=list(labels), predicted_feature_name=LABEL, predicted_probabilities_output=PROBABILITIES
    )
    return tools.convert(
        program,
        source="milinternal",
        convert_to="mlprogram",
        inputs=[given],
        minimum_deployment_target=tools.target[target],
        compute_precision=tools.precision.FLOAT32,
        classifier_config=classifier if labels else None,
        pass_pipeline=tools.PassPipeline.EMPTY,
        skip_model_load=True,
    )
