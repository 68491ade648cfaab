"""Measures each layer's cost in int8, in SQNR of the net's outputs, to show which layers to keep in float.

A layer is every operator of one module path. The float32 twin is run with the program's grids and weights put in for
one layer at a time (its cost), and for all layers but one's weights (the gain of keeping it in float). Layers are taken
in the order of execution, so that of every run only the part behind the layer is computed. Several outputs count alike:
each is divided by its root mean square.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from mobile_sdk.analysis.inputs import Pixels, graph_of, pixels_for
from mobile_sdk.analysis.layer_pairing import Counterpart, Grid, counterparts
from mobile_sdk.comparison import sqnr_db
from mobile_sdk.errors import DataError
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Constant, Graph, Operator, Tensor
from mobile_sdk.graph.reference import Reference, as_nets_read, channels_last
from mobile_sdk.graph.rules import apply
from mobile_sdk.graph.score_steps import real_values
from mobile_sdk.program.program import Program
from mobile_sdk.system.progress import Progress, Report, reported

Values = dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class LayerSensitivity:
    """Holds one layer's cost; SQNR in dB of the outputs against the float32 twin's, None if nothing is lost.

    `alone_db`: only this layer is in int8, its weights and its outputs. `weights_db`: only its weights. `kept_db`: the
    whole program, but this layer as `keep_float` has it: float weights, and its output rounded only for int8 readers.
    `noise_share`: this layer's noise power when alone, of the sum over all layers.
    """

    layer: str
    operators: tuple[str, ...]
    alone_db: float | None
    weights_db: float | None
    kept_db: float | None
    noise_share: float
    weight_bytes: int


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """Holds all layers in the order of execution.

    `program_db` is the reference's SQNR, `simulated_db` that of the twin with every grid put in: when they agree, the
    layers' figures hold for the program.
    """

    pictures: int
    program_db: float | None
    simulated_db: float | None
    layers: tuple[LayerSensitivity, ...]

    def __repr__(self) -> str:
        """Returns the layer that costs most, in one line."""
        worst = f", {self.ranked[0].layer} costs most" if self.layers else ""
        return f"Sensitivity({len(self.layers)} layers, {self.pictures} pictures{worst})"

    @property
    def ranked(self) -> tuple[LayerSensitivity, ...]:
        """Returns the layers, the one that costs most first."""
        return tuple(sorted(self.layers, key=lambda layer: -layer.noise_share))


def layer_sensitivity(
    program: Program | Graph, twin: Program | Graph, pictures: Pixels, *, progress: Progress = True
) -> Sensitivity:
    """Measures every layer of `program` against its float32 `twin` on bytes (N, H, W, C), all N at once.

    It also takes pictures, or arrays, beside a program: 64 of them, from the validation part if there are two.

    Raises SettingError if the two are not of one net, DataError without pictures.
    """
    pixels = pixels_for(program, pictures)
    program, twin = graph_of(program), graph_of(twin)
    if not len(pixels):
        raise DataError("expected pictures to measure on, found none", hint="give 8 or more typical pictures")
    pairs = counterparts(program, twin)
    with torch.inference_mode(), reported(progress, "sensitivity") as report:
        runs = _Runs(pairs, twin, pixels)
        noises = list(runs.all_layers(report))
        simulated = runs.simulated
        computed = runs.weighted(real_values(Reference(program).run(pixels), program))
    total = sum(noise.alone for noise in noises) or 1.0
    signal = runs.signal
    return Sensitivity(
        pictures=len(pixels),
        program_db=_db(_noise(computed, runs.scores), signal),
        simulated_db=_db(simulated, signal),
        layers=tuple(
            LayerSensitivity(
                layer=noise.layer.path,
                operators=tuple(type(pair.operator).__name__ for pair in noise.layer.pairs),
                alone_db=_db(noise.alone, signal),
                weights_db=_db(noise.weights, signal),
                kept_db=_db(noise.kept, signal),
                noise_share=noise.alone / total,
                weight_bytes=sum(pair.snapped.weight_bytes for pair in noise.layer.pairs if pair.snapped),
            )
            for noise in noises
        ),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layer:
    """Holds the operators of one path, and the position of the first in the twin."""

    path: str
    start: int
    pairs: tuple[Counterpart, ...]

    @property
    def outputs(self) -> frozenset[str]:
        return frozenset(pair.operator.output.name for pair in self.pairs)


@dataclass(frozen=True, kw_only=True)
class _Noise:
    """Holds noise powers of the outputs."""

    layer: _Layer
    alone: float
    weights: float
    kept: float


@dataclass(frozen=True, kw_only=True)
class _Mode:
    """Tells whose weights and whose outputs are in int8."""

    weights: frozenset[str]
    outputs: frozenset[str]


class _Runs:
    """Runs the twin; runs share everything before the layer in question."""

    def __init__(self, pairs: Sequence[Counterpart], twin: Graph, pictures: NDArray[np.uint8]) -> None:
        self._pairs, self._outputs = pairs, tuple(output.name for output in twin.outputs)
        self._last_use = {
            x.name: index
            for index, pair in enumerate(pairs)
            for x in pair.operator.inputs
            if not isinstance(x, Constant)
        }
        self._picture = {twin.input.name: as_nets_read(torch.from_numpy(pictures.astype(np.int16) - 128))}
        every = frozenset(pair.operator.output.name for pair in pairs)
        self._float = _Mode(weights=frozenset(), outputs=frozenset())
        self._int8 = _Mode(weights=every, outputs=every)
        exact = self._ends(self._picture, 0, self._float)
        self._weights = [1.0]
        if len(exact) > 1:
            self._weights = [1 / (float(np.sqrt((each**2).mean())) or 1.0) for each in exact]
        self.scores = self.weighted(exact)
        self.signal = float((self.scores**2).sum())
        self.simulated = _noise(self._to_end(self._picture, 0, self._int8), self.scores)

    def all_layers(self, report: Report) -> Iterator[_Noise]:
        """Yields the noises of every layer that the program rounds, in order."""
        exact, rounded, position = dict(self._picture), dict(self._picture), 0
        layers = _layers(self._pairs)
        for layer in layers:
            report(layer.start / len(self._pairs), layer.path)
            self._advance(exact, position, layer.start, self._float)
            self._advance(rounded, position, layer.start, self._int8)
            position = layer.start
            yield self._noises(layer, exact, rounded)

    def _noises(self, layer: _Layer, exact: Values, rounded: Values) -> _Noise:
        has_weights = any(pair.snapped is not None for pair in layer.pairs)
        alone = self._noise_of(layer, exact, _Mode(weights=layer.outputs, outputs=layer.outputs))
        weights = self._noise_of(layer, exact, _Mode(weights=layer.outputs, outputs=frozenset())) if has_weights else 0
        own_outputs = layer.outputs.intersection(self._outputs)
        kept = _Mode(weights=self._int8.weights - layer.outputs, outputs=self._int8.outputs - own_outputs)
        return _Noise(
            layer=layer,
            alone=alone,
            weights=weights,
            kept=self._noise_of(layer, rounded, kept) if has_weights or own_outputs else self.simulated,
        )

    def _noise_of(self, layer: _Layer, before: Values, mode: _Mode) -> float:
        return _noise(self._to_end(before, layer.start, mode), self.scores)

    def weighted(self, outputs: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Returns all outputs, one row a picture, each with its weight."""
        rows = [each.reshape(len(each), -1) * by for each, by in zip(outputs, self._weights, strict=True)]
        return np.concatenate(rows, axis=1)

    def _to_end(self, before: Values, start: int, mode: _Mode) -> NDArray[np.float64]:
        return self.weighted(self._ends(before, start, mode))

    def _ends(self, before: Values, start: int, mode: _Mode) -> list[NDArray[np.float64]]:
        """Returns every output as the reference has it."""
        values = dict(before)
        self._advance(values, start, len(self._pairs), mode)
        return [channels_last(values[name].numpy().astype(np.float64)) for name in self._outputs]

    def _advance(self, values: Values, start: int, end: int, mode: _Mode) -> None:
        """Computes the operators `start` to `end` in place; a value is dropped after its last use."""
        for index in range(start, end):
            pair = self._pairs[index]
            values[pair.operator.output.name] = _computed(pair, values, mode)
            for x in pair.operator.inputs:
                if isinstance(x, Tensor) and self._last_use[x.name] == index and x.name not in self._outputs:
                    values.pop(x.name, None)


def _layers(pairs: Sequence[Counterpart]) -> list[_Layer]:
    """Returns every path at which the program rounds anything, in the order of execution."""
    by_path: dict[str, list[tuple[int, Counterpart]]] = {}
    for index, pair in enumerate(pairs):
        if pair.snapped is not None or pair.output is not None:
            by_path.setdefault(pair.operator.path, []).append((index, pair))
    return [
        _Layer(path=path, start=found[0][0], pairs=tuple(pair for _, pair in found)) for path, found in by_path.items()
    ]


def _computed(pair: Counterpart, values: Mapping[str, torch.Tensor], mode: _Mode) -> torch.Tensor:
    name = pair.operator.output.name
    operator: Operator = pair.operator
    if pair.snapped is not None and name in mode.weights:
        operator = pair.snapped
    operands = [values[x.name] for x in operator.inputs if isinstance(x, Tensor)]
    if not operands:  # a constant, once for all pictures
        constant, known = apply(operator), next(iter(values.values()))
        return _on(pair.output if name in mode.outputs else None, constant.expand(len(known), *constant.shape[1:]))
    if name not in mode.outputs:
        return apply(operator, *operands)
    operands = [_on(pair.operands.get(index), x) for index, x in enumerate(operands)]
    result = apply(operator, *operands) if pair.gate is None else _gated(pair.gate, operands[0])
    return _on(pair.output, result)


def _gated(gate: Grid, x: torch.Tensor) -> torch.Tensor:
    """Computes h-swish with its gate on its own grid, as the integer program has it."""
    return x * _on(gate, F.hardsigmoid(x))


def _on(grid: Grid | None, x: torch.Tensor) -> torch.Tensor:
    if grid is None:
        return x
    return torch.fake_quantize_per_tensor_affine(x, grid.scale, grid.zero_point, INT8_MIN, INT8_MAX)


def _noise(scores: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    return float(((scores - expected) ** 2).sum())


def _db(noise: float, signal: float) -> float | None:
    """Returns decibels of the signal over the noise, both powers."""
    return sqnr_db(np.sqrt([noise]), np.sqrt([signal]))
