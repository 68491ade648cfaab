"""Reads the manifest as schema 1 spelled it: one image and one output, accuracy, and bits in words."""

from typing import Annotated, Literal

from pydantic import Field

from mobile_sdk.bundle.manifest import (
    Figure,
    FileEntry,
    GoldenEntry,
    InputEntry,
    Manifest,
    QualityEntry,
    QuantizationEntry,
    Sha256,
    StructureEntry,
    Word,
)
from mobile_sdk.document import Document
from mobile_sdk.graph.operators import Precision
from mobile_sdk.program.earlier_documents import EarlierAccuracy, EarlierContract
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.tasks.registry import task_of


class EarlierQuantization(Document):
    """Holds a `QuantizationEntry` that is one for all layers."""

    method: Literal["float32", "calibrated", "qat"]
    weights: Literal["int8 per channel", "float32", "int8 per channel, kept layers float32"]
    activations: Literal["int8 per tensor", "float32", "int8 per tensor, kept layers float32"]


class EarlierAccuracies(Document):
    """Holds a `QualityEntry` whose measure is the task's."""

    float32: EarlierAccuracy | None
    int8_reference: EarlierAccuracy | None


class EarlierManifest(EarlierContract):
    """Holds a `Manifest` of schema 1."""

    schema_number: Literal[1]
    runtime: Word
    precision: Precision
    model: Annotated[str, Field(pattern=r"^model\.[a-z]{1,16}$")]
    resize: Literal["pillow-bilinear"]
    interface: Interface
    quantization: EarlierQuantization
    accuracy: EarlierAccuracies
    structure: StructureEntry
    golden: GoldenEntry
    activation_limit_kib: Annotated[int | None, Field(gt=0, exclude_if=lambda limit: limit is None)] = None
    files: Annotated[tuple[FileEntry, ...], Field(min_length=1, max_length=1000)]
    versions: dict[str, str]
    program_sha256: Sha256
    graph_sha256: Sha256
    manifest_sha256: Sha256

    def manifest(self) -> Manifest:
        """Returns the manifest as it is spelled now; raises ContractError if its contract is invalid.

        Bits layer by layer are not known. All runtimes of that time compute on the processor's own cores.
        """
        contract = self.read()
        image = InputEntry(**contract.image.model_dump(), resize=self.resize, tensor=self.interface.input)
        same = {name: getattr(self, name) for name in EarlierManifest.model_fields if name in Manifest.model_fields}
        changed = {
            **contract.without_inputs(),
            "inputs": (image,),
            "outputs": (self.interface.output,),
            "processors": ("cpu",),
            "quantization": QuantizationEntry(method=self.quantization.method, weight_bits={}, activation_bits={}),
            "quality": QualityEntry(
                measure=task_of(contract).measure,
                float32=_figure(self.accuracy.float32),
                int8_reference=_figure(self.accuracy.int8_reference),
            ),
        }
        return Manifest(**{**same, **changed})


def _figure(accuracy: EarlierAccuracy | None) -> Figure | None:
    return None if accuracy is None else Figure(value=accuracy.share, images=accuracy.pictures)
