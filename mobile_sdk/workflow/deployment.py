"""Deploys a program: bundles, verdicts, numbers and the page, all in one folder."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_sdk.analysis.layer_distances import layer_distances
from mobile_sdk.benchmarking.benchmark import benchmark, write_numbers
from mobile_sdk.benchmarking.measurements import Numbers
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.latency.measured import with_work
from mobile_sdk.program.program import Program
from mobile_sdk.report.data import Report
from mobile_sdk.report.write import write_report
from mobile_sdk.runtimes import left_out, timed_here
from mobile_sdk.system.progress import Progress, reported
from mobile_sdk.verification.verdict import Verdict, write_verdicts
from mobile_sdk.verification.verification import verify
from mobile_sdk.workflow.run_files import TWIN
from qat.progress import Shown, duration_text, say, shown

STEPS = 6
FOLLOWING_PIXELS = 60e6  # calibration, bundles, verdicts and times take as long as training on so many: 140 s of digits
LAYER_PICTURES = 64  # for the distance of every layer: enough for a steady figure, all tensors of them fit in memory


@dataclass(frozen=True, kw_only=True, eq=False)
class Deployment:
    """Holds a program's folder, its bundles, their verdicts and numbers, and the report."""

    folder: Path
    program: Program
    float_twin: Program
    bundles: tuple[Bundle, ...]
    verdicts: tuple[Verdict, ...]
    numbers: Numbers
    report: Report

    @property
    def passed(self) -> bool:
        """Tells whether no check of any bundle failed."""
        return all(line.outcome != "fail" for line in self.report.bundles)


def deploy(program: Program, out: Path, pictures: Any, *, command: str, progress: Progress = True) -> Deployment:
    """Does everything after the program, whose float32 twin is in `out`; the report shows `command`."""
    with shown(progress):
        twin = Program.load(out / TWIN)
        with step(4, "export"):
            bundles = _export(program, twin, out, pictures)
        with step(5, "verify"):
            verdicts = _verify(bundles, program, twin, out, pictures)
        with step(6, "bench and report"):
            numbers = with_work(benchmark(bundles, progress=Shown.get()), bundles)
            write_numbers(numbers, out / "bench.json")
            report = write_report(
                out / "report.html",
                verdicts,
                numbers,
                program=program,
                bundles=bundles,
                layers=layer_distances(
                    program.graph, twin.graph, pictures[:LAYER_PICTURES].bytes(program.contract.input)
                ),
                commands=[command],
                pictures=pictures,
            )
        return Deployment(
            folder=out,
            program=program,
            float_twin=twin,
            bundles=tuple(bundles),
            verdicts=tuple(verdicts),
            numbers=numbers,
            report=report,
        )


@contextmanager
def step(number: int, what: str) -> Iterator[None]:
    """Reports which step begins, and how long it took."""
    say(f"[{number}/{STEPS}] {what}")
    started_s = time.monotonic()
    yield
    say(f"[{number}/{STEPS}] {what}: {duration_text(time.monotonic() - started_s)}")


def _export(program: Program, twin: Program, out: Path, pictures: Any) -> list[Bundle]:
    """Writes the int8 bundles, and their float32 twins for the runtimes that are measured here."""
    for line in left_out():
        say(line)
    bundles = lower(program, out / "bundles", pictures=pictures, progress=Shown.get())
    with reported(Shown.get(), "export float32 bundles") as report:
        twins = lower(twin, out / "bundles", runtimes=timed_here(), pictures=pictures, progress=report)
    return [*bundles, *twins]


def _verify(bundles: list[Bundle], program: Program, twin: Program, out: Path, pictures: Any) -> list[Verdict]:
    verdicts = []
    for bundle in bundles:
        source = program if bundle.manifest.precision != "float32" else twin
        verdicts.append(verify(bundle, source, pictures, progress=Shown.get()))
    write_verdicts(verdicts, out / "verify.json")
    return verdicts
