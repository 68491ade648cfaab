"""`bundle.json`: what a bundle says of itself, and the seal that shows damage.

The seal is a SHA-256 over the file's own bytes with the seal's 64 digits read as zeros. It detects damage and edits by
accident. It is no signature: whoever edits on purpose can seal again, and `verify` is what finds that.
"""

import hashlib
import json
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from mobile_sdk.contract import Contract
from mobile_sdk.document import Document
from mobile_sdk.errors import BundleError
from mobile_sdk.graph.operators import Precision
from mobile_sdk.program.program import Accuracy, Record
from mobile_sdk.runtimes.base import Interface, Structure

SCHEMA = 1
MANIFEST_FILE = "bundle.json"
MAX_MANIFEST_BYTES = 8 * 2**20  # 100,000 labels of 60 letters; real manifests take a few KiB
_SEAL, _NO_SEAL = "manifest_sha256", "0" * 64

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Weights = Literal["int8 per channel", "float32", "int8 per channel, kept layers float32"]
Activations = Literal["int8 per tensor", "float32", "int8 per tensor, kept layers float32"]
Count = Annotated[int, Field(ge=0)]


class BundleRefusalError(BundleError):
    """A bundle failed a check on opening; `check` is the check's name, as docs/bundle-format.md lists them."""

    def __init__(self, check: str, message: str, *, hint: str = "export the bundle again, or copy it again") -> None:
        super().__init__(f"{check}: {message}", hint=hint)
        self.check = check


class FileEntry(Document):
    """One file of the bundle; `path` is relative to the folder, with `/`."""

    path: Annotated[str, Field(min_length=1, max_length=255)]
    bytes: Annotated[int, Field(ge=0, le=2**31)]  # a flatbuffer ends at 2 GiB
    sha256: Sha256


class QuantizationEntry(Document):
    """How the numbers in the model came about and how they are held."""

    method: Literal["float32", "calibrated", "qat"]
    weights: Weights
    activations: Activations


class AccuracyEntry(Document):
    """Top-1 accuracy as it was recorded with the program; null where it was never measured."""

    float32: Accuracy | None
    int8_reference: Accuracy | None

    @classmethod
    def of(cls, record: Record) -> "AccuracyEntry":
        """The entry of a program's record, whose shares label by label stay in the program."""
        both = (record.float_accuracy, record.reference_accuracy)
        in_float, in_int8 = (each and each.model_copy(update={"by_label": None}) for each in both)
        return cls(float32=in_float, int8_reference=in_int8)


class StructureEntry(Document):
    """What the model file is made of; fields as `runtimes.base.Structure` says."""

    operators: dict[str, Count]
    partitions: Count
    not_delegated: tuple[tuple[str, str], ...]
    int8_weight_share: Annotated[float, Field(ge=0, le=1)]
    float_convolutions: Count
    bytes_by_part: dict[str, Count]

    @classmethod
    def of(cls, structure: Structure) -> "StructureEntry":
        """The entry that says what `structure` says."""
        return cls(
            operators=dict(structure.operators),
            partitions=structure.partitions,
            not_delegated=structure.not_delegated,
            int8_weight_share=structure.int8_weight_share,
            float_convolutions=structure.float_convolutions,
            bytes_by_part=dict(structure.bytes_by_part),
        )


class GoldenPicture(Document):
    """What is expected of `golden/<position>.png`; the label is null where the picture has none."""

    top1_index: Count
    label_index: Count | None


class GoldenEntry(Document):
    """The golden pictures: where they are from, who computed what is expected, and how near a device must come.

    `tolerance` is the largest `|found - expected|` of one score, in the output's own unit: 0 for int8 codes.
    """

    source: Literal["given", "generated"]
    expected_by: Annotated[str, Field(min_length=1, max_length=64)]
    tolerance: Annotated[float, Field(ge=0)]
    pictures: Annotated[tuple[GoldenPicture, ...], Field(min_length=1, max_length=16)]


class Manifest(Contract):
    """`bundle.json`: the contract, and all that an app, a test or a person needs to know of the model beside it.

    `activation_limit_kib` is there where the model computes in strips to keep within it (`memory_limit`).
    """

    schema_number: Literal[1]
    runtime: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    precision: Precision
    model: Annotated[str, Field(pattern=r"^model\.[a-z]{1,16}$")]
    resize: Literal["pillow-bilinear"]
    interface: Interface
    quantization: QuantizationEntry
    accuracy: AccuracyEntry
    structure: StructureEntry
    golden: GoldenEntry
    activation_limit_kib: Annotated[int | None, Field(gt=0, exclude_if=lambda limit: limit is None)] = None
    files: Annotated[tuple[FileEntry, ...], Field(min_length=1, max_length=1000)]
    versions: dict[str, str]
    program_sha256: Sha256
    graph_sha256: Sha256
    manifest_sha256: Sha256

    @property
    def contract(self) -> Contract:
        """The contract alone."""
        return Contract(name=self.name, task=self.task, labels=self.labels, image=self.image, detection=self.detection)


def seal(content: dict[str, Any]) -> bytes:
    """The bytes of `bundle.json` that say `content`, sealed."""
    text = json.dumps({**content, _SEAL: _NO_SEAL}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    before, _, after = text.rpartition(_NO_SEAL)
    return (before + hashlib.sha256(text.encode()).hexdigest() + after).encode()


def read_manifest(data: bytes) -> Manifest:
    """Reads a `bundle.json`; raises BundleRefusalError with check "manifest", "schema", "seal" or "fields"."""
    content = _parse(data)
    _check_schema(content)
    _check_seal(data, content)
    try:
        manifest = Manifest.model_validate_json(data, strict=True)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or MANIFEST_FILE
        raise BundleRefusalError("fields", f"{where!r}: {problem['msg']}") from error
    if (absent := _first_absent(manifest.model_dump(mode="json"), content)) is not None:
        raise BundleRefusalError("fields", f"expected the field {absent!r}, found none")
    return manifest


def is_safe_path(path: str) -> bool:
    """Whether a path of a manifest stays inside the bundle on every system, whatever case its letters have."""
    parts = PurePosixPath(path).parts
    plain = all(part.isascii() and part.replace("_", "").replace("-", "").replace(".", "").isalnum() for part in parts)
    return path != "" and plain and "/".join(parts) == path


def _first_absent(expected: dict[str, Any], content: dict[str, Any]) -> str | None:
    """The first field that was not written; a contract made in Python has defaults, its readers elsewhere have none."""
    for name, value in expected.items():
        if name not in content:
            return name
        if isinstance(value, dict) and (absent := _first_absent(value, content[name])) is not None:
            return f"{name}.{absent}"
    return None


def _parse(data: bytes) -> dict[str, Any]:
    """The JSON object; a key that occurs twice means different things to different readers, and is refused."""
    try:
        content = json.loads(data.decode("utf-8"), object_pairs_hook=_without_twins, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BundleRefusalError("manifest", f"expected JSON in {MANIFEST_FILE}, found {reason[:200]!r}") from error
    if not isinstance(content, dict):
        raise BundleRefusalError("manifest", f"expected an object in {MANIFEST_FILE}, found {type(content).__name__}")
    return content


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key that occurs twice")
    return content


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name}, which is no JSON")


def _check_schema(content: dict[str, Any]) -> None:
    found = content.get("schema_number")
    if type(found) is not int or found < 1:
        raise BundleRefusalError("schema", f"expected schema_number {SCHEMA}, found {str(found)[:40]!r}")
    if found > SCHEMA:
        raise BundleRefusalError(
            "schema",
            f"expected schema_number {SCHEMA} or lower, found {str(found)[:40]}: a newer SDK wrote this bundle",
            hint="update this SDK, or export the bundle again with this one",
        )


def _check_seal(data: bytes, content: dict[str, Any]) -> None:
    found = content.get(_SEAL)
    if not isinstance(found, str) or len(found) != len(_NO_SEAL) or not found.isascii():
        raise BundleRefusalError("seal", f"expected {_SEAL} of 64 digits in {MANIFEST_FILE}, found {str(found)[:80]!r}")
    expected = hashlib.sha256(data.replace(found.encode(), _NO_SEAL.encode())).hexdigest()
    if found != expected:
        raise BundleRefusalError(
            "seal",
            f"expected {_SEAL} {expected[:12]}…, found {found[:12]}…: {MANIFEST_FILE} was changed after it was written",
        )
