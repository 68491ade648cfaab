"""What an ATen graph cannot say of a program: the names of tensors, and the module that each operator came from."""

from typing import Literal

from pydantic import Field

from mobile_sdk.document import Document

Form = Literal["int8", "float32", "dequantize", "quantize", "boxes"]


class OperatorNames(Document):
    """What one operator is called. `constant` is its constant's name; `fused_clamp` whether the clamp is its own.

    `form` is what an operator of a mixed program or a detector is; others' operators are of one kind, and have none.
    """

    output: str
    path: str
    constant: str | None = None
    fused_clamp: bool = False
    form: Form | None = Field(default=None, exclude_if=lambda form: form is None)


class Names(Document):
    """The names that an exported program does not hold, in the order of its operators."""

    input: str
    operators: tuple[OperatorNames, ...]
