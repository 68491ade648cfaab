"""Trains, calibrates, exports and verifies a task on pictures composed of digits, as the command line does."""

from pathlib import Path
from typing import Any

from benchmarks.core.targets import Target
from mobile_sdk import runtimes
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.preprocess import LabelledPictures
from mobile_sdk.program.program import Program
from mobile_sdk.verification.verification import verify
from mobile_sdk.workflow.choices import DIGITS
from mobile_sdk.workflow.quantization import quantize_net
from mobile_sdk.workflow.sources.start import Start
from mobile_sdk.workflow.tasks.task import Task
from mobile_sdk.workflow.training import train_net

NET = "mobilenet_v3_small"
LARGEST_LOSS = 0.01  # of the measure, in int8


def learned(
    task: Task[Any], measure: str, out: Path, *, at_least: float, lost: str
) -> tuple[list[dict[str, Any]], list[Target]]:
    """Returns rows of the measure in float and int8, and targets for float, int8 and exactness.

    The measure in float is `at_least` so much, and int8 may lose the share `lost`. Checkpoints stay in `out`: the same
    call resumes.
    """
    pictures = task.load_pictures(DIGITS)
    contract = task.contract(None, DIGITS, pictures.labels, task.image(DIGITS, None))
    start = Start(task=task, net=NET, width=1.0, contract=contract, pictures=pictures)
    trained = train_net(start, task.plan(None, DIGITS, None, seed=0), DIGITS, out)
    program = quantize_net(trained, pictures, None, out)
    record = program.record
    assert record.float_quality is not None and record.reference_quality is not None
    work = f"{task.title(NET)}, {task.digits_px} px, composed digits"
    shares = {"float": record.float_quality.value, "int8, calibrated": record.reference_quality.value}
    rows = [row(f"{work}, {what}", measure, None, share) for what, share in shares.items()]
    of_float, of_int8 = (each["ours"] for each in rows)
    judged = {"judged": "ours", "figure": of_float, "bound": at_least, "sense": "at least"}
    least = Target(work=rows[0]["work"], unit="", stock=None, ours=of_float, **judged)
    lost_share = Target.most(f"what int8 loses of {lost}", "", ours=of_float - of_int8, at_most=LARGEST_LOSS)
    return rows, [least, lost_share, *_exact(program, pictures.validation, out)]


def row(work: str, unit: str, published: float | None, ours: float) -> dict[str, Any]:
    """Returns one line of the table."""
    return {"work": work, "unit": unit, "published": "–" if published is None else published, "ours": round(ours, 4)}


def _exact(program: Program, held_out: LabelledPictures, out: Path) -> list[Target]:
    """Returns, for every runtime, how many elements of all outputs differ."""
    targets = []
    for bundle in lower(program, out / "bundles", runtimes=runtimes.names(), pictures=held_out):
        comparison = verify(bundle, program, held_out).comparison
        assert comparison is not None
        computed_by = f"{bundle.manifest.runtime} ({comparison.elements:,})"
        work = f"outputs of {computed_by} that differ from the reference's"
        targets.append(Target.most(work, "", ours=comparison.differing, at_most=0))
    return targets
