"""Holds what an ATen graph cannot say of a program: tensors' names, and the module that each operator came from."""

from typing import Literal

from pydantic import Field

from mobile_sdk.document import Document

Form = Literal["int8", "float32", "dequantize", "quantize", "boxes"]


class OperatorNames(Document):
    """Names one operator. `constant` is its constant's name; `fused_clamp` says if the clamp is its own.

    `form` is the kind of an operator of a mixed program or a detector; others' operators are of one kind, and have
    none.
    """

    output: str
    path: str
    constant: str | None = None
    fused_clamp: bool = False
    form: Form | None = Field(default=None, exclude_if=lambda form: form is None)


class Names(Document):
    """Holds the names that an exported program lacks, in the order of its operators."""

    input: str
    operators: tuple[OperatorNames, ...]
