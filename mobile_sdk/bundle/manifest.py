"""Defines the manifest, a bundle's description of itself; docs/reference/bundle-format.md describes the fields."""

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from mobile_sdk.contract import Contract, ImageSpec, NetInput, TensorSpec, kind_of_input
from mobile_sdk.document import Document
from mobile_sdk.graph.operators import Graph, Precision, Weighted
from mobile_sdk.program.record import Record
from mobile_sdk.runtimes.base import InputSpec, Interface, OutputSpec, Structure
from mobile_sdk.tasks.quality import Quality, Share
from mobile_sdk.tasks.registry import task_of

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Choice = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,31}$")]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Bits = Annotated[int, Field(ge=1, le=32)]
MOST_OUTPUTS = 64
MOST_COUNT = 2**31 - 1
Count = Annotated[int, Field(ge=0, le=MOST_COUNT)]
ActivationLimit = Annotated[int | None, Field(ge=1, le=MOST_COUNT, exclude_if=lambda limit: limit is None)]


class FileEntry(Document):
    """Describes one file of the bundle; `path` is relative to the folder, with `/`."""

    path: Annotated[str, Field(min_length=1, max_length=255)]
    bytes: Annotated[int, Field(ge=0, le=2**31)]  # a flatbuffer ends at 2 GiB
    sha256: Sha256


class ImageEntry(ImageSpec):
    """Describes an input that reads pictures: the image that goes into it, and the tensor that takes its bytes."""

    resize: Literal["pillow-bilinear"]
    tensor: InputSpec

    @property
    def spec(self) -> ImageSpec:
        """Returns the image without its tensor."""
        return ImageSpec(**self.model_dump(exclude={"resize", "tensor"}))


class TensorEntry(TensorSpec):
    """Describes an input that reads arrays: the array that goes into it, and the tensor that takes its codes."""

    tensor: InputSpec

    @property
    def spec(self) -> TensorSpec:
        """Returns the array without the tensor that takes it."""
        return TensorSpec(**self.model_dump(exclude={"tensor"}))


InputEntry = Annotated[
    Annotated[ImageEntry, Tag("image")] | Annotated[TensorEntry, Tag("tensor")], Discriminator(kind_of_input)
]


def input_entry(spec: NetInput, tensor: InputSpec) -> ImageEntry | TensorEntry:
    """Returns the entry of an input that `tensor` takes."""
    if isinstance(spec, ImageSpec):
        return ImageEntry(**spec.model_dump(), resize="pillow-bilinear", tensor=tensor)
    return TensorEntry(**spec.model_dump(), tensor=tensor)


class QuantizationEntry(Document):
    """Describes how the numbers in the model were made, and how many bits they have.

    Both tables use the layers' paths as keys: the bits of a layer's weights, and those of each number of its output. 32
    means float32.
    """

    method: Literal["float32", "calibrated", "qat"]
    weight_bits: dict[str, Bits]
    activation_bits: dict[str, Bits]

    @classmethod
    def of(cls, graph: Graph, method: Literal["float32", "calibrated", "qat"]) -> Self:
        """Returns the entry of a graph's convolutions and linear layers."""
        layers = [operator for operator in graph.operators if isinstance(operator, Weighted)]
        return cls(
            method=method,
            weight_bits={layer.path: 32 if layer.weight_scales is None else layer.weight_bits for layer in layers},
            activation_bits={layer.path: 32 if layer.output.quantization is None else 8 for layer in layers},
        )


class Figure(Document):
    """Holds a measure's value on so many images."""

    value: Share
    images: Annotated[int, Field(ge=1, le=MOST_COUNT)]

    @classmethod
    def of(cls, quality: Quality | None) -> Self | None:
        """Returns the figure of `quality`, whose values label by label stay in the program."""
        return None if quality is None else cls(value=quality.value, images=quality.images)


class QualityEntry(Document):
    """Holds the quality that was recorded with the program; null if it was never measured."""

    measure: Annotated[str, Field(min_length=1, max_length=64)]
    float32: Figure | None
    int8_reference: Figure | None

    @classmethod
    def of(cls, record: Record, contract: Contract) -> Self:
        """Returns the entry of a program's record."""
        both = record.float_quality, record.reference_quality
        measure = next((each.measure for each in both if each), task_of(contract).measure)
        return cls(measure=measure, float32=Figure.of(both[0]), int8_reference=Figure.of(both[1]))


class StructureEntry(Document):
    """Describes the content of the model file; the fields are those of `runtimes.base.Structure`."""

    operators: dict[str, Count]
    partitions: Count
    not_delegated: tuple[tuple[str, str], ...]
    int8_weight_share: Annotated[float, Field(ge=0, le=1)]
    float_convolutions: Count
    bytes_by_part: dict[str, Count]

    @classmethod
    def of(cls, structure: Structure) -> "StructureEntry":
        """Returns the entry of `structure`."""
        return cls(**vars(structure))


class GoldenPicture(Document):
    """Holds the expectation for `golden/<position>.png`.

    `input_sha256` is the hash of the model's input tensor for it. Earlier bundles hold that tensor itself, in a file.
    """

    top1_index: Count
    input_sha256: Annotated[Sha256 | None, Field(exclude_if=lambda digest: digest is None)] = None


class GoldenEntry(Document):
    """Describes the golden pictures: their source, who computed the expectation, and how near a device must come.

    `expected_by` is "reference" or the runtime's name. `tolerance` is the largest `|found - expected|` of one score, in
    the output's own unit: 0 for int8 codes (`golden_tolerances`). Several outputs have one each, in their order, and
    the largest of them is `tolerance`.
    """

    source: Literal["given", "generated"]
    expected_by: Annotated[str, Field(min_length=1, max_length=64)]
    tolerance: Annotated[float, Field(ge=0)]
    tolerances: Annotated[
        tuple[Annotated[float, Field(ge=0)], ...], Field(max_length=MOST_OUTPUTS, exclude_if=lambda values: not values)
    ] = ()
    pictures: Annotated[tuple[GoldenPicture, ...], Field(min_length=1, max_length=16)]

    @property
    def of_outputs(self) -> tuple[float, ...]:
        """Returns every output's tolerance, in their order."""
        return self.tolerances or (self.tolerance,)


class Manifest(Contract):
    """Defines `bundle.json`: the contract, and everything that an app, a test or a person needs to know of the model.

    `activation_limit_kib` is set if the model computes in strips to keep within it (`memory.limit`). `form` holds what
    was chosen of the model file where that is not the usual (`runtimes.base.Runtime.form`).
    """

    schema_number: Literal[1, 2, 3]  # of the file
    inputs: tuple[InputEntry, ...]
    outputs: Annotated[tuple[OutputSpec, ...], Field(min_length=1, max_length=MOST_OUTPUTS)]
    runtime: Word
    processors: Annotated[tuple[Word, ...], Field(min_length=1, max_length=16)]
    precision: Precision
    model: Annotated[str, Field(pattern=r"^model\.[a-z]{1,16}$")]
    quantization: QuantizationEntry
    quality: QualityEntry
    structure: StructureEntry
    golden: GoldenEntry
    activation_limit_kib: ActivationLimit = None
    form: Annotated[dict[Word, Choice], Field(default_factory=dict, exclude_if=lambda form: not form, max_length=16)]
    files: Annotated[tuple[FileEntry, ...], Field(min_length=1, max_length=1000)]
    program_sha256: Sha256
    graph_sha256: Sha256
    manifest_sha256: Sha256

    @model_validator(mode="after")
    def _check_outputs(self) -> Self:
        task, after = task_of(self), [spec.name for spec in self.outputs if spec.activation != "none"]
        if after and self.form.get("output") != "probabilities":
            raise ValueError(f"expected outputs before any softmax, found {', '.join(after)} after it")
        if len(self.outputs) > 1 and task.has_one_output:
            shapes = {spec.name: spec.shape for spec in self.outputs}
            if not task.fits_together(shapes, self):
                raise ValueError(f"expected one output for {self.task}, found {len(self.outputs)}")
        return self

    @property
    def precision_in_words(self) -> str:
        """Returns the precision, and how many layers have weights of 4 bits.

        The precision itself stays `int8`: it is how the model computes, and apps hold codes to it.
        """
        bits = list(self.quantization.weight_bits.values())
        four = f", 4-bit weights in {bits.count(4)} of {len(bits)} layers" if 4 in bits else ""
        return f"{self.precision}{four}"

    @property
    def contract(self) -> Contract:
        """Returns the contract without the rest."""
        return Contract(**self.without_inputs(), inputs=(self.input,))

    @property
    def input(self) -> NetInput:
        """Returns the one input, without its tensor."""
        return self.inputs[0].spec

    @property
    def interface(self) -> Interface:
        """Returns the model's tensors."""
        return Interface(input=self.inputs[0].tensor, outputs=self.outputs)
