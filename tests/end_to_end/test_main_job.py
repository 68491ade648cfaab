"""The main job, as `make run` does it: digits → int8 program → three bundles → report, once, by its real command."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from docs.follow import matches
from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.devices import EmulatedCore
from mobile_sdk.program.program import Program
from qat.data.pictures import load_mnist
from tests.support.apps.android_app import AndroidApp, expected_answers, golden_answers
from tests.support.apps.ios_core import GOLDEN_TESTS, IosCore
from tests.support.command_line import Done, mobile_sdk
from tests.support.repository import ROOT

pytestmark = pytest.mark.slow

PICTURES = 1000  # the validation digits
INT8 = ("digits.executorch", "digits.tflite", "digits.coreml")
TWINS = ("digits-float.executorch", "digits-float.tflite")


@dataclass(frozen=True, kw_only=True)
class MainJob:
    """Holds the command's output and the files that it left."""

    folder: Path
    said: Done

    def read(self, name: str) -> Any:
        """One of its JSON files."""
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    @property
    def verdicts(self) -> dict[str, Any]:
        """Verdicts by bundle."""
        return {verdict["bundle"]: verdict for verdict in self.read("verify.json")["verdicts"]}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> MainJob:
    folder = tmp_path_factory.mktemp("main") / "digits"
    return MainJob(folder=folder, said=mobile_sdk("run", "--out", str(folder)))


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two hundred of the validation digits as a folder of pictures."""
    root, pictures = tmp_path_factory.mktemp("few") / "digits", load_mnist()
    for index, (picture, label) in enumerate(pictures.validation[:200]):
        for part in ("train", "val"):
            folder = root / part / pictures.labels[label]
            folder.mkdir(parents=True, exist_ok=True)
            picture.save(folder / f"{index}.png")
    return str(root)


def test_it_ends_well_and_shows_every_step(job: MainJob) -> None:
    assert job.said.code == 0, job.said.err
    assert re.findall(r"^\[(\d)/6\] [^:]+$", job.said.err, re.MULTILINE) == list("123456")
    assert "Traceback" not in job.said.err and "arning" not in job.said.err
    assert all(bundle in job.said.out for bundle in (*INT8, *TWINS, "report.html"))
    left = {path.name for path in job.folder.iterdir()}
    assert left == {
        *("train", "net.safetensors", "qat", "program.pt2", "float.pt2", "bundles"),
        *("verify.json", "bench.json", "report.html", "report.json"),
    }


def test_readme_shows_how_it_ends(job: MainJob) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```text\n(…\n\[6/6\].*?)```", readme, re.DOTALL)
    said = (job.said.err + job.said.out).replace(str(job.folder), "runs/digits")
    assert matches(shown, said), "README shows another end of `make run`"


def test_it_learns_and_int8_costs_nothing(job: MainJob) -> None:
    record = Program.load(job.folder / "program.pt2").record
    assert record.float_quality is not None and record.reference_quality is not None
    print(f"float {record.float_quality.value:.2%}, int8 reference {record.reference_quality.value:.2%}")
    assert record.float_quality.images == record.reference_quality.images == PICTURES
    assert record.float_quality.value >= 0.975
    apart = round(PICTURES * abs(record.float_quality.value - record.reference_quality.value))
    assert apart <= 3  # pictures of 1,000: 0.3 points
    assert [epoch["stage"] for epoch in record.history] == ["float"] * 10 + ["qat"] * 3


@pytest.mark.parametrize("name", [*INT8, *TWINS])
def test_every_bundle_opens_and_passes(name: str, job: MainJob) -> None:
    bundle = open_bundle(job.folder / "bundles" / name)
    assert (bundle.manifest.precision, bundle.manifest.name) == ("float32" if "float" in name else "int8", "digits")
    verdict = job.verdicts[name]
    assert verdict["status"] == "pass" and verdict["pictures"] == PICTURES
    assert {check["outcome"] for check in verdict["checks"]} <= {"pass", "not_run"}
    assert verdict["structure"]["partitions"] == 1
    assert bundle.manifest.golden.source == "given"


@pytest.mark.parametrize("name", ["digits.tflite", "digits.executorch"])
def test_litert_and_executorch_are_0_steps_apart_on_every_validation_picture(name: str, job: MainJob) -> None:
    verdict = job.verdicts[name]
    assert verdict["comparison"]["elements"] == PICTURES * 10
    assert (verdict["comparison"]["differing"], verdict["comparison"]["max_steps"]) == (0, 0)
    assert verdict["quality"] == verdict["reference_quality"]
    assert all(check["outcome"] == "pass" for check in verdict["checks"])


def test_core_ml_is_near_the_reference_and_apples_own_runtime_is_never_green(job: MainJob) -> None:
    verdict = job.verdicts["digits.coreml"]
    comparison, checks = verdict["comparison"], {check["name"]: check for check in verdict["checks"]}
    print(f"Core ML, interpreted: top-1 agreement {comparison['top1_agreement']:.2%}, "
          f"SQNR {comparison['sqnr_db']} dB, {comparison['max_steps']:g} steps")  # fmt: skip
    numeric = {"steps apart"} if comparison["differing"] == 0 else {"sqnr", "top-1 agreement"}
    assert numeric <= checks.keys() and all(checks[name]["outcome"] == "pass" for name in numeric)
    if "computed" in str(checks["apple's own runtime"]["measured"]):
        pytest.skip("this is a Mac: Apple's runtime has computed it")
    assert checks["apple's own runtime"]["outcome"] == "not_run" and checks["apple's own runtime"]["reason"]
    assert re.search(r"^digits\.coreml +pass ", job.said.out, re.MULTILINE)
    assert re.search(r"^digits\.coreml: not run: apple's own runtime: \w", job.said.out, re.MULTILINE)


def test_kotlin_gives_pythons_bytes_and_winners_for_every_golden_picture(job: MainJob, android_app: AndroidApp) -> None:
    folders = [job.folder / "bundles" / name for name in (*INT8, *TWINS)]
    answers = golden_answers(android_app, folders)
    assert len(answers) == 3 * len(folders) and len({answer.label for answer in answers}) > 1
    assert answers == expected_answers(folders)


def test_swift_gives_pythons_bytes_and_winners_for_every_golden_picture(job: MainJob, ios_core: IosCore) -> None:
    said = ios_core.test(job.folder, only=GOLDEN_TESTS)
    assert f"Test run with {len(GOLDEN_TESTS)} tests passed" in said
    assert all(f"/bundles/{name}/" in said for name in (*INT8, *TWINS))


def test_times_are_measured_and_core_mls_are_not_made_up(job: MainJob) -> None:
    measured = {each["bundle"]: each for each in job.read("bench.json")["measurements"]}
    assert measured.keys() == {*INT8, *TWINS}
    for name, each in measured.items():
        if each["not_run"] is None:
            assert each["summary"]["median_ms"] > 0 and each["summary"]["count"] >= 50
        else:
            assert name == "digits.coreml" and each["summary"] is None
    assert len(job.read("bench.json")["comparisons"]) == 2


def test_the_report_tells_the_same_and_needs_nothing_beside_it(job: MainJob) -> None:
    report, page = job.read("report.json"), (job.folder / "report.html").read_text(encoding="utf-8")
    assert report["program_sha256"] == Program.load(job.folder / "program.pt2").digest()
    assert {line["bundle"]: line["outcome"] for line in report["bundles"]} == dict.fromkeys((*INT8, *TWINS), "pass")
    assert report["commands"] == [f"mobile-sdk run --out {job.folder}"]
    assert len(report["layers"]) > 50 and len(report["golden"]) > 0
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert all(bundle in page for bundle in INT8)


def test_the_emulated_cortex_a76_is_0_steps_apart(
    job: MainJob, few_digits: str, cortex_a76: EmulatedCore, tmp_path: Path
) -> None:
    verdict = verify(job, few_digits, tmp_path, "--device", cortex_a76.name)
    assert (verdict["device"], verdict["pictures"]) == ("emulated:cortex-a76", 200)
    assert (verdict["comparison"]["elements"], verdict["comparison"]["differing"]) == (2000, 0)


def test_tflite_runtime_is_within_its_measured_bound_and_not_called_exact(
    job: MainJob, few_digits: str, tflite_legacy_python: Path, tmp_path: Path
) -> None:
    verdict = verify(job, few_digits, tmp_path, "--runtime", "tflite-runtime")
    comparison, checks = verdict["comparison"], {check["name"]: check for check in verdict["checks"]}
    print(f"tflite-runtime: top-1 agreement {comparison['top1_agreement']:.2%}, "
          f"SQNR {comparison['sqnr_db']:.1f} dB, {comparison['max_steps']:g} steps")  # fmt: skip
    assert verdict["runtime"] == "tflite-runtime" and comparison["differing"] > 0
    assert "steps apart" not in checks
    assert checks["sqnr"]["outcome"] == checks["top-1 agreement"]["outcome"] == "pass"


def verify(job: MainJob, data: str, tmp_path: Path, *options: str) -> Any:
    """The verdict of `verify digits.tflite` with these options; it must pass."""
    bundle, program = str(job.folder / "bundles" / "digits.tflite"), str(job.folder / "program.pt2")
    base = ("verify", bundle, "--program", program, "--data", data, "--out", str(tmp_path / "v.json"))
    done = mobile_sdk(*base, *options, "--json")
    assert done.code == 0, done.out + done.err
    return done.json[0]
