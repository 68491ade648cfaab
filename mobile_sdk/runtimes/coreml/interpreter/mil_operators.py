"""Computes each MIL operator in float32, its result rounded once to the type that the file gives it.

Float16 operations may be computed in one of several arithmetics (`half_arithmetic.py`); the first rounds so, too.

Sources: the operator definitions of coremltools (converters/mil/mil/ops/defs). They do not say how `quantize` rounds;
its own evaluation (optimize/_utils.py, `quantize_by_scale_and_zp`) rounds half to even, before the zero point is added.

An int8 graph's file requires no more of float32 than that a product or sum of two numbers is rounded as IEEE 754 says,
fused multiply-adds or not: freezing settles the scales where it would matter (Mean, squares). Apple's own arithmetic is
not known, and so nothing is claimed of it: whether a compute unit folds a factor into the weights before it, computes
convolutions by a transform (Winograd's divides), lets the GPU compute with less than float32, or rounds ties in
`quantize` away from even or after the zero point.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from torch.nn import functional

from mobile_sdk.errors import BundleError
from mobile_sdk.runtimes.coreml.interpreter.half_arithmetic import USUAL, HalfArithmetic, half, summed
from mobile_sdk.runtimes.coreml.interpreter.mil_constants import Constants
from mobile_sdk.runtimes.coreml.package.program_file import MilOperation

Step = Callable[..., torch.Tensor]  # operands in the order of `MilOperation.arguments`


def compile_operation(operation: MilOperation, arithmetic: HalfArithmetic = USUAL) -> Step:
    """Returns the operation as a function of its operands (float32, or int8 codes), its constants prepared.

    `arithmetic` is that of float16 operations. Raises BundleError, naming it, for an operator that is not known here.
    """
    build = _BUILDERS.get(operation.kind)
    if build is None:
        raise BundleError(
            f"expected operators that the interpreter knows, found {operation.kind!r} ({operation.output})",
            hint="run this bundle on a Mac, or export it with this SDK",
        )
    step = build(Constants(operation, arithmetic))
    is_rounded = operation.dtype == "float16" and arithmetic.rounds_tensors
    return (lambda *operands: half(step(*operands))) if is_rounded else step


def _const(constants: Constants) -> Step:
    value = constants.tensor("val")
    return lambda: value


def _constexpr_affine_dequantize(constants: Constants) -> Step:
    codes = constants.tensor("quantized_data").to(torch.float32)
    weight = (codes - _grid_parameter(constants, "zero_point")) * _grid_parameter(constants, "scale")
    return lambda: weight


def _constexpr_blockwise_shift_scale(constants: Constants) -> Step:
    codes, scale = constants.tensor("data").to(torch.float32), constants.tensor("scale")
    for axis, (side, blocks) in enumerate(zip(codes.shape, scale.shape, strict=True)):
        scale = scale.repeat_interleave(side // blocks, axis)
    weight = codes * scale
    return lambda: weight


def _dequantize(constants: Constants) -> Step:
    scale, zero_point = _grid_parameter(constants, "scale"), _grid_parameter(constants, "zero_point")
    return lambda codes: (codes.to(torch.float32) - zero_point) * scale


def _quantize(constants: Constants) -> Step:
    scale, zero_point = _grid_parameter(constants, "scale"), _grid_parameter(constants, "zero_point")
    dtype = {"int8": torch.int8, "uint8": torch.uint8}[constants.text("output_dtype", "int8")]
    low, high = torch.iinfo(dtype).min, torch.iinfo(dtype).max
    of_half = np.asarray(constants.operation.values["scale"]).dtype == np.float16
    ratio = half if of_half and constants.arithmetic.rounds_ratio else _as_it_is
    return lambda x: ratio(x / scale).round_().add_(zero_point).clamp_(low, high).to(dtype)


def _as_it_is(x: torch.Tensor) -> torch.Tensor:
    return x


def _grid_parameter(constants: Constants, name: str) -> torch.Tensor:
    """Returns a scale or zero point in float32: a scalar (0 if it is absent), or a vector shaped along `axis`."""
    if name not in constants.operation.values:
        return torch.zeros(())
    value = constants.tensor(name).to(torch.float32)
    if value.ndim == 0:
        return value
    shape = [1] * len(constants.operation.shape)
    shape[constants.integers("axis", [0])[0]] = -1
    return value.reshape(shape)


def _conv(constants: Constants) -> Step:
    strides, dilations = constants.integers("strides", [1, 1]), constants.integers("dilations", [1, 1])
    groups = constants.integers("groups", [1])[0]
    bind = constants.bindings(**constants.constants_among("weight", "bias"))

    def conv(*operands: torch.Tensor) -> torch.Tensor:
        named = bind(*operands)
        weight = named["weight"]
        reach = [dilation * (size - 1) + 1 for dilation, size in zip(dilations, weight.shape[2:], strict=True)]
        top, bottom, left, right = edges = _edges(constants, named["x"], reach, strides)
        symmetric = top == bottom and left == right
        x = named["x"] if symmetric else _padded(named["x"], edges, 0.0)
        padding = (top, left) if symmetric else (0, 0)
        if not constants.sums_parts or groups > 1:
            return functional.conv2d(x, weight, named.get("bias"), strides, padding, dilations, groups)
        bias = named["bias"].reshape(-1, 1, 1) if "bias" in named else None
        return summed(
            lambda part: functional.conv2d(x[:, part], weight[:, part], None, strides, padding, dilations),
            x.shape[1],
            bias,
            constants.arithmetic,
        )

    return conv


def _conv_transpose(constants: Constants) -> Step:
    strides, edges = constants.integers("strides", [1, 1]), constants.integers("pad", [0, 0, 0, 0])
    bind = constants.bindings(**constants.constants_among("weight", "bias"))
    if constants.text("pad_type", "valid") not in ("valid", "custom") or "output_shape" in constants.operation.values:
        raise ValueError("a transposed convolution with a padding that is not given")
    if {*constants.integers("dilations", [1, 1]), *constants.integers("groups", [1])} != {1}:
        raise ValueError("a transposed convolution with dilation or groups")

    def conv_transpose(*operands: torch.Tensor) -> torch.Tensor:
        named = bind(*operands)
        whole = functional.conv_transpose2d(named["x"], named["weight"], named.get("bias"), strides)
        top, bottom, left, right = edges
        return whole[:, :, top : whole.shape[2] - bottom, left : whole.shape[3] - right]

    return conv_transpose


def _linear(constants: Constants) -> Step:
    bind = constants.bindings(**constants.constants_among("weight", "bias"))

    def linear(*operands: torch.Tensor) -> torch.Tensor:
        named = bind(*operands)
        x, weight, bias = named["x"], named["weight"], named.get("bias")
        if not constants.sums_parts:
            return functional.linear(x, weight, bias)
        parts = constants.arithmetic
        return summed(lambda part: functional.linear(x[..., part], weight[:, part]), x.shape[-1], bias, parts)

    return linear


def _max_pool(constants: Constants) -> Step:
    kernel, strides = constants.integers("kernel_sizes", []), constants.integers("strides", [1, 1])
    infinity = float("inf")
    return lambda x: functional.max_pool2d(
        _padded(x, _edges(constants, x, kernel, strides), -infinity), kernel, strides
    )


def _avg_pool(constants: Constants) -> Step:
    kernel, strides = constants.integers("kernel_sizes", []), constants.integers("strides", [1, 1])
    excludes_padding = bool(constants.number("exclude_padding_from_average", 0))

    def avg_pool(x: torch.Tensor) -> torch.Tensor:
        edges = _edges(constants, x, kernel, strides)
        mean = functional.avg_pool2d(_padded(x, edges, 0.0), kernel, strides)
        if not excludes_padding:
            return mean
        return mean / functional.avg_pool2d(_padded(torch.ones_like(x[:, :1]), edges, 0.0), kernel, strides)

    return avg_pool


def _edges(constants: Constants, x: torch.Tensor, reach: list[int], strides: list[int]) -> list[int]:
    """Returns the padding (top, bottom, left, right) of a window operator, by its `pad_type`."""
    kind = constants.text("pad_type", "valid")
    if kind == "valid":
        return [0, 0, 0, 0]
    if kind == "custom":
        return constants.integers("pad", [0, 0, 0, 0])
    edges = []
    for size, window, stride in zip(x.shape[2:], reach, strides, strict=True):
        total = max((-(-size // stride) - 1) * stride + window - size, 0)
        before = (total + 1) // 2 if kind == "same_lower" else total // 2
        edges += [before, total - before]
    return edges


def _padded(x: torch.Tensor, edges: list[int], value: float) -> torch.Tensor:
    top, bottom, left, right = edges
    return functional.pad(x, (left, right, top, bottom), value=value) if any(edges) else x


def _pad(constants: Constants) -> Step:
    pairs = np.reshape(constants.integers("pad", []), (-1, 2))
    last_first = [int(edge) for edge in pairs[::-1].ravel()]
    value, mode = constants.number("constant_val", 0.0), constants.text("mode", "constant")
    if mode == "constant":
        return lambda x: functional.pad(x, last_first, value=value)
    return lambda x: functional.pad(x, last_first, mode=mode)


def _binary(compute: str) -> Callable[[Constants], Step]:
    def build(constants: Constants) -> Step:
        function: Step = getattr(torch, compute)
        bind = constants.bindings(**constants.constants_among("x", "y"))

        def binary(*operands: torch.Tensor) -> torch.Tensor:
            named = bind(*operands)
            return function(named["x"], named["y"])

        return binary

    return build


def _reduce(compute: str) -> Callable[[Constants], Step]:
    def build(constants: Constants) -> Step:
        function: Step = getattr(torch, compute)
        axes, keeps = constants.integers("axes", []), bool(constants.number("keep_dims", 0))
        return lambda x: function(x, dim=axes or None, keepdim=keeps)

    return build


def _matmul(constants: Constants) -> Step:
    bind = constants.bindings(**constants.constants_among("x", "y"))
    turns_x, turns_y = (bool(constants.number(f"transpose_{side}", 0)) for side in "xy")

    def matmul(*operands: torch.Tensor) -> torch.Tensor:
        named = bind(*operands)
        x = named["x"].transpose(-1, -2) if turns_x else named["x"]
        y = named["y"].transpose(-1, -2) if turns_y else named["y"]
        if not constants.sums_parts:
            return torch.matmul(x, y)
        return summed(lambda part: x[..., part] @ y[..., part, :], x.shape[-1], None, constants.arithmetic)

    return matmul


def _softmax(constants: Constants) -> Step:
    axis = int(constants.number("axis", -1))
    return lambda x: torch.softmax(x, axis)


def _rsqrt(constants: Constants) -> Step:
    epsilon = constants.number("epsilon", 1e-12)
    return lambda x: torch.rsqrt(x + epsilon)


def _clip(constants: Constants) -> Step:
    low, high = constants.number("alpha", float("-inf")), constants.number("beta", float("inf"))
    return lambda x: x.clamp(low, high)


def _sigmoid_hard(constants: Constants) -> Step:
    slope, offset = constants.number("alpha", 0.2), constants.number("beta", 0.5)
    return lambda x: (x * slope + offset).clamp_(0, 1)


def _gelu(constants: Constants) -> Step:
    modes = {"EXACT": "none", "TANH_APPROXIMATION": "tanh"}
    mode = constants.text("mode", "EXACT")
    if mode not in modes:
        raise BundleError(
            f"expected gelu in a mode of {', '.join(modes)}, found {mode}", hint="export it with this SDK"
        )
    return partial(functional.gelu, approximate=modes[mode])


def _elu(constants: Constants) -> Step:
    alpha = constants.number("alpha", 1.0)
    return lambda x: functional.elu(x, alpha)


def _leaky_relu(constants: Constants) -> Step:
    slope = constants.number("alpha", 0.01)
    return lambda x: functional.leaky_relu(x, slope)


def _reshape(constants: Constants) -> Step:
    shape = constants.integers("shape", [])
    return lambda x: x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(shape)])


def _slice_by_size(constants: Constants) -> Step:
    begin, size = constants.integers("begin", []), constants.integers("size", [])
    part = tuple(slice(first, first + count) for first, count in zip(begin, size, strict=True))
    return lambda x: x[part]


def _concat(constants: Constants) -> Step:
    axis = constants.integers("axis", [0])[0]
    return lambda *parts: torch.cat(parts, dim=axis)


def _transpose(constants: Constants) -> Step:
    order = constants.integers("perm", [])
    return lambda x: x.permute(order)


def _upsample_bilinear(constants: Constants) -> Step:
    factors = [int(constants.number(f"scale_factor_{side}", 1)) for side in ("height", "width")]
    is_between_corners = bool(constants.number("align_corners", 0))
    if is_between_corners is bool(constants.number("half_pixel_centers", not is_between_corners)):
        raise ValueError("pixels neither between corners nor between centres")

    def upsample_bilinear(x: torch.Tensor) -> torch.Tensor:
        size = [length * factor for length, factor in zip(x.shape[2:], factors, strict=True)]
        return functional.interpolate(x, size=size, mode="bilinear", align_corners=is_between_corners)

    return upsample_bilinear


def _cast(constants: Constants) -> Step:
    kinds = {"fp16": torch.float32, "fp32": torch.float32, "int32": torch.int32, "int8": torch.int8}
    dtype = kinds[constants.text("dtype", "fp32")]  # float32 holds float16 values
    return lambda x: x.to(dtype)


_BUILDERS: Mapping[str, Callable[[Constants], Step]] = {
    "const": _const,
    "constexpr_affine_dequantize": _constexpr_affine_dequantize,
    "constexpr_blockwise_shift_scale": _constexpr_blockwise_shift_scale,
    "quantize": _quantize,
    "dequantize": _dequantize,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "pad": _pad,
    "add": _binary("add"),
    "sub": _binary("sub"),
    "mul": _binary("mul"),
    "real_div": _binary("true_divide"),
    "maximum": _binary("maximum"),
    "pow": _binary("pow"),
    "log": lambda constants: torch.log,
    "sin": lambda constants: torch.sin,
    "cos": lambda constants: torch.cos,
    "reduce_mean": _reduce("mean"),
    "reduce_sum": _reduce("sum"),
    "floor": lambda constants: lambda x: x.floor(),
    "matmul": _matmul,
    "softmax": _softmax,
    "rsqrt": _rsqrt,
    "relu": lambda constants: lambda x: x.clamp(min=0),
    "relu6": lambda constants: lambda x: x.clamp(0, 6),
    "clip": _clip,
    "sigmoid_hard": _sigmoid_hard,
    "sigmoid": lambda constants: torch.sigmoid,
    "tanh": lambda constants: torch.tanh,
    "gelu": _gelu,
    "elu": _elu,
    "leaky_relu": _leaky_relu,
    "softplus": lambda constants: functional.softplus,
    "exp": lambda constants: torch.exp,
    "abs": lambda constants: torch.abs,
    "reshape": _reshape,
    "concat": _concat,
    "slice_by_size": _slice_by_size,
    "transpose": _transpose,
    "upsample_bilinear": _upsample_bilinear,
    "cast": _cast,
    "identity": lambda constants: lambda x: x,
}
