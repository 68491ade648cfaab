"""Writes int8 operators, and float32 ones for layers kept in float, with conversions only between the two."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mobile_sdk.contract import NetInput
from mobile_sdk.graph import operators as ops
from mobile_sdk.graph.checks.value_ranges import held_in, resizable_unit, resizing_is_exact
from qat.freezing.emitter import Pending, heads_of
from qat.freezing.float_emitter import FloatEmitter
from qat.freezing.grid_planner import Grids
from qat.freezing.integer_emitter import IntegerEmitter
from qat.freezing.integer_values import Value
from qat.freezing.wide_weights import LEAST_GAIN, wide_weights
from qat.layers.box_decoder import Decoder
from qat.layers.integer_rounding import ROUNDER, float32, is_inverted
from qat.steps import IN_FLOAT, Kind, Step


@dataclass(kw_only=True)
class MixedValue:
    """Holds a value of the net as codes, as float32 values, or as both: a missing form is written when it is needed.

    `path` is the layer that it came from, `grid` the grid of its codes, `centred` its codes as whole numbers in
    float32. Values of a kept layer stay float32 where they are only moved; those of a softmax become codes first.
    """

    path: str
    codes: Value | None = None
    values: ops.Tensor | None = None
    centred: ops.Tensor | None = None
    grid: ops.Quantization | None = None
    is_kept: bool = True

    @property
    def code_grid(self) -> tuple[ops.Quantization, float]:
        """Returns the grid of the codes, written or not, and the multiple of the net's values that they represent."""
        if self.codes is not None:
            return self.codes.grid, self.codes.multiple
        assert self.grid is not None
        return self.grid, 1.0


class MixedEmitter:
    """Emits the layers named in `kept` as float32, and all steps that no integers compute.

    Two neighbouring float32 layers exchange float32, without quantizing in between.
    """

    def __init__(self, source: NetInput, grids: Grids, kept: frozenset[str]) -> None:
        self._operators: list[ops.Operator] = []
        self._integer = IntegerEmitter(source, grids, self._operators)
        self._float = FloatEmitter(source, self._operators)
        self._grids, self._kept = grids, kept

    def picture(self) -> MixedValue:
        """Returns the codes of the net's input."""
        return MixedValue(path="<root>", codes=self._integer.picture())

    def emit(self, name: str, pending: Pending, grid: ops.Quantization) -> MixedValue:
        """Returns the operator's output in float32 if its layer is kept, else in int8 on its planned grid."""
        path, is_kept = pending.step.path, pending.step.path in self._kept
        if (is_kept and pending.step.kind is not Kind.CONSTANT) or pending.step.kind in IN_FLOAT:
            in_float = self._exactly(pending) or self._as_float(pending)
            values = self._float.emit(name, in_float, grid)
            return MixedValue(path=path, values=values, grid=self._grids.by_name[name], is_kept=is_kept)
        codes = tuple(self._codes(operand) for operand in pending.operands)
        return MixedValue(path=path, codes=self._integer.emit(name, replace(pending, operands=codes), grid))

    def pass_on(self, name: str, step: Step, value: MixedValue, *, is_sole_user: bool) -> MixedValue:
        """Returns the output of a step on its input's grid: in float32 if it is kept, or its input is float32."""
        if step.path not in self._kept and (value.codes is not None or not value.is_kept):
            codes = self._integer.pass_on(name, step, self._codes(value), is_sole_user=is_sole_user)
            return MixedValue(path=step.path, codes=codes)
        source = self._values(value, step.path)
        grid = value.grid or _plain(value.codes)
        if step.kind is Kind.RESIZE and grid is not None:
            source = self._resizable(value, source, step, grid)
        if step.kind is Kind.SCALE and grid is not None:
            grid = replace(grid, scale=float32(grid.scale * step.constant))
        written = self._float.pass_on(name, step, source, is_sole_user=is_sole_user)
        return MixedValue(path=step.path, values=written, grid=grid)

    def boxes(self, name: str, step: Step, predictions: tuple[MixedValue, ...], decoder: Decoder) -> MixedValue:
        """Returns a detector's output, from codes and kept predictions alike."""
        tensors = tuple(self._plain_tensor(each, step.path) for each in predictions)
        return MixedValue(path=step.path, values=self._float.boxes(name, step, tensors, decoder))

    def finish(self, values: Sequence[MixedValue], names: Sequence[str]) -> ops.Graph:
        """Returns the graph whose outputs are `values`: float32 where the last layer is kept."""
        outputs = [self._output(value, is_named=bool(names)) for value in values]
        heads = heads_of(self._operators, outputs, names)
        picture, pairs = self._integer.picture().tensor, self._integer.pairs.finish()
        return ops.Graph(input=picture, operators=tuple(self._operators), pairs=pairs, heads=heads)

    def _output(self, value: MixedValue, *, is_named: bool) -> ops.Tensor:
        if value.codes is None:
            return self._values(value, value.path)
        return self._integer.output(value.codes, is_named=is_named)

    def _plain_tensor(self, value: MixedValue, path: str) -> ops.Tensor:
        is_plain = value.codes is not None and value.codes.multiple == 1
        return value.codes.tensor if value.codes is not None and is_plain else self._values(value, path)

    def _as_float(self, pending: Pending) -> Pending:
        return replace(pending, operands=tuple(self._values(each, pending.step.path) for each in pending.operands))

    def _exactly(self, pending: Pending) -> Pending | None:
        """Returns a layer on centred codes, its weights so wide that every sum is exact; None if they were coarse."""
        if pending.layer is None:
            return None
        (value,) = pending.operands
        grid, multiple = value.code_grid
        weight, bias = (term.detach().numpy().astype(np.float64) for term in pending.layer.folded())
        wide = wide_weights(weight / multiple, bias, grid)
        if wide is None:
            return None
        return replace(pending, operands=(self._centred(value, pending.step.path),), numbers=(wide.weight, wide.bias))

    def _centred(self, value: MixedValue, path: str) -> ops.Tensor:
        """Returns `q - zero_point` in float32: dequantized codes over their scale, rounded if that is not whole."""
        if value.centred is None:
            codes = self._codes(value)
            dequantized, name = self._dequantized(codes.tensor, path), codes.tensor.name
            inverse = np.float32(1) / np.float32(codes.grid.scale)
            value.centred = self._with_constant(ops.Mul, dequantized, f"{name}.centred", float(inverse), path)
            if not is_inverted(codes.grid.scale):
                value.centred = self._whole(value.centred, name, 1.0, path)
        return value.centred

    def _resizable(self, value: MixedValue, source: ops.Tensor, step: Step, grid: ops.Quantization) -> ops.Tensor:
        """Returns the values rounded to so few bits that their resizing is exact; unchanged if that would be coarse."""
        output = replace(source, shape=step.shape)
        resizing = ops.ResizeBilinear(output=output, path=step.path, input=source, align_corners=step.align_corners)
        held = held_in(self._operators)[source.name]
        if held is None or resizing_is_exact(resizing, held):
            return source
        unit = resizable_unit(resizing, held)
        return self._whole(source, source.name, unit, value.path) if unit <= grid.scale / LEAST_GAIN else source

    def _whole(self, source: ops.Tensor, name: str, unit: float, path: str) -> ops.Tensor:
        """Returns the nearest multiples of `unit`."""
        for sign, step in ((1, "shifted"), (-1, "whole")):
            source = self._with_constant(ops.Add, source, f"{name}.{step}", sign * ROUNDER * unit, path)
        return source

    def _dequantized(self, codes: ops.Tensor, path: str) -> ops.Tensor:
        tensor = ops.Tensor(name=f"{codes.name}.values", shape=codes.shape, quantization=None)
        if all(operator.output != tensor for operator in self._operators):
            self._operators.append(ops.Dequantize(output=tensor, path=path, input=codes))
        return tensor

    def _with_constant(
        self, kind: type[ops.Add | ops.Mul], a: ops.Tensor, name: str, value: float, path: str
    ) -> ops.Tensor:
        constant = ops.Constant(name=f"{name}.constant", value=value, quantization=None)
        self._operators.append(kind(output=replace(a, name=name), path=path, a=a, b=constant))
        return self._operators[-1].output

    def _codes(self, value: MixedValue) -> Value:
        if value.codes is None:
            assert value.values is not None and value.grid is not None
            tensor = replace(value.values, name=f"{value.values.name}.codes", quantization=value.grid)
            self._operators.append(ops.Quantize(output=tensor, path=value.path, input=value.values))
            value.codes = Value(tensor=tensor)
            self._integer.pairs.output(value.values.name, value.codes)
        return value.codes

    def _values(self, value: MixedValue, path: str) -> ops.Tensor:
        """Returns the net's own values: if the codes represent a multiple of them, it is divided out."""
        if value.values is None:
            assert value.codes is not None
            codes, multiple = value.codes.tensor, value.codes.multiple
            value.values = self._dequantized(codes, path)
            if multiple != 1:
                value.values = self._with_constant(
                    ops.Mul, value.values, f"{codes.name}.plain", float32(1 / multiple), path
                )
        return value.values


def _plain(codes: Value | None) -> ops.Quantization | None:
    """Returns the grid of the net's own values."""
    return None if codes is None else replace(codes.grid, scale=float32(codes.grid.scale / codes.multiple))
