"""Defines `verify.json`: a bundle's checks, their findings, and the verdict."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from mobile_sdk.bundle.manifest import StructureEntry
from mobile_sdk.comparison import Comparison
from mobile_sdk.document import Document, cut, html_table, schema_number_of
from mobile_sdk.errors import BundleError
from mobile_sdk.graph.operators import Precision
from mobile_sdk.system.seal import read_sealed, write_sealed
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.verification.earlier_verdicts import upgraded

Outcome = Literal["pass", "fail", "not_run"]
WORDS: dict[Outcome, str] = {"pass": "pass", "fail": "FAIL", "not_run": "not run"}
_MARKS: dict[Outcome, str] = {"pass": "✓ ", "fail": "✗ ", "not_run": "○ "}
SCHEMA = 2
MAX_VERDICTS_BYTES = 64 * 2**20
MODEL_CHECK = "model file"
FLOAT_DISTANCE = "distance from float"
NUMERIC_CHECKS = ("steps apart", "sqnr", "top-1 agreement", FLOAT_DISTANCE)
"""A verdict never passes unless the model file was compared with the program, and its scores by one of these."""


class Check(Document):
    """Holds one named check. `reason` says why it did not run, or explains the outcome; it may be empty."""

    name: str
    outcome: Outcome
    measured: str | int | float | None = None
    required: str
    reason: str = ""

    @classmethod
    def judged(
        cls, name: str, passed: bool, *, measured: str | float | None, required: str, reason: str = ""
    ) -> "Check":
        """Returns a check that ran."""
        outcome: Outcome = "pass" if passed else "fail"
        return cls(name=name, outcome=outcome, measured=measured, required=required, reason=reason)

    @classmethod
    def skipped(cls, name: str, *, required: str, reason: str) -> "Check":
        """Returns a check that could not run, with the reason."""
        return cls(name=name, outcome="not_run", required=required, reason=reason)

    @property
    def found(self) -> str:
        """Returns one line for people: what was measured and what is required, or why nothing was measured."""
        if self.outcome == "not_run":
            return self.reason
        line = f"{_shown(self.measured)} (required: {self.required})"
        return f"{line}: {self.reason}" if self.reason else line


class GoldenPrediction(Document):
    """Holds the runtime's result for `golden/<position>.png`, as real scores, not codes; null is what is no number.

    The scores of boxes and masks, which are a hundred thousand numbers, are left out.
    """

    label_index: int | None
    expected_top1_index: int
    found_top1_index: int
    expected_scores: tuple[float | None, ...]
    found_scores: tuple[float | None, ...]


class Verdict(Document):
    """Holds everything that was found of one bundle.

    `status` is "fail" if any check fails, "pass" if none does and model file and scores were compared, else "not_run".
    `comparison` is of the runtime's scores with the reference's (PyTorch's, for a float32 bundle), all pictures. A
    verdict is true if its status is "pass", so that it can be asserted.
    """

    schema_number: Literal[2] = 2
    bundle: str  # the name of its folder
    name: str
    runtime: str  # that computed; another than the bundle's own on request
    device: str
    precision: Precision
    manifest_sha256: str
    program_sha256: str
    model_bytes: int
    pictures: int
    status: Outcome
    checks: tuple[Check, ...]
    comparison: Comparison | None
    quality: Quality | None  # of the runtime, if the pictures' truth is known
    reference_quality: Quality | None
    structure: StructureEntry | None
    golden: tuple[GoldenPrediction, ...]
    versions: dict[str, str]

    def __bool__(self) -> bool:
        return self.status == "pass"

    def __repr__(self) -> str:
        """Returns the status, what was checked, how far the outputs are apart, and the first check that failed."""
        counts = Counter(check.outcome for check in self.checks)
        told = ", ".join(f"{counts[outcome]} {WORDS[outcome]}" for outcome in WORDS if counts[outcome])
        failed = next((f": {check.name}: {check.found}" for check in self.checks if check.outcome == "fail"), "")
        apart = f", {self.comparison.max_steps:g} steps apart" if self.comparison else ""
        head = f"{self.bundle!r}, {WORDS[self.status]}{apart}, {self.pictures} pictures"
        return cut(f"Verdict({head}, checks: {told}{failed})")

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """Returns the verdict and a table of its checks, those that did not pass first, as notebooks show it."""
        ranked = sorted(self.checks, key=lambda check: ("fail", "not_run", "pass").index(check.outcome))
        rows = [(_MARKS[check.outcome] + WORDS[check.outcome], check.name, check.found) for check in ranked]
        title = f"{_MARKS[self.status]}{WORDS[self.status]}: {self.bundle} in {self.runtime} on {self.device}"
        return html_table(f"{title}, {self.pictures:,} pictures", ("Outcome", "Check", "Found"), rows)


class Verdicts(Document):
    """Holds the whole of `verify.json`."""

    schema_number: Literal[2] = 2
    verdicts: tuple[Verdict, ...]


def status_of(checks: Sequence[Check]) -> Outcome:
    """Returns the joint outcome of the checks; checks that did not run never make a pass."""
    if any(check.outcome == "fail" for check in checks):
        return "fail"
    model_passed = any(check.name == MODEL_CHECK and check.outcome == "pass" for check in checks)
    return "pass" if model_passed and scores_compared(checks) else "not_run"


def scores_compared(checks: Sequence[Check]) -> bool:
    """Tells whether the scores were compared and found near enough."""
    return any(check.name in NUMERIC_CHECKS and check.outcome == "pass" for check in checks)


def write_verdicts(verdicts: Sequence[Verdict], path: Path) -> None:
    """Writes `verify.json`, whole or not at all."""
    write_sealed(path, Verdicts(verdicts=tuple(verdicts)).model_dump_json(indent=1))


def read_verdicts(path: Path) -> tuple[Verdict, ...]:
    """Reads a `verify.json`; raises BundleError if it is none."""
    try:
        return _parse(read_sealed(path, at_most=MAX_VERDICTS_BYTES)).verdicts
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.errors(include_url=False)[0]["msg"]
        raise BundleError(
            f"expected verdicts in {path.name}, found {reason}", hint="name verify.json, or verify again"
        ) from error


def _parse(data: bytes) -> Verdicts:
    schema = schema_number_of(data)
    if schema > SCHEMA:
        raise BundleError(
            f"expected verdicts of schema_number {SCHEMA} or lower, found {schema}: a newer SDK wrote them",
            hint="update this SDK, or verify again with this one",
        )
    return Verdicts.model_validate_json(upgraded(data) if schema == 1 else data)


def _shown(value: str | float | None) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
