"""Saves a trained float net as one sealed safetensors file whose header names the net and its contract."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from mobile_sdk.contract import Contract, Task
from mobile_sdk.document import Document, FiniteJson
from mobile_sdk.errors import DataError
from mobile_sdk.program.earlier_documents import EarlierContract
from mobile_sdk.system.atomic_files import write_bytes
from mobile_sdk.tasks.class_quality import ByClass
from qat.nets import ImageClassifier, build_net
from qat.nets.architecture import Architecture
from qat.nets.classifiers.mobilenet_v3 import build_for
from qat.nets.sealed_tensors import header_entry, sealed_tensors
from qat.nets.segmenters import Segmenter, build_segmenter
from qat.nets.ssd import Ssd, build_detector

_KEY = "mobile_sdk"
_BUILDERS: Mapping[Task, Callable[..., ImageClassifier | Ssd | Segmenter]] = {
    "classification": build_net,
    "detection": build_detector,
    "segmentation": build_segmenter,
}


class SavedNet(Document):
    """Holds the file's header: the net's name and width, its contract, and how it was trained.

    A searched net has an `architecture`; its name and width are those of the net that the search began with.
    `net_settings` are the arguments of `build_detector` or `build_segmenter` besides the width. `by_label` is the last
    epoch's validation result for each label, as in `History`.
    """

    net: str
    width: float = 1.0
    net_settings: dict[str, FiniteJson] = Field(default_factory=dict)
    architecture: Architecture | None = None
    contract: Contract
    settings: dict[str, FiniteJson] = Field(default_factory=dict)
    history: tuple[dict[str, FiniteJson], ...] = ()
    by_label: Annotated[ByClass | None, Field(exclude_if=lambda shares: shares is None)] = None

    @field_validator("contract", mode="before")
    @classmethod
    def _of_any_schema(cls, contract: Any) -> Any:
        """Reads the contract in a header that the SDK wrote before contracts had inputs."""
        is_earlier = isinstance(contract, dict) and "image" in contract
        return EarlierContract.model_validate(contract).read() if is_earlier else contract

    @property
    def title(self) -> str:
        """Returns the net's name for reports."""
        return self.net if self.architecture is None else f"{self.net}, searched"


def save_net(net: nn.Module, saved: SavedNet, path: Path) -> None:
    """Writes weights, statistics and header to `path`, whole or not at all."""
    write_bytes(path, sealed_tensors(net.state_dict(), _KEY, saved.model_dump_json()))


def read_header(path: Path) -> SavedNet | None:
    """Returns the header of a file that `save_net` wrote; None for any other file, such as a published checkpoint.

    Raises DataError if the header, or any tensor, is not as it was written.
    """
    try:
        content = header_entry(path, _KEY)
        return None if content is None else SavedNet.model_validate_json(content)
    except ValidationError as error:
        raise DataError(
            f"expected a net of this SDK in {path.name}, found a header that is damaged or newer", hint="train it again"
        ) from error


def load_net(path: Path) -> tuple[ImageClassifier | Ssd | Segmenter, SavedNet]:
    """Returns the net and its header; raises DataError for a file that `save_net` did not write."""
    saved = read_header(path)
    if saved is None:
        raise DataError(f"expected a net that `train` wrote, found {path.name}", hint="name net.safetensors")
    try:
        net = _built(saved)
        net.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise DataError(
            f"expected the tensors of {saved.title} in {path.name}, found others",
            hint="train it again, or copy it again",
        ) from error
    return net.eval(), saved


def _built(saved: SavedNet) -> ImageClassifier | Ssd | Segmenter:
    if saved.architecture is not None:
        return build_for(saved.architecture, saved.contract)
    return _BUILDERS[saved.contract.task](saved.net, saved.contract, width=saved.width, **saved.net_settings)
