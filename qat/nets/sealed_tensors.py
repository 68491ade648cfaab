"""Writes and reads tensors in one sealed safetensors file: a JSON object in its header holds the seal of the file."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mobile_sdk.errors import DataError
from mobile_sdk.system.regular_file import MOST_WEIGHTS, check_regular, read_regular
from mobile_sdk.system.seal import NO_SEAL, split_seal, true_seal, with_seal


def sealed_tensors(tensors: Mapping[str, Tensor], key: str, text: str) -> bytes:
    """Returns the file with `tensors`, and with the JSON object `text`, sealed, as the entry `key` of its header."""
    plain = {name: value.detach().contiguous() for name, value in tensors.items()}
    without = save(plain, metadata={key: with_seal(text)})
    return save(plain, metadata={key: with_seal(text, true_seal(without, NO_SEAL))})


def header_entry(path: Path, key: str) -> bytes | None:
    """Returns the JSON object in the entry `key` of the file's header; None if it has none, or is no such file.

    Raises DataError if anything in the file is not as it was sealed. One that an earlier SDK wrote has no seal.
    """
    try:
        check_regular(path, at_most=MOST_WEIGHTS)
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(key)
        if text is None:
            return None
        content, seal = split_seal(text.encode())
        is_intact = seal is None or seal == true_seal(read_regular(path, at_most=MOST_WEIGHTS), seal)
    except (SafetensorError, OSError):
        return None
    if not is_intact:
        raise DataError(
            f"expected {path.name} as it was written, found it damaged or changed", hint="copy it again, or train again"
        )
    return content
