"""Defines `report.json`, which holds everything that the report says; the page is drawn from it alone."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mobile_sdk.benchmarking.measurements import Numbers
from mobile_sdk.benchmarking.statistics import LEAST_MS, MOST_MS, Interval, wilson_interval
from mobile_sdk.bundle.manifest import StructureEntry
from mobile_sdk.comparison import Comparison
from mobile_sdk.contract import Task
from mobile_sdk.document import Document
from mobile_sdk.program.record import Record
from mobile_sdk.runtimes.base import count_of_int4
from mobile_sdk.system.environment import Environment
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.verification.verdict import Outcome

SCHEMA = 2
Share = Annotated[float, Field(ge=0, le=1)]


class Check(Document):
    """Holds one named check: its finding, or the reason why it did not run."""

    name: str
    outcome: Outcome
    found: str


class QualityLine(Document):
    """Holds the quality of one way to compute the net."""

    computed_by: str
    quality: Quality

    @property
    def interval(self) -> Interval:
        """Returns the 95 % interval (Wilson) of a quality that is the share of images that are right."""
        return wilson_interval(self.quality.correct, self.quality.images)


class BundleLine(Document):
    """Describes one bundle in one runtime: its properties, its checks, and its distance from the reference."""

    title: str  # the name of its folder, and the runtime if it is not the bundle's own
    bundle: str  # the name of its folder
    runtime: str
    precision: str
    model_bytes: int
    activation_limit_kib: int | None = None  # it computes in strips within this limit
    outcome: Outcome | None = None  # None if it was not verified
    checks: tuple[Check, ...] = ()
    distance: Comparison | None = None
    anatomy: StructureEntry | None = None

    @property
    def precision_in_words(self) -> str:
        """Returns the precision, and how many of the file's operators have int4 weights."""
        four = count_of_int4(self.anatomy.operators) if self.anatomy else 0
        return f"{self.precision}, int4 weights in {four} operators" if four else self.precision


class Score(Document):
    """Holds a label and the probability that a model gives it."""

    label: str
    share: Share


class Prediction(Document):
    """Holds one way's predictions of a golden picture, the most probable label first."""

    computed_by: str
    scores: tuple[Score, ...]


class Box(Document):
    """Holds one detection in a picture, in shares of the picture's width and height."""

    label: str
    share: Share
    left: float
    top: float
    right: float
    bottom: float


class Boxes(Document):
    """Holds one way's detections in a golden picture, best first."""

    computed_by: str
    boxes: tuple[Box, ...]


class MaskColour(Document):
    """Holds a label that occurs in a mask, and the colour that it is drawn in."""

    label: str
    colour: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]


class MaskDrawing(Document):
    """Holds a mask of a golden picture, drawn as an overlay: the truth, or the result of one way to compute the net."""

    computed_by: str
    png_base64: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/=]+$")]
    labels: tuple[MaskColour, ...]


class OutputRange(Document):
    """Holds one output's name and shape, without its batch, and its least and greatest value."""

    name: str
    shape: tuple[int, ...]
    least: float
    greatest: float


class OutputRanges(Document):
    """Holds the ranges of all outputs of a golden picture."""

    computed_by: str
    ranges: tuple[OutputRange, ...]


class GoldenPicture(Document):
    """Holds a picture of the bundle, with every way's result: label by label, box by box, or pixel by pixel."""

    png_base64: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/=]+$")]
    title: str
    label: str | None = None  # the true one, if known
    answers: tuple[Prediction | Boxes | MaskDrawing | OutputRanges, ...] = ()


class Layer(Document):
    """Holds the distance of one tensor of the int8 graph from its float32 twin's; None if they are equal."""

    tensor: str
    module: str
    sqnr_db: float | None


class PredictedLatency(Document):
    """Holds a latency model's prediction for a bundle that was measured."""

    bundle: str
    device: str
    runtime: str  # with its generation: "tflite-2019"
    predicted_ms: Annotated[float, Field(gt=0)]
    measured_ms: Annotated[float, Field(gt=0)]
    rests_on: str
    low_ms: float | None = None  # nine of ten latencies are between this and `high_ms`
    high_ms: float | None = None

    @property
    def off_share(self) -> float:
        """Returns by how much the prediction is above the measured latency, as a share of that latency."""
        return self.predicted_ms / self.measured_ms - 1


class SearchedNet(Document):
    """Holds a candidate of a search: its latency, its accuracy after a short training, and its change."""

    number: int
    latency_ms: Annotated[float, Field(gt=0)]
    accuracy_share: Share
    change: str


class Search(Document):
    """Holds a search's candidates; `front` and `taken` index them, and the start net is the first of those taken.

    `accuracy_share` is the trained result's, on `pictures` that the search never saw. `measured_again_ms` is the
    result's latency in a measurement of its own, if latencies are measured.
    """

    method: str
    latencies: str  # the device and runtime of the latencies
    target_ms: Annotated[float, Field(gt=0)]
    candidates: Annotated[tuple[SearchedNet, ...], Field(min_length=1)]
    front: tuple[int, ...]
    taken: Annotated[tuple[int, ...], Field(min_length=1)]
    accuracy_share: Share
    pictures: Annotated[int, Field(ge=1)]
    measured_again_ms: Annotated[float, Field(gt=0)] | None = None
    target_said: str = ""  # says whether it is met, or by how much it is missed

    @property
    def result_ms(self) -> float:
        """Returns the result's latency, from the second measurement if there is one."""
        return self.measured_again_ms or self.way[-1].latency_ms

    @property
    def way(self) -> tuple[SearchedNet, ...]:
        """Returns the candidates that were taken, in order."""
        return tuple(self.candidates[number] for number in self.taken)


class ChangedPicture(Document):
    """Holds a small drawing of a held-out image that int8 decides otherwise than float, by its position."""

    position: int
    png_base64: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/=]+$")]


class BaselineBundle(Document):
    """Holds the figures of one bundle of an earlier report."""

    title: str
    runtime: str
    precision: str
    outcome: Outcome | None = None
    model_bytes: Annotated[int, Field(ge=0, le=2**50)]
    median_ms: Annotated[float | None, Field(ge=LEAST_MS, le=MOST_MS)] = None
    interval_ms: Interval | None = None


class Baseline(Document):
    """Holds the figures of an earlier report that this one is compared with."""

    name: str
    date: str  # UTC, ISO 8601
    program_sha256: str | None = None
    outcome: Outcome
    measured_on: str | None = None  # the device and its processor
    qualities: tuple[QualityLine, ...] = ()
    bundles: tuple[BaselineBundle, ...] = ()


class Report(Document):
    """Holds a whole report; the page leaves out a section without data."""

    schema_number: Literal[2] = 2
    name: str
    date: str  # UTC, ISO 8601
    program_sha256: str | None = None
    labels: int | None = None  # how many
    label_names: tuple[str, ...] = ()  # if the record tells labels apart
    size_px: int | None = None  # of square RGB pictures
    input: Annotated[str | None, Field(exclude_if=lambda words: words is None)] = None  # what other nets read
    record: Record | None = None
    task: Task = "classification"
    qualities: tuple[QualityLine, ...] = ()
    bundles: tuple[BundleLine, ...] = ()
    layers: tuple[Layer, ...] = ()
    golden: tuple[GoldenPicture, ...] = ()
    changed: Annotated[tuple[ChangedPicture, ...], Field(exclude_if=lambda pictures: not pictures)] = ()
    numbers: Numbers | None = None
    predicted: tuple[PredictedLatency, ...] = ()
    search: Search | None = None
    baseline: Annotated[Baseline | None, Field(exclude_if=lambda baseline: baseline is None)] = None
    environment: Environment
    commands: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_every_label(self) -> Self:
        labels, record = len(self.label_names), self.record
        if record is None:
            return self
        if record.decisions is not None and not record.decisions.fit(labels):
            raise ValueError(f"expected decisions between the {labels} labels, found others")
        by_class = [each.by_class for each in (record.float_quality, record.reference_quality) if each]
        if labels and any(each is not None and len(each) != labels for each in by_class):
            raise ValueError(f"expected the quality of {labels} labels, found that of others")
        return self

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Returns the outcome of every check, and of every bundle's budget if there is one."""
        checks = tuple(check.outcome for bundle in self.bundles for check in bundle.checks)
        measurements = self.numbers.measurements if self.numbers else ()
        return checks + tuple(each.verdict for each in measurements if each.verdict)

    @property
    def outcome(self) -> Outcome:
        """Fails with any failure; passes if a bundle or a budget passed and nothing failed; else says that nothing ran.

        A check that did not run never makes a pass; the page counts it beside the outcome.
        """
        measurements = self.numbers.measurements if self.numbers else ()
        outcomes = [line.outcome for line in self.bundles] + [each.verdict for each in measurements]
        if "fail" in outcomes or "fail" in self.outcomes:
            return "fail"
        return "pass" if "pass" in outcomes else "not_run"
