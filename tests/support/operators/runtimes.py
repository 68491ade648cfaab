"""Each runtime on one graph, held to its reference: what tests of single operators claim, a function a claim."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.contract import Contract
from mobile_sdk.errors import CompileError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Graph
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.base import Structure
from mobile_sdk.runtimes.coreai import CoreAIRuntime
from mobile_sdk.runtimes.coreml import CoreMLRuntime
from mobile_sdk.runtimes.coreml.interpreter.interpreter import InterpreterSession
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.onnx import OnnxRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from tests.support.graph_builder import Builder, Wire, pictures
from tests.support.operators.one_operator import contract_for

Pictures = NDArray[np.uint8]
Recipe = Callable[[Builder], Wire]
LITERT, EXECUTORCH, CORE_ML = TfliteRuntime(), ExecuTorchRuntime(), CoreMLRuntime()
ONNX, CORE_AI = OnnxRuntime(), CoreAIRuntime()
ENGINE = CoreMLRuntime({"compute": "neural-engine"})
OF_FLOAT16 = (6.2e-5, 256.0)
"""Between these scales float16 holds codes' values."""
ANY_SIZE = Contract(name="one", labels=("a", "b"))  # the others take no more than its name
EXTRAS: tuple[Any, ...] = tuple(each for each in (ONNX, CORE_AI) if each.unavailable() is None)
"""The extra `dev` brings these; Core AI has no wheel for Linux on Arm."""
RUNTIMES: tuple[Any, ...] = (LITERT, EXECUTORCH, CORE_ML, *EXTRAS)
GIVING_CODES: tuple[Any, ...] = (LITERT, EXECUTORCH, *EXTRAS)
"""These runtimes give an int8 output's codes; Core ML gives what they stand for."""


def computed(runtime: Any, graph: Graph, images: Pictures, folder: Path) -> NDArray[Any]:
    """Returns the runtime's result from the file that it writes; Core ML's program is interpreted, on a Mac too."""
    path = folder / runtime.model_file
    interface = runtime.export(graph, contract_for(graph) if runtime in (CORE_ML, ENGINE) else ANY_SIZE, path)
    load = InterpreterSession if runtime in (CORE_ML, ENGINE) else runtime.load
    session = load(path, interface, threads=1)
    found = np.stack([session.run(image) for image in images])
    session.close()
    return found


def assert_exact(runtime: Any, graph: Graph, folder: Path, images: Pictures | None = None) -> Structure:
    """Every element is the reference's, all computed in one partition; Core ML gives what the codes stand for.

    Pictures are random ones where a test brings none, and their codes must then differ.
    """
    is_given = images is not None
    images = pictures(graph, 8) if images is None else images
    expected: NDArray[Any] = Reference(graph).run(images)
    assert is_given or len(np.unique(expected)) > 3, "the codes say nothing"
    if runtime is CORE_ML:
        grid = arithmetic.quantization_of(graph.output)
        expected = (expected.astype(np.float32) - np.float32(grid.zero_point)) * np.float32(grid.scale)
    np.testing.assert_array_equal(computed(runtime, graph, images, folder), expected)
    structure: Structure = runtime.structure(folder / runtime.model_file)
    assert (structure.partitions, structure.not_delegated) == (1, ())
    if runtime is CORE_ML:
        assert_near_in_float16(graph, images, expected, folder)
    return structure


def assert_near_in_float16(graph: Graph, images: Pictures, expected: NDArray[Any], folder: Path) -> None:
    """The form for the Neural Engine gives the reference's values, but for float16's digits and for ties.

    Its output is not saturated, so it is here. Scales that float16 does not hold are refused by name.
    """
    grid = arithmetic.quantization_of(graph.output)
    try:
        found = computed(ENGINE, graph, images, folder)
    except CompileError as refusal:
        if "float16" not in refusal.message or OF_FLOAT16[0] <= grid.scale <= OF_FLOAT16[1]:
            raise
        return
    low, high = ((end - grid.zero_point) * grid.scale for end in (INT8_MIN, INT8_MAX))
    steps = np.abs(np.clip(found, low, high) - expected) / grid.scale
    assert steps.mean() < 0.5
    assert np.quantile(steps, 0.99) < 2


def assert_near_float(runtime: Any, graph: Graph, folder: Path) -> None:
    """The float32 graph's values are the float reference's, but for rounding."""
    images = pictures(graph, 3)
    expected = FloatReference(graph).run(images)
    assert len(np.unique(expected)) > 3, "the values say nothing"
    np.testing.assert_allclose(computed(runtime, graph, images, folder), expected, rtol=1e-4, atol=1e-4)


def int8(recipe: Recipe) -> Graph:
    """The int8 graph of a recipe of a few operators."""
    return _built(recipe, int8=True)


def float32(recipe: Recipe) -> Graph:
    """The float32 twin of `int8(recipe)`."""
    return _built(recipe, int8=False)


def _built(recipe: Recipe, *, int8: bool) -> Graph:
    build = Builder(int8=int8, seed=0)
    recipe(build)
    return build.graph()
