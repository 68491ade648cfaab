"""Writes one operator's MIL operations for the Neural Engine: real values in float16, between `quantize`/`dequantize`.

The patterns are those of coremltools' own models of int8 weights and activations, which the Engine computes in int8:
dequantize → conv, linear, add or pool → relu or relu6 → quantize (its pass `insert_suffix_quantize_dequantize_pair`).
As there, an output of the whole net is not quantized. The scales are the graph's, rounded to float16.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Clamp, Graph, Quantization, Tensor
from mobile_sdk.runtimes.coreml.mil_writer import CHANNELS_LAST, CLAMPS, INPUT_LABEL, MilWriter

SMALLEST_SCALE = float(np.finfo(np.float16).tiny)
"""A smaller scale has fewer digits in float16, or none."""
LARGEST_SCALE = float(np.finfo(np.float16).max) / (INT8_MAX - INT8_MIN)
"""Codes of a larger scale stand for numbers that float16 does not hold."""

_EXACT = "export the exact form: leave the choice `compute` out"


class HalfWriter(MilWriter):
    """Emits the MIL operations of one operator on real values in float16.

    `grid` is that of the operator's output, and `path` its module's, for errors.
    """

    smallest = float(np.finfo(np.float16).tiny)

    def __init__(
        self,
        mil: Any,
        results: Mapping[str, Any],
        label: str,
        *,
        output: str | None = None,
        is_read: bool = True,
        holds_four_bits: bool = False,
        grid: Quantization | None = None,
        path: str,
    ) -> None:
        super().__init__(mil, results, label, output=output, is_read=is_read, holds_four_bits=holds_four_bits)
        self._grid, self._path, self._is_wide = grid, path, False

    def real(self, tensor: Tensor, suffix: str = "") -> Any:
        """Returns a tensor's result, which real values are."""
        return self.read(tensor)

    def number(self, value: Any) -> Any:
        """Returns a number or an array in float16; raises CompileError, with the module path, beyond its range."""
        with np.errstate(over="ignore"):
            half = np.float16(value)
        if not np.isfinite(half).all():
            largest = float(np.abs(value).max())
            raise CompileError(
                f"expected numbers below 65,504 at {self._path}, as float16 has them, found {largest:.6g}",
                hint=_EXACT,
            )
        return half

    def widened(self, value: Any, suffix: str) -> Any:
        """Returns real values in float32, in which the rest of the operator is computed."""
        self._is_wide = True
        return self.mil.cast(x=value, dtype="fp32", name=self.label + suffix)

    def values(self, value: Any, clamp: Clamp = Clamp.NONE) -> Any:
        """Ends an operator: writes its clamp, codes and their values if others read it, and what the file gives."""
        if clamp is not Clamp.NONE:
            value = getattr(self.mil, CLAMPS[clamp])(x=value, name=f"{self.label}_clamp")
        if self._grid is not None and self._is_read:
            value = self.on_grid(value, self._grid)
        if self._output is not None:
            self.given = self._wide_output(value)
        return value

    def on_grid(self, value: Any, grid: Quantization) -> Any:
        """Writes the codes of values, and the real values of these codes."""
        code = self.quantize(value, grid.scale, grid.zero_point)
        return self.dequantize(code, grid, f"{self.label}_values")

    def dequantize(self, code: Any, grid: Quantization, name: str) -> Any:
        """Writes real values of codes; raises CompileError, with the module path, for a scale that float16 loses."""
        if not SMALLEST_SCALE <= grid.scale <= LARGEST_SCALE:
            raise CompileError(
                f"expected a scale of {SMALLEST_SCALE:.3g} to {LARGEST_SCALE:.4g} at {self._path}, as float16 holds "
                f"it, found {grid.scale:.6g}",
                hint=_EXACT,
            )
        return super().dequantize(code, grid, name)

    def _wide_output(self, value: Any) -> Any:
        is_map = len(value.shape) == 4
        if not self._is_wide:
            value = self.mil.cast(x=value, dtype="fp32", name=f"{self.label}_wide" if is_map else self._output)
        elif not is_map:
            value = self.mil.identity(x=value, name=self._output)
        return self.mil.transpose(x=value, perm=CHANNELS_LAST, name=self._output) if is_map else value


def write_half_input(mil: Any, values: Any, graph: Graph) -> Any:
    """Writes a picture's bytes, or an array's codes, as real values: the codes themselves are exact in float16."""
    grid = graph.input.quantization
    assert grid is not None
    file = HalfWriter(mil, {}, INPUT_LABEL, path="the input")
    narrow = mil.cast(x=values, dtype="fp16", name=f"{INPUT_LABEL}_narrow")
    code = file.quantize(narrow, 1.0, INT8_MIN if graph.reads_picture else 0)
    return file.dequantize(code, grid, f"{INPUT_LABEL}_values")
