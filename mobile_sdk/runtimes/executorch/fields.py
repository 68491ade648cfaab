"""Makes groups of fields of XNNPACK's serialized graph, named as in `backends/xnnpack/serialization/schema.fbs`."""

from functools import cache
from typing import Any

from mobile_sdk.runtimes.executorch.pte_file import package_folder
from mobile_sdk.runtimes.flatbuffer.schema import Schema, read_schema

NO_VALUE = 2**32 - 1  # XNN_INVALID_VALUE_ID


def tensor_fields(
    datatype: str, dims: list[int], buffer: int, external: int = NO_VALUE, flags: int = 0
) -> dict[str, Any]:
    """Returns an XNNTensorValue, without its id."""
    return {
        "datatype": datatype,
        "num_dims": len(dims),
        "dims": dims,
        "constant_buffer_idx": buffer,
        "external_id": external,
        "flags": flags,
    }


def window_fields(name: str, sides: tuple[int, int, int, int]) -> dict[str, int]:
    """Returns padding (top, bottom, left, right), a field a side."""
    return dict(zip((f"{name}_{side}" for side in ("top", "bottom", "left", "right")), sides, strict=True))


def pair_fields(name: str, sizes: tuple[int, ...]) -> dict[str, int]:
    """Returns a height and a width."""
    return {f"{name}_height": sizes[0], f"{name}_width": sizes[1]}


@cache
def delegate_schema() -> Schema:
    """Returns ExecuTorch's own schema of an XNNPACK graph."""
    return read_schema(package_folder() / "backends" / "xnnpack" / "serialization" / "schema.fbs")
