"""Reads the manifest as schemas 1 and 2 spelled it; what schema 3 left out is read over, never believed.

Schema 2 also told the packages' versions and the golden images' true labels, which nobody can check. Schema 1 had one
image and one output, accuracy, and bits in words besides.
"""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from mobile_sdk.bundle.manifest import (
    MOST_COUNT,
    ActivationLimit,
    Figure,
    FileEntry,
    GoldenEntry,
    GoldenPicture,
    Manifest,
    QualityEntry,
    QuantizationEntry,
    Sha256,
    StructureEntry,
    Word,
    input_entry,
)
from mobile_sdk.document import Document
from mobile_sdk.graph.operators import Precision
from mobile_sdk.program.earlier_documents import EarlierContract
from mobile_sdk.runtimes.base import InputSpec, OutputSpec
from mobile_sdk.tasks.quality import Share
from mobile_sdk.tasks.registry import task_of


class EarlierGoldenPicture(GoldenPicture):
    """Holds a `GoldenPicture` with the image's true label."""

    label_index: JsonValue


class EarlierGolden(GoldenEntry):
    """Holds a `GoldenEntry` whose `expected_by` also told the arithmetic: "coreml (interpreter)"."""

    pictures: Annotated[tuple[EarlierGoldenPicture, ...], Field(min_length=1, max_length=16)]

    def entry(self) -> GoldenEntry:
        """Returns the entry as it is spelled now."""
        return GoldenEntry(
            source=self.source,
            expected_by=self.expected_by.partition(" ")[0] or self.expected_by,
            tolerance=self.tolerance,
            tolerances=self.tolerances,
            pictures=tuple(
                GoldenPicture(top1_index=each.top1_index, input_sha256=each.input_sha256) for each in self.pictures
            ),
        )


class Schema2Manifest(Manifest):
    """Holds a `Manifest` of schema 2."""

    schema_number: Literal[2]
    golden: EarlierGolden
    versions: JsonValue

    def manifest(self) -> Manifest:
        """Returns the manifest without what is read over."""
        same = {name: getattr(self, name) for name in Manifest.model_fields}
        return Manifest(**{**same, "golden": self.golden.entry()})


class EarlierQuantization(Document):
    """Holds a `QuantizationEntry` that is one for all layers."""

    method: Literal["float32", "calibrated", "qat"]
    weights: Literal["int8 per channel", "float32", "int8 per channel, kept layers float32"]
    activations: Literal["int8 per tensor", "float32", "int8 per tensor, kept layers float32"]


class EarlierFigure(Document):
    """Holds a `Figure` whose fields have their earlier names."""

    share: Share
    pictures: Annotated[int, Field(ge=1, le=MOST_COUNT)]


class EarlierAccuracies(Document):
    """Holds a `QualityEntry` whose measure is the task's."""

    float32: EarlierFigure | None
    int8_reference: EarlierFigure | None


class EarlierInterface(Document):
    """Holds an `Interface` of one output."""

    input: InputSpec
    output: OutputSpec


class Schema1Manifest(EarlierContract):
    """Holds a `Manifest` of schema 1."""

    schema_number: Literal[1]
    runtime: Word
    precision: Precision
    model: Annotated[str, Field(pattern=r"^model\.[a-z]{1,16}$")]
    resize: Literal["pillow-bilinear"]
    interface: EarlierInterface
    quantization: EarlierQuantization
    accuracy: EarlierAccuracies
    structure: StructureEntry
    golden: EarlierGolden
    activation_limit_kib: ActivationLimit = None
    files: Annotated[tuple[FileEntry, ...], Field(min_length=1, max_length=1000)]
    versions: JsonValue
    program_sha256: Sha256
    graph_sha256: Sha256
    manifest_sha256: Sha256

    def manifest(self) -> Manifest:
        """Returns the manifest as it is spelled now; raises ContractError if its contract is invalid.

        Bits layer by layer are not known. All runtimes of that time compute on the processor's own cores.
        """
        contract = self.read()
        same = {name: getattr(self, name) for name in Schema1Manifest.model_fields if name in Manifest.model_fields}
        changed = {
            **contract.without_inputs(),
            "inputs": (input_entry(contract.input, self.interface.input),),
            "outputs": (self.interface.output,),
            "processors": ("cpu",),
            "golden": self.golden.entry(),
            "quantization": QuantizationEntry(method=self.quantization.method, weight_bits={}, activation_bits={}),
            "quality": QualityEntry(
                measure=task_of(contract).measure,
                float32=_figure(self.accuracy.float32),
                int8_reference=_figure(self.accuracy.int8_reference),
            ),
        }
        return Manifest(**{**same, **changed})


def _figure(accuracy: EarlierFigure | None) -> Figure | None:
    return None if accuracy is None else Figure(value=accuracy.share, images=accuracy.pictures)
