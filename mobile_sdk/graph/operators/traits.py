"""Holds facts about a class of operators that are true in every runtime, for modules to read instead of its name."""

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """Names the module that holds an operator's rules, in the reference and in every runtime."""

    CONV = "conv"
    ELEMENTWISE = "elementwise"
    POOLING = "pooling"
    CHANNELS = "channels"
    RESIZE = "resize"
    BOXES = "boxes"
    CONVERSIONS = "conversions"
    TOKENS = "tokens"
    CONSTANTS = "constants"


class Values(StrEnum):
    """Tells where the values of the output come from."""

    CHOSEN = "each is one of the operands' values"
    BETWEEN = "each lies between the least and the greatest of the operands' values"
    COMPUTED = "any"


class Rounding(StrEnum):
    """Tells how many results the operator has in float32, over all orders of summation and all kernels."""

    ONE = "it adds nothing up, and rounds once at most"
    PROVED = "one where its numbers prove that every partial sum is exact"
    MANY = "it depends on the order of summation"


class Strips(StrEnum):
    """Tells how strips of rows execute the operator, if its operands have one height and width."""

    BY_ROW = "a row of the output is made of that row of the operands"
    BY_WINDOW = "a row of the output is made of the rows in a window, which may be padded"
    NEVER = "strips end before it"


class WorkKind(StrEnum):
    """Names the kind of work by which its latency is predicted."""

    CONVOLUTION = "products with filters"
    TRANSPOSED_CONVOLUTION = "products with filters, spread over a larger map"
    LINEAR = "products with a matrix"
    SUM = "elementwise sum"
    PRODUCT = "elementwise product, or a gate a channel"
    ACTIVATION = "activation of every element"
    MEAN = "mean over a map"
    POOLING = "window over a map"
    CONCATENATION = "channels that are joined"
    SLICE = "channels that are cut out"
    SHUFFLE = "channels in another order"
    RESIZE = "interpolation"
    ROWS = "rows that are copied"
    CONVERSION = "another type of every element"
    BOXES = "decoded boxes"
    MATRIX_PRODUCT = "products of two matrices"
    SOFTMAX = "softmax of every row"
    NORMALIZATION = "normalisation by own values"
    NONE = "another name for the same memory"


@dataclass(frozen=True, kw_only=True)
class Traits:
    """Holds everything that is known of a class of operators beyond its arithmetic; nothing has a default.

    `keeps_grid` says that an int8 output has the quantization of its operands.
    """

    family: Family
    values: Values
    keeps_grid: bool
    rounding: Rounding
    strips: Strips
    work: WorkKind
