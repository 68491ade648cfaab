"""What the writer of one operator needs: coremltools' builder, the results so far, and the name of its own."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from mobile_sdk.graph.arithmetic import quantization_of
from mobile_sdk.graph.operators import INT8_MIN, Graph, Quantization, Tensor

IMAGE = "image"
SCORES = "scores"
CHANNELS_LAST = [0, 2, 3, 1]
INPUT_LABEL = "input"


def labels(graph: Graph) -> tuple[str, ...]:
    """The name of each operator's result in the file: its place in the graph and its tensor's name."""
    return tuple(
        f"op{index:03d}_{re.sub('[^A-Za-z0-9_]', '_', operator.output.name)}"
        for index, operator in enumerate(graph.operators)
    )


class Pen:
    """Emits MIL operations; every number goes in as float32 or int8."""

    def __init__(self, builder: Any, results: Mapping[str, Any], label: str, is_last: bool) -> None:
        self.builder = builder
        self.label = label
        self.is_last = is_last
        self._results = results

    def read(self, tensor: Tensor) -> Any:
        """The result that stands for a tensor: float32, the centred codes in an int8 graph."""
        return self._results[tensor.name]

    def mul(self, x: Any, y: Any, suffix: str = "") -> Any:
        """`x * y`, either a result or a number."""
        return self.builder.mul(x=x, y=y, name=self.label + suffix)

    def add(self, x: Any, y: Any, suffix: str = "") -> Any:
        """`x + y`, either a result or a number."""
        return self.builder.add(x=x, y=y, name=self.label + suffix)

    def quantize(self, value: Any, scale: float, zero_point: int) -> Any:
        """`round(value / scale) + zero_point`, saturated to int8."""
        return self.builder.quantize(
            input=value,
            scale=np.float32(scale),
            zero_point=np.int8(zero_point),
            output_dtype="int8",
            name=f"{self.label}_code",
        )

    def centre(self, code: Any, output: Tensor) -> Any:
        """Codes less their zero point, in float32; the real scores where this is the graph's output."""
        grid = quantization_of(output)
        if not self.is_last:
            return self.dequantize(code, Quantization(scale=1.0, zero_point=grid.zero_point), f"{self.label}_centred")
        if len(output.shape) < 3:
            return self.dequantize(code, grid, SCORES)
        return self.channels_last(self.dequantize(code, grid, f"{self.label}_values"))

    def channels_last(self, scores: Any) -> Any:
        """The output map (1, C, H, W) as (1, H, W, C), as the other runtimes have it."""
        return self.builder.transpose(x=scores, perm=CHANNELS_LAST, name=SCORES)

    def dequantize(self, code: Any, grid: Quantization, name: str) -> Any:
        """`scale * (code - zero_point)` in float32."""
        scale, zero_point = np.float32(grid.scale), np.int8(grid.zero_point)
        return self.builder.dequantize(input=code, scale=scale, zero_point=zero_point, name=name)


def write_input(builder: Any, image: Any, graph: Graph) -> Any:
    """Bytes to codes, `byte - 128`: int8 for a float32 graph, which begins with Dequantize, and centred for others."""
    pen = Pen(builder, {}, INPUT_LABEL, is_last=False)
    code = pen.quantize(image, 1.0, INT8_MIN)
    return code if graph.precision == "float32" else pen.centre(code, graph.input)
