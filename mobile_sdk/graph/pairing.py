"""Pairs tensors and weights of a program with those of its float32 twin: freezing notes them, the file stores them.

An int8 tensor may hold a multiple of the twin's values, and a tensor of the twin may be no tensor of the program at
all. Freezing knows both when it writes an operator. A float32 tensor of a program has no note: it equals the twin's
tensor of its name.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Held:
    """Names an int8 tensor of the program, which holds `multiple` times the values that it represents."""

    tensor: str
    multiple: float

    def __post_init__(self) -> None:
        if not 0 < self.multiple < float("inf"):
            raise ValueError(f"a multiple must be positive and finite, not {self.multiple!r}")


@dataclass(frozen=True, kw_only=True)
class PairedWeights:
    """Names a layer of the program by its output `tensor`, and says how its weights become the twin's.

    With w and b the real numbers of the program's weights and bias, the twin's are `w * weight_factor` and
    `b * bias_factor + bias_shift`.
    """

    tensor: str
    weight_factor: float
    bias_factor: float = 1.0
    bias_shift: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Describes the program's counterpart of the twin's tensor `twin`, and of the operator that computes it.

    `output` holds its values where int8 operators read them; it is None if nothing is rounded. `gate` holds the
    hard-sigmoid inside an h-swish, `operands` the operands that were brought onto another grid first, by position.
    """

    twin: str
    output: Held | None = None
    gate: Held | None = None
    operands: tuple[Held | None, ...] = ()
    weights: PairedWeights | None = None
