"""What a node of a captured net does, in this SDK's own terms: read once from PyTorch's operators, used everywhere."""

from dataclasses import dataclass
from enum import StrEnum

from torch import fx

STEP = "step"  # the key in a node's meta


class Kind(StrEnum):
    """The kinds of step that an integer graph can express."""

    WEIGHTED = "convolution or linear, with its batch norm"
    RELU = "relu"
    RELU6 = "relu6"
    HARD_SWISH = "hard-swish"
    HARD_SIGMOID = "hard-sigmoid"
    ADD = "add"
    MUL = "mul"
    ADD_CONSTANT = "add a constant"
    SCALE = "multiply by a positive constant"
    GLOBAL_MEAN = "global average pooling"
    AVERAGE_POOL = "average pooling"
    MAX_POOL = "max pooling"
    CONCAT = "concatenation of channels"
    CHANNEL_SLICE = "some of the channels"
    CHANNEL_SHUFFLE = "shuffled channels"
    RESIZE = "bilinear resizing"
    FLATTEN = "flatten"
    UNFLATTEN = "a vector as a map of one pixel"
    WINDOW_SHARE = "how much larger a window is than the part of it that an average counts"
    DROPOUT = "dropout"
    BOXES = "decoded boxes"


CLAMPS = (Kind.RELU, Kind.RELU6)
ON_THE_GRID = (  # their outputs need no quantizer of their own
    Kind.MAX_POOL,
    Kind.CHANNEL_SLICE,
    Kind.CHANNEL_SHUFFLE,
    Kind.RESIZE,
    Kind.FLATTEN,
    Kind.UNFLATTEN,
    Kind.DROPOUT,
    Kind.SCALE,
)


@dataclass(frozen=True, kw_only=True)
class Window:
    """A pooling window; `padding` is (top, bottom, left, right)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One node: its kind, the module path it came from, and what the kind needs beyond its tensor operands."""

    kind: Kind
    path: str
    shape: tuple[int, ...]  # of the output, without the batch
    constant: float = 0.0  # ADD_CONSTANT, SCALE; of a WINDOW_SHARE the end of its grid
    window: Window | None = None  # AVERAGE_POOL, MAX_POOL
    channels: tuple[int, int] = (0, 0)  # CHANNEL_SLICE: the first, and the one behind the last
    groups: int = 1  # CHANNEL_SHUFFLE


def step_of(node: fx.Node) -> Step | None:
    """The node's step, None for inputs, outputs and quantizers."""
    step: Step | None = node.meta.get(STEP)
    return step


def absorbs(node: fx.Node) -> fx.Node | None:
    """The activation that the node's operator carries out itself, where nobody else reads the value before it."""
    step = step_of(node)
    if step is None or len(node.users) != 1:
        return None
    (user,) = node.users
    follower = step_of(user)
    if follower is None:
        return None
    clamped = follower.kind in CLAMPS and step.kind in (Kind.WEIGHTED, Kind.ADD, Kind.ADD_CONSTANT, Kind.MUL)
    gated = follower.kind is Kind.HARD_SIGMOID and step.kind is Kind.WEIGHTED
    return user if clamped or gated else None
