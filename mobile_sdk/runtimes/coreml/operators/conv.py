"""Writes convolutions and fully connected layers, each with its weights and biases."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Clamp, Conv2d, ConvTranspose2d, Linear, Weighted
from mobile_sdk.graph.settled_factors import divisors_of
from mobile_sdk.runtimes.coreml.mil_writer import MilWriter
from mobile_sdk.runtimes.coreml.operators.table import int8, of_real_values
from mobile_sdk.runtimes.exact_sums import requantization_factors, whole_bias


@int8.of(Conv2d)
def _conv2d(operator: Conv2d, file: MilWriter) -> Any:
    parameters = _codes(operator, file)
    sums = file.mil.conv(x=file.read(operator.input), **parameters, **_window(operator), name=file.label)
    return _requantized(operator, file, sums)


@int8.of(ConvTranspose2d)
def _conv_transpose2d(operator: ConvTranspose2d, file: MilWriter) -> Any:
    sums = file.mil.conv_transpose(
        x=file.read(operator.input), **_codes(operator, file), **_spread(operator), name=file.label
    )
    return _requantized(operator, file, sums)


@int8.of(Linear)
def _linear(operator: Linear, file: MilWriter) -> Any:
    sums = file.mil.linear(x=file.read(operator.input), **_codes(operator, file), name=file.label)
    return _requantized(operator, file, sums)


def _requantized(operator: Weighted, file: MilWriter, sums: Any) -> Any:
    """Writes a division of each channel's sums, which no compiler folds into weights; a product where none is proved.

    A clamp within the grid needs steps to clamp, and so a product.
    """
    divisors = divisors_of(operator)
    grid = arithmetic.quantization_of(operator.output)
    is_whole = arithmetic.clamp_range(grid, operator.clamp) == arithmetic.clamp_range(grid, Clamp.NONE)
    if is_whole and not np.isnan(divisors).any():
        axis = 1 if operator.weight.ndim > 2 else len(sums.shape) - 1
        return file.centre(file.quantize(sums, divisors, grid.zero_point, axis=axis), operator.output)
    return file.codes(file.mul(sums, requantization_factors(operator), "_steps"), operator.output, operator.clamp)


def _codes(operator: Weighted, file: MilWriter) -> dict[str, Any]:
    return {"weight": _scaled(operator, file, np.float32(1), axis=0), "bias": whole_bias(operator)}


@of_real_values(Conv2d)
def _float_conv2d(operator: Conv2d, file: MilWriter) -> Any:
    parameters = _floats(operator, file)
    value = file.mil.conv(x=file.read(operator.input), **parameters, **_window(operator), name=file.label)
    return file.values(value, operator.clamp)


@of_real_values(ConvTranspose2d)
def _float_conv_transpose2d(operator: ConvTranspose2d, file: MilWriter) -> Any:
    parameters = _floats(operator, file)
    value = file.mil.conv_transpose(x=file.read(operator.input), **parameters, **_spread(operator), name=file.label)
    return file.values(value, operator.clamp)


@of_real_values(Linear)
def _float_linear(operator: Linear, file: MilWriter) -> Any:
    value = file.mil.linear(x=file.read(operator.input), **_floats(operator, file), name=file.label)
    return file.values(value, operator.clamp)


def _floats(operator: Weighted, file: MilWriter) -> dict[str, Any]:
    """Returns weights and biases as real values; int8 weights stay codes in the file, with a scale a channel."""
    weight = np.asarray(_by_operand(operator))
    if operator.weight_scales is None:
        constant = file.mil.const(val=file.number(weight), name=f"{file.label}_weight")
        return {"weight": constant, "bias": file.number(operator.bias)}
    axis = 1 if isinstance(operator, ConvTranspose2d) else 0
    scaled = _scaled(operator, file, file.number(operator.weight_scales), axis=axis)
    biases = operator.bias * arithmetic.bias_scales(arithmetic.quantization_of(operator.input), operator.weight_scales)
    return {"weight": scaled, "bias": file.number(biases)}


def _scaled(operator: Weighted, file: MilWriter, scale: Any, *, axis: int) -> Any:
    """Writes the codes times their scale, or scales along `axis`: as constants of 4 bits where that is possible."""
    codes, name = np.asarray(_by_operand(operator), np.int8), f"{file.label}_weight"
    if operator.weight_bits == 4 and file.holds_four_bits:
        sides = [1] * codes.ndim
        sides[axis] = np.size(scale)
        return file.mil.constexpr_blockwise_shift_scale(
            data=file.mil.four_bits(codes), scale=np.reshape(scale, sides), name=name
        )
    return file.mil.constexpr_affine_dequantize(
        quantized_data=codes, scale=scale, zero_point=np.int8(0), axis=np.int32(axis), name=name
    )


def _by_operand(operator: Weighted) -> NDArray[Any]:
    """Returns the weights in MIL's order: those of a transposed convolution begin with the inputs' axis."""
    return operator.weight.swapaxes(0, 1) if isinstance(operator, ConvTranspose2d) else operator.weight


def _spread(operator: ConvTranspose2d) -> dict[str, Any]:
    return {"strides": list(operator.stride), "pad_type": "custom", "pad": list(operator.padding)}


def _window(operator: Conv2d) -> dict[str, Any]:
    return {
        "strides": list(operator.stride),
        "pad_type": "custom",
        "pad": list(operator.padding),
        "dilations": list(operator.dilation),
        "groups": operator.groups,
    }
