"""Reads contract and record as files of an earlier schema spell them: programs of schema 2, manifests of schema 1.

A program's digest is taken over this spelling too, whatever file the program was read from: so an earlier bundle names
its program even after that was written again.
"""

from typing import Literal

from pydantic import Field, JsonValue

from mobile_sdk.contract import Contract, DetectionSpec, ImageSpec, NetInput, Task, check_one_input
from mobile_sdk.document import Document, parse_json
from mobile_sdk.program.agreement import (
    Agreement,
    ChangedWinners,
    Decisions,
    KeptAway,
    OutputNoise,
    ShareInterval,
    WholeImages,
)
from mobile_sdk.program.record import BitAllocation, Record
from mobile_sdk.tasks.class_quality import ByClass
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.tasks.registry import task_of

Channels = tuple[float, float, float]


class EarlierImage(Document):
    """Holds an `ImageSpec` without a kind."""

    size_px: int
    fit: Literal["crop", "stretch"]
    crop_share: float
    mean_byte: Channels
    std_byte: Channels

    @classmethod
    def of(cls, image: ImageSpec) -> "EarlierImage":
        """Returns the earlier form of `image`."""
        return cls(**image.model_dump(exclude={"kind", "channels"}))

    def read(self) -> ImageSpec:
        """Returns the present form."""
        return ImageSpec(**self.model_dump())


class EarlierDetection(Document):
    """Holds a `DetectionSpec` whose fields have their earlier names."""

    least_score_share: float
    overlap_share: float
    most: int

    @classmethod
    def of(cls, spec: DetectionSpec) -> "EarlierDetection":
        """Returns the earlier form of `spec`."""
        return cls(least_score_share=spec.score_threshold, overlap_share=spec.iou_threshold, most=spec.max_detections)

    def read(self) -> DetectionSpec:
        """Returns the present form."""
        return DetectionSpec(
            score_threshold=self.least_score_share, iou_threshold=self.overlap_share, max_detections=self.most
        )


class EarlierContract(Document):
    """Holds a `Contract` with one image in place of inputs."""

    name: str
    task: Task
    labels: tuple[str, ...]
    image: EarlierImage
    detection: EarlierDetection | None = Field(default=None, exclude_if=lambda spec: spec is None)

    @classmethod
    def of(cls, contract: Contract) -> "EarlierContract":
        """Returns the earlier form of `contract`."""
        detection = EarlierDetection.of(contract.detection) if contract.detection else None
        image = EarlierImage.of(contract.image)
        return cls(name=contract.name, task=contract.task, labels=contract.labels, image=image, detection=detection)

    def read(self) -> Contract:
        """Returns the present form; raises ContractError if it is invalid."""
        detection = self.detection.read() if self.detection else None
        return Contract(
            name=self.name, task=self.task, labels=self.labels, image=self.image.read(), detection=detection
        )


class EarlierAccuracy(Document):
    """Holds a `Quality` whose measure is the task's.

    No earlier file has `measure` and `others`: they are part of a digest if they say more than such a file did.
    """

    share: float
    pictures: int
    by_label: ByClass | None = Field(default=None, exclude_if=lambda values: values is None)
    measure: str | None = Field(default=None, exclude_if=lambda measure: measure is None)
    others: dict[str, float] = Field(default={}, exclude_if=lambda values: not values)

    @classmethod
    def of(cls, quality: Quality | None, tasks_measure: str) -> "EarlierAccuracy | None":
        """Returns the earlier form of `quality`."""
        if quality is None:
            return None
        measure = None if quality.measure == tasks_measure else quality.measure
        share, pictures, by_label = quality.value, quality.images, quality.by_class
        return cls(share=share, pictures=pictures, by_label=by_label, measure=measure, others=quality.others)

    def read(self, measure: str) -> Quality:
        """Returns the present form."""
        return Quality(measure=measure, value=self.share, images=self.pictures, by_class=self.by_label)


class EarlierAgreement(Document):
    """Holds an `Agreement` whose fields have their earlier names.

    No earlier file has the last four: they are part of a digest if they say more than such a file did.
    """

    top1_share: float
    sqnr_db: float | None
    pictures: int
    whole_images: WholeImages = None
    kept_away: KeptAway = True
    interval: ShareInterval | None = Field(default=None, exclude_if=lambda interval: interval is None)
    changed: ChangedWinners | None = Field(default=None, exclude_if=lambda changed: changed is None)

    @classmethod
    def of(cls, agreement: Agreement) -> "EarlierAgreement":
        """Returns the earlier form of `agreement`."""
        return cls(
            top1_share=agreement.top1_agreement,
            sqnr_db=agreement.sqnr_db,
            pictures=agreement.images,
            whole_images=agreement.whole_images,
            kept_away=agreement.kept_away,
            interval=agreement.interval,
            changed=agreement.changed,
        )

    def read(self) -> Agreement:
        """Returns the present form."""
        return Agreement(top1_agreement=self.top1_share, sqnr_db=self.sqnr_db, images=self.pictures)


class EarlierRecord(Document):
    """Holds a `Record` with accuracies.

    No earlier file has `bit_allocation` or `decisions`: they are part of a digest if they say more than such a file.
    """

    net: str
    quantized: Literal["float32", "calibrated", "qat"]
    float_accuracy: EarlierAccuracy | None = None
    reference_accuracy: EarlierAccuracy | None = None
    agreement: EarlierAgreement | None = None
    outputs: tuple[OutputNoise, ...] = Field(default=(), exclude_if=lambda outputs: not outputs)
    history: tuple[dict[str, JsonValue], ...] = ()
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    bit_allocation: BitAllocation | None = Field(default=None, exclude_if=lambda choice: choice is None)
    decisions: Decisions | None = Field(default=None, exclude_if=lambda decisions: decisions is None)

    @classmethod
    def of(cls, record: Record, tasks_measure: str) -> "EarlierRecord":
        """Returns the earlier form of `record`."""
        return cls(
            net=record.net,
            quantized=record.quantized,
            float_accuracy=EarlierAccuracy.of(record.float_quality, tasks_measure),
            reference_accuracy=EarlierAccuracy.of(record.reference_quality, tasks_measure),
            agreement=EarlierAgreement.of(record.agreement) if record.agreement else None,
            outputs=record.outputs,
            history=record.history,
            settings=record.settings,
            versions=record.versions,
            bit_allocation=record.bit_allocation,
            decisions=record.decisions,
        )

    def read(self, measure: str) -> Record:
        """Returns the present form, the quality by the task's `measure`."""
        return Record(
            net=self.net,
            quantized=self.quantized,
            float_quality=self.float_accuracy.read(measure) if self.float_accuracy else None,
            reference_quality=self.reference_accuracy.read(measure) if self.reference_accuracy else None,
            agreement=self.agreement.read() if self.agreement else None,
            history=self.history,
            settings=self.settings,
            versions=self.versions,
        )


def digest_texts(contract: Contract, record: Record) -> tuple[str, str]:
    """Returns the texts of contract and record that a program's digest is taken over.

    A contract that earlier schemas cannot spell has its own text.
    """
    is_earlier = _is_square_rgb(contract.input) and contract.licence is None
    spelled = EarlierContract.of(contract) if is_earlier else contract
    return spelled.model_dump_json(), EarlierRecord.of(record, task_of(contract).measure).model_dump_json()


def _is_square_rgb(spec: NetInput) -> bool:
    return isinstance(spec, ImageSpec) and spec.is_square_rgb


def read_contract(text: str, *, is_earlier: bool) -> Contract:
    """Reads a program's `contract.json`; raises pydantic's ValidationError, or ContractError, if it is none."""
    if is_earlier:
        return EarlierContract.model_validate_json(text).read()
    content = parse_json(text)
    check_one_input(content.get("inputs") if isinstance(content, dict) else None)
    return Contract.model_validate_json(text)


def read_record(text: str, contract: Contract, *, is_earlier: bool) -> Record:
    """Reads a program's `record.json`; raises pydantic's ValidationError if it is none."""
    if is_earlier:
        return EarlierRecord.model_validate_json(text).read(task_of(contract).measure)
    record = Record.model_validate_json(text)
    if record.decisions is not None and not record.decisions.fit(len(contract.labels)):
        raise ValueError(f"expected decisions between the {len(contract.labels)} labels, found others")
    return record
