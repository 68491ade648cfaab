"""Finds the first operator that a runtime computes otherwise than the reference, by cutting the graph.

A graph cut after an operator is a graph, so the bundle's own runtime exports and runs it, whatever the runtime.
Branches make "differs from here on" untrue in general, so a search by halves only proposes an operator: it is the
answer if its output differs and all its inputs agree; otherwise the search continues in the branch that leads to the
differing input.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk import runtimes
from mobile_sdk.arguments import expect
from mobile_sdk.bundle.bundle import OPEN_IT, Bundle
from mobile_sdk.bundle.manifest_file import BundleRefusalError
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.document import Document
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Graph, Tensor
from mobile_sdk.graph.outputs import separated
from mobile_sdk.graph.reference import Reference
from mobile_sdk.memory.limit import executed
from mobile_sdk.preprocess import Sample, to_bytes
from mobile_sdk.program.program import LOAD_IT, Program
from mobile_sdk.runtimes.base import Interface, Runtime
from mobile_sdk.system.temporary_folder import scratch_folder

EXAMPLES = 5

Codes = NDArray[np.int8]


class Example(Document):
    """Holds one element that differs; `coordinate` is (channel, row, column) or (channel,)."""

    coordinate: tuple[int, ...]
    expected: int
    found: int


class FirstDifference(Document):
    """Describes the operator whose inputs the runtime computes like the reference, and whose output it does not."""

    index: int  # of the operator in the program's graph
    operator: str
    path: str  # the module in the user's net
    tensor: str
    elements: int
    differing: int
    max_steps: int
    examples: tuple[Example, ...]


def bisect(
    bundle: Bundle,
    program: Program,
    picture: Sample,
    *,
    progress: Callable[[str], None] | None = None,
) -> FirstDifference | None:
    """Returns the first operator that differs for `picture`, or None if the bundle agrees in every output.

    It exports some `2 log2(operators)` cut graphs to a temporary folder. Raises SettingError for a runtime that does
    not promise these integers, and BundleRefusalError (check "model") if the program, exported afresh, agrees: then no
    operator is to blame, but the bundle's model file is not this program's.
    """
    expect("bundle", bundle, Bundle, hint=OPEN_IT)
    expect("program", program, Program, hint=LOAD_IT)
    expect("picture", picture, Image.Image, np.ndarray, hint="open it: PIL.Image.open(path)")
    _check_settings(bundle, program)
    program = replace(program, graph=executed(program.graph, bundle.manifest.activation_limit_kib))
    runtime, pixels = bundle.runtime, to_bytes(picture, program.contract.input)
    expected = _trace(program.graph, pixels)
    outputs, found = program.graph.outputs, _run(runtime, bundle.model_path, bundle.interface, pixels)
    if all(np.array_equal(codes, expected[output.name]) for codes, output in zip(found, outputs, strict=True)):
        return None
    search = _Search(program, runtime, pixels, expected, progress)
    for last in sorted(_makers(program.graph)[output.name] for output in outputs):
        if search.differs(last):
            return search.report(search.first(_ancestors(program.graph, last)))
    raise BundleRefusalError(
        "model", f"expected {bundle.manifest.model} to be this program's, but exported afresh the program agrees"
    )


class _Search:
    """Runs cut graphs of one program for one picture; every cut is exported once."""

    def __init__(
        self,
        program: Program,
        runtime: Runtime,
        pixels: NDArray[np.uint8],
        expected: dict[str, Codes],
        progress: Callable[[str], None] | None,
    ) -> None:
        self._program, self._runtime, self._pixels = program, runtime, pixels
        self._expected, self._progress = expected, progress
        self._found: dict[int, Codes] = {}

    def first(self, chain: Sequence[int]) -> int:
        """Returns the operator to blame among `chain`: indices in order, of which the last is known to differ."""
        low, high = 0, len(chain) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.differs(chain[middle]) else (middle + 1, high)
        graph = self._program.graph
        for source in _sources(graph, chain[high]):
            if self.differs(source):
                return self.first(_ancestors(graph, source))
        return chain[high]

    def differs(self, index: int) -> bool:
        """Tells whether the runtime's output of that operator differs from the reference's."""
        return not np.array_equal(self._codes(index), self._reference(index))

    def report(self, index: int) -> FirstDifference:
        """Returns the difference at that operator."""
        found, expected = self._codes(index), self._reference(index)
        places = np.argwhere(found != expected)
        operator = self._program.graph.operators[index]
        return FirstDifference(
            index=index,
            operator=type(operator).__name__,
            path=operator.path,
            tensor=operator.output.name,
            elements=found.size,
            differing=len(places),
            max_steps=int(np.abs(found.astype(int) - expected.astype(int)).max()),
            examples=tuple(
                Example(coordinate=tuple(place), expected=int(expected[tuple(place)]), found=int(found[tuple(place)]))
                for place in places[:EXAMPLES].tolist()
            ),
        )

    def _reference(self, index: int) -> Codes:
        return self._expected[self._program.graph.operators[index].output.name]

    def _codes(self, index: int) -> Codes:
        """Returns the runtime's result at that operator, (C, H, W) or (C,)."""
        if index not in self._found:
            operator = self._program.graph.operators[index]
            if self._progress:
                self._progress(f"cutting after {operator.output.name} ({operator.path})")
            cut = _cut(self._program.graph, index)
            with scratch_folder() as folder:
                model = folder / self._runtime.model_file
                interface = self._runtime.export(cut, self._program.contract, model)
                (self._found[index],) = _run(self._runtime, model, interface, self._pixels)
        return self._found[index]


def _check_settings(bundle: Bundle, program: Program) -> None:
    if not program.graph.is_int8 or any(output.dtype != "int8" for output in bundle.interface.outputs):
        raise SettingError(
            f"expected an int8 bundle of a runtime that computes these integers, found {bundle.path.name}",
            hint=f"bisect a bundle of {' or '.join(runtimes.on_devices())}",
        )
    if bundle.manifest.input != program.contract.input:
        raise SettingError("expected a bundle of this program, found other pictures", hint="name the bundle's program")


def _trace(graph: Graph, pixels: NDArray[np.uint8]) -> dict[str, Codes]:
    return {name: codes[0] for name, codes in Reference(graph).trace(pixels[np.newaxis]).items()}


def _run(runtime: Runtime, model: Path, interface: Interface, pixels: NDArray[np.uint8]) -> tuple[Codes, ...]:
    """Returns a model's outputs without their batch, in the graph's layout: maps as (C, H, W)."""
    with MODELS.loaded(runtime, model, interface, threads=1) as session:
        outputs = separated(session.run(pixels)[np.newaxis])
    found = (each[0].transpose(2, 0, 1) if each.ndim == 4 else each[0] for each in outputs)
    return tuple(codes.astype(np.int8) for codes in found)


def _cut(graph: Graph, index: int) -> Graph:
    """Returns the graph whose output is that of operator `index`, with only the operators that it needs."""
    return Graph(input=graph.input, operators=tuple(graph.operators[each] for each in _ancestors(graph, index)))


def _ancestors(graph: Graph, index: int) -> list[int]:
    """Returns the operators that operator `index` needs, in order, itself the last."""
    needed, open_ends = {index}, [index]
    while open_ends:
        fresh = [source for source in _sources(graph, open_ends.pop()) if source not in needed]
        needed.update(fresh)
        open_ends.extend(fresh)
    return sorted(needed)


def _makers(graph: Graph) -> dict[str, int]:
    """Returns the operator that makes each tensor."""
    return {operator.output.name: position for position, operator in enumerate(graph.operators)}


def _sources(graph: Graph, index: int) -> list[int]:
    """Returns the operators whose outputs operator `index` reads."""
    makers, operator = _makers(graph), graph.operators[index]
    names = [operand.name for operand in operator.inputs if isinstance(operand, Tensor)]
    return [makers[name] for name in names if name in makers]
