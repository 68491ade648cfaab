"""Describes what a node of a captured net does, in this SDK's terms: read once from PyTorch's operators."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from torch import fx

from mobile_sdk.graph.operators import ActivationKind, Clamp, Function

STEP = "step"  # the key in a node's meta


class Kind(StrEnum):
    """Lists the kinds of step that an integer graph can express."""

    WEIGHTED = "convolutions and linear layers, with batch norm"
    RELU = "ReLU"
    RELU6 = "ReLU6"
    HARD_SWISH = "h-swish"
    HARD_SIGMOID = "hard-sigmoid"
    FUNCTION = "sigmoid, SiLU, tanh, GELU, ELU, leaky ReLU, Mish, softplus, clamps, exponentials, absolute values"
    ADD = "sums"
    SUB = "differences"
    MUL = "products"
    ADD_CONSTANT = "sums with a constant"
    SCALE = "products with a positive constant"
    CONSTANT = "tensors that no picture changes"
    GLOBAL_MEAN = "global average pooling"
    AVERAGE_POOL = "average pooling"
    AXES_MEAN = "means over any axes"
    ADAPTIVE_POOL = "average pooling to a size that does not divide the map"
    MAX_POOL = "max pooling"
    MATMUL = "products of two matrices"
    SOFTMAX = "softmax"
    NORMALIZE = "layer, group, instance and RMS norms"
    CONCAT = "concatenation"
    CHANNEL_SLICE = "slices"
    REPEAT = "repetition"
    PAD = "padding with zeros"
    REARRANGE = "reshapes and transpositions"
    CHANNEL_SHUFFLE = "shuffles of channels"
    RESIZE = "bilinear resizing"
    FLATTEN = "flatten"
    UNFLATTEN = "a vector as a map of one pixel"
    WINDOW_SHARE = "how much larger a window is than the part of it that an average counts"
    DROPOUT = "dropout"
    BOXES = "decoded boxes"


class Grid(StrEnum):
    """Lists the sources of the int8 grid of a step's output."""

    OWN = "a quantizer behind it"
    INPUTS = "its input lies on it"
    NONE = "its output is float32"


class Factors(StrEnum):
    """Lists what becomes of a positive factor by which a channel of a step's input is multiplied."""

    PASS = "its output has the same factor"
    PASS_A_PIXEL = "the same, where a channel of the input is one value"
    GATED = "the same for the operand that a gate opens"
    LAYER = "the next weights take it in"
    BELOW_CEILING = "the same, as long as no value that is multiplied reaches the 6 of a ReLU6"
    STOP = "no factor of the output makes up for it"


@dataclass(frozen=True)
class KindTraits:
    """Holds facts about a kind of step, a row of `KINDS`; nothing has a default.

    `activation` is its operator in float32; `carries_out` are the activations that its own operator computes besides.
    `ends` are the least and the greatest value of its output for any image; a grid that `saturates` at them does the
    step's work. `is_named` says whether users name it as a layer.
    """

    grid: Grid
    activation: ActivationKind | None
    carries_out: frozenset[ActivationKind]
    ends: tuple[float | None, float | None]
    saturates: bool
    factors: Factors
    is_named: bool

    @property
    def clamp(self) -> Clamp | None:
        """Returns the clamp that the step is, or None."""
        return None if self.activation is None else self.activation.clamp

    @property
    def is_gate(self) -> bool:
        """Returns whether its output is a share by which others are multiplied."""
        return self.activation is ActivationKind.HARD_SIGMOID


_ANY = (None, None)
_BELOW = Factors.BELOW_CEILING
_OF_SWISH = (-0.375, None)  # at x = -1.5
_OF_GATE = (0.0, 1.0)
_NOTHING: frozenset[ActivationKind] = frozenset()
_CLAMPS = frozenset({ActivationKind.RELU, ActivationKind.RELU6})
_LAYERS = _CLAMPS | {ActivationKind.HARD_SIGMOID}

KINDS: Mapping[Kind, KindTraits] = {
    # grid, activation, carries_out, ends, saturates, factors, is_named
    Kind.WEIGHTED: KindTraits(Grid.OWN, None, _LAYERS, _ANY, False, Factors.LAYER, True),
    Kind.RELU: KindTraits(Grid.OWN, ActivationKind.RELU, _NOTHING, (0.0, None), False, Factors.PASS, True),
    Kind.RELU6: KindTraits(Grid.OWN, ActivationKind.RELU6, _NOTHING, (0.0, 6.0), False, _BELOW, True),
    Kind.HARD_SWISH: KindTraits(Grid.OWN, ActivationKind.HARD_SWISH, _NOTHING, _OF_SWISH, False, Factors.STOP, True),
    Kind.HARD_SIGMOID: KindTraits(Grid.OWN, ActivationKind.HARD_SIGMOID, _NOTHING, _OF_GATE, True, Factors.STOP, True),
    Kind.FUNCTION: KindTraits(Grid.OWN, None, _NOTHING, _ANY, False, Factors.STOP, True),
    Kind.ADD: KindTraits(Grid.OWN, None, _CLAMPS, _ANY, False, Factors.PASS, True),
    Kind.SUB: KindTraits(Grid.OWN, None, _CLAMPS, _ANY, False, Factors.PASS, True),
    Kind.MUL: KindTraits(Grid.OWN, None, _CLAMPS, _ANY, False, Factors.GATED, True),
    Kind.ADD_CONSTANT: KindTraits(Grid.OWN, None, _CLAMPS, _ANY, False, Factors.STOP, True),
    Kind.SCALE: KindTraits(Grid.INPUTS, None, _NOTHING, _ANY, False, Factors.PASS, False),
    Kind.CONSTANT: KindTraits(Grid.OWN, None, _NOTHING, _ANY, False, Factors.STOP, False),
    Kind.GLOBAL_MEAN: KindTraits(Grid.OWN, None, _NOTHING, _ANY, False, Factors.PASS, True),
    Kind.AVERAGE_POOL: KindTraits(Grid.OWN, None, _NOTHING, _ANY, False, Factors.PASS, True),
    Kind.AXES_MEAN: KindTraits(Grid.OWN, None, _NOTHING, _ANY, False, Factors.STOP, True),
    Kind.ADAPTIVE_POOL: KindTraits(Grid.OWN, None, _NOTHING, _ANY, False, Factors.PASS, True),
    Kind.MAX_POOL: KindTraits(Grid.INPUTS, None, _NOTHING, _ANY, False, Factors.PASS, True),
    Kind.MATMUL: KindTraits(Grid.OWN, None, _NOTHING, _ANY, False, Factors.STOP, True),
    Kind.SOFTMAX: KindTraits(Grid.OWN, None, _NOTHING, (0.0, None), False, Factors.STOP, True),
    Kind.NORMALIZE: KindTraits(Grid.OWN, None, _NOTHING, _ANY, False, Factors.STOP, True),
    Kind.CONCAT: KindTraits(Grid.OWN, None, _NOTHING, _ANY, False, Factors.STOP, True),
    Kind.CHANNEL_SLICE: KindTraits(Grid.INPUTS, None, _NOTHING, _ANY, False, Factors.STOP, True),
    Kind.REPEAT: KindTraits(Grid.INPUTS, None, _NOTHING, _ANY, False, Factors.STOP, True),
    Kind.PAD: KindTraits(Grid.INPUTS, None, _NOTHING, _ANY, False, Factors.STOP, True),
    Kind.REARRANGE: KindTraits(Grid.INPUTS, None, _NOTHING, _ANY, False, Factors.STOP, True),
    Kind.CHANNEL_SHUFFLE: KindTraits(Grid.INPUTS, None, _NOTHING, _ANY, False, Factors.STOP, True),
    Kind.RESIZE: KindTraits(Grid.INPUTS, None, _NOTHING, _ANY, False, Factors.PASS, False),
    Kind.FLATTEN: KindTraits(Grid.INPUTS, None, _NOTHING, _ANY, False, Factors.PASS_A_PIXEL, False),
    Kind.UNFLATTEN: KindTraits(Grid.INPUTS, None, _NOTHING, _ANY, False, Factors.STOP, False),
    Kind.WINDOW_SHARE: KindTraits(Grid.OWN, None, _NOTHING, (0.0, None), True, Factors.STOP, True),
    Kind.DROPOUT: KindTraits(Grid.INPUTS, None, _NOTHING, _ANY, False, Factors.PASS, False),
    Kind.BOXES: KindTraits(Grid.NONE, None, _NOTHING, _ANY, False, Factors.STOP, True),
}
"""Holds the traits of every kind; a WINDOW_SHARE ends at its step's constant, a FUNCTION where its function does."""

IN_FLOAT = frozenset({Kind.SOFTMAX, Kind.NORMALIZE})
"""No integers compute these kinds: their steps are float32 in every program, between conversions."""

_ENDS_OF: Mapping[Function, tuple[float | None, float | None]] = {
    Function.SIGMOID: (0.0, 1.0),
    Function.TANH: (-1.0, 1.0),
    Function.GELU: (-0.17, None),  # at x = -0.75
    Function.ELU: (-1.0, None),
    Function.LEAKY_RELU: _ANY,
    Function.CLAMP: _ANY,
    Function.SOFTPLUS: (0.0, None),
    Function.TANH_SOFTPLUS: (0.0, 1.0),
    Function.EXP: (0.0, None),
    Function.ABS: (0.0, None),
    Function.AFFINE: _ANY,
    Function.POWER: (0.0, None),
    Function.RECIPROCAL: _ANY,
    Function.LOG: _ANY,
    Function.SIN: (-1.0, 1.0),
    Function.COS: (-1.0, 1.0),
    Function.SCALED_ELU: _ANY,
    Function.SCALED_SOFTPLUS: _ANY,
    Function.GELU_TANH: (-0.1701, None),  # at x = -0.7526
}


@dataclass(frozen=True, kw_only=True)
class Window:
    """Describes a pooling window; `padding` is (top, bottom, left, right)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Step:
    """Describes one node: its kind, its module path, and what the kind needs beyond its tensor operands."""

    kind: Kind
    path: str
    shape: tuple[int, ...]  # the output's, without the batch
    constant: float = 0.0  # ADD_CONSTANT, SCALE; the end of a WINDOW_SHARE's grid
    window: Window | None = None  # AVERAGE_POOL, MAX_POOL
    channels: tuple[int, int] = (0, 0)  # CHANNEL_SLICE: the first, and the one after the last
    axis: int = 0  # CONCAT, CHANNEL_SLICE, REPEAT: of the shape without the batch
    times: int = 1  # REPEAT
    before: tuple[int, ...] = ()  # PAD: zeros before the values of every axis
    after: tuple[int, ...] = ()  # PAD
    split: tuple[int, ...] = ()  # REARRANGE
    order: tuple[int, ...] = ()  # REARRANGE
    groups: int = 1  # CHANNEL_SHUFFLE
    align_corners: bool = False  # RESIZE
    axes: tuple[int, ...] = ()  # AXES_MEAN: without the batch
    function: Function | None = None  # FUNCTION
    parameters: tuple[float, ...] = ()  # FUNCTION

    @property
    def channel_count(self) -> int:
        """Returns how many channels the output has."""
        return self.shape[channel_axis(1 + len(self.shape)) - 1]

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """Returns the least and the greatest value of the output for any image, as far as they are known before one."""
        if self.function is not None:
            return _ENDS_OF[self.function]
        low, high = KINDS[self.kind].ends
        return low, self.constant if self.kind is Kind.WINDOW_SHARE else high


def channel_axis(axes: int) -> int:
    """Returns which of a tensor's axes, the batch included, holds its channels: the last one of rows (N, T, C)."""
    return 1 if axes in (2, 4) else axes - 1


def step_of(node: fx.Node) -> Step | None:
    """Returns the node's step, or None for inputs, outputs and quantizers."""
    step: Step | None = node.meta.get(STEP)
    return step


def traits_of(node: fx.Node) -> KindTraits | None:
    """Returns the traits of the node's step, or None without a step."""
    step = step_of(node)
    return None if step is None else KINDS[step.kind]


def absorbs(node: fx.Node) -> fx.Node | None:
    """Returns the activation that the node's operator computes itself, if it is the only reader of the value."""
    step = step_of(node)
    if step is None or len(node.users) != 1:
        return None
    (user,) = node.users
    follower = traits_of(user)
    return user if follower is not None and follower.activation in KINDS[step.kind].carries_out else None
