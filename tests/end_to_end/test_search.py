"""`mobile-sdk search` as a user runs it, on Ray: killed, resumed, and its net gone on with by every other verb."""

import json
import math
import sys
from pathlib import Path

import pytest

from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.cli.app import call
from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.system.temporary_folder import locked_folder
from mobile_sdk.verification.verification import verify
from mobile_sdk.workflow.quantization import quantize_net
from mobile_sdk.workflow.search.latency_judge import choose_judge
from mobile_sdk.workflow.sources.source_net import trained
from mobile_sdk.workflow.tasks.labelled_pictures import load_pictures
from qat.calibration.plan import CalibrationPlan
from qat.nets.classifiers.mobilenet_v3 import architecture_of
from qat.nets.saved_net import read_header
from qat.search.record import load_record
from qat.search.space.architecture_graph import drawn_graph
from tests.support.child_process import run, wait_until
from tests.support.command_line import ENVIRONMENT, mobile_sdk, save_pictures, start
from tests.support.repository import ROOT

ASKED = (
    *("search", "--size", "32", "--width", "0.25", "--target-share", "0.93", "--step-share", "0.03"),
    *("--steps", "2", "--epochs", "2", "--json"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search by two workers, undisturbed, in `two`."""
    folder = tmp_path_factory.mktemp("search")
    save_pictures(folder / "pictures")
    done = mobile_sdk(*ASKED, *data(folder), "--workers", "2", "--out", str(folder / "two"))
    assert done.code == 0, done.err
    record = load_record(folder / "two" / "search.json")
    assert done.json["candidates"] == json.loads(record.model_dump_json())["candidates"]
    assert done.err.count("of the start net's, accuracy") == len(record.taken)
    return folder


def data(folder: Path) -> tuple[str, ...]:
    return "--data", str(folder / "pictures")


def test_one_worker_that_is_killed_on_the_way_finds_what_two_found(folder: Path) -> None:
    out = folder / "one"
    arguments = (*ASKED, *data(folder), "--workers", "1", "--out", str(out))
    process = start(*arguments)
    wait_until(lambda: (out / "search.json").exists() and len(evaluated(out)) >= 3, process=process)
    process.kill()
    process.communicate()
    before = len(evaluated(out))
    again = mobile_sdk(*arguments)
    assert again.code == 0, again.err
    assert 3 <= before < len(load_record(out / "search.json").candidates)
    one, two = (untimed_files(folder / name) for name in ("one", "two"))
    assert one == two and {"net.safetensors", "search.json", "pareto.svg", "pareto.png"} <= one.keys()


def evaluated(out: Path) -> list[int]:
    candidates = load_record(out / "search.json").candidates
    return [candidate.number for candidate in candidates if candidate.accuracy_share is not None]


def untimed_files(folder: Path) -> dict[str, bytes]:
    """All but checkpoints, which say how long epochs took."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "checkpoint.pt")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_what_was_found_keeps_the_target_and_its_file_says_what_it_is(folder: Path) -> None:
    record, saved = load_record(folder / "two" / "search.json"), read_header(folder / "two" / "net.safetensors")
    found, start_net = record.candidates[record.taken[-1]], record.candidates[0]
    assert saved is not None and saved.architecture == found.architecture != start_net.architecture
    assert start_net.architecture == architecture_of("mobilenet_v3_small", 0.25)
    assert found.latency_ms <= 0.93 * start_net.latency_ms
    assert record.result is not None and record.result.is_met and record.result.measured_again_ms is None
    assert record.result.target_ms == pytest.approx(0.93 * start_net.latency_ms)
    assert record.result is not None and record.result.number == found.number and record.result.pictures == 6
    said = mobile_sdk("predict", str(folder / "two" / "net.safetensors"), "--device", "pixel-1", "--json")
    (estimate,) = said.json["estimates"]
    assert estimate["latency_ms"] == round(found.latency_ms, 3)


def test_the_report_shows_the_way_that_was_taken(folder: Path, tmp_path: Path) -> None:
    search, page = str(folder / "two" / "search.json"), tmp_path / "report.html"
    assert call(["report", "--search", search, "--out", str(page)]) == 0
    record, text = load_record(Path(search)), page.read_text(encoding="utf-8")
    assert "<h2>Search</h2>" in text and f"{len(record.candidates)} nets were looked at by netadapt" in text
    assert f"ms met: {record.candidates[record.taken[-1]].latency_ms:.3f} ms" in text and "target, met" in text
    for number in record.taken:
        assert f'<th scope="row">{number}</th>' in text and record.candidates[number].change in text
    assert "start net" in text.partition("<svg")[2]
    assert call(["report", "--from", str(page.with_suffix(".json")), "--out", str(tmp_path / "again.html")]) == 0
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_bundles_of_a_searched_net_are_exact(folder: Path, tmp_path: Path) -> None:
    pictures = load_pictures(str(folder / "pictures"))
    source = trained(folder / "two" / "net.safetensors")
    assert source.name == "mobilenet_v3_small, searched"
    program = quantize_net(source, pictures, None, tmp_path, CalibrationPlan(round_weights=False, reconstruct=False))
    for bundle in lower(program, tmp_path, runtimes=["tflite", "executorch"], pictures=pictures.validation):
        verdict = verify(open_bundle(bundle.path), program, pictures.validation)
        assert verdict.status == "pass" and verdict.comparison is not None
        assert verdict.comparison.is_exact, verdict.comparison


def test_train_takes_the_architecture_of_a_searched_net(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = str(folder / "two" / "net.safetensors")
    arguments = ["train", *data(folder), "--size", "32", "--epochs", "1", "--net", net, "--out", str(tmp_path)]
    assert call(arguments) == 0
    mine, theirs = read_header(tmp_path / "net.safetensors"), read_header(Path(net))
    assert mine is not None and theirs is not None and mine.architecture == theirs.architecture is not None
    assert call([*arguments, "--width", "0.5"]) == SettingError.exit_code
    assert "expected no --width beside" in capsys.readouterr().err


def test_another_search_does_not_go_on_in_the_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = untimed_files(folder / "two")
    assert call([*ASKED, *data(folder), "--seed", "1", "--out", str(folder / "two")]) == SettingError.exit_code
    assert "found one with other seed, plan" in capsys.readouterr().err
    assert untimed_files(folder / "two") == before


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("--target-share 0.5 --method netadapted", 2, "did you mean netadapt?"),
        ("--target-share 0.5 --target-ms 3", 2, "expected one of --target-ms and --target-share, found both"),
        ("", 2, "expected one of --target-ms and --target-share, found neither"),
        ("--target-ms -1", 2, "expected a target above 0"),
        ("--target-share 1.2", 2, "expected a target below the start net's"),
        ("--target-share 0.1", 2, "expected a target that narrower layers can reach"),
        ("--target-share nan", 2, "expected a target above 0, found nan"),
        ("--target-ms 0", 2, "expected a target above 0, found 0"),
        ("--target-share 0.1 --method evolution", 2, "expected a target that nets of the space can reach, 0.3"),
        ("--target-share 0.1 --method random --hard", 2, "expected a target that nets of the space can reach, 0.3"),
        ("--target-ms 50 --method evolution", 2, "expected a target below the slowest net of the space"),
        ("--target-share 0.5 --net mobilenet_v2", 2, "MobileNetV3's family"),
        ("--target-share 0.5 --device pixel-99", 2, "expected a device"),
        ("--target-share 0.5 --device emulated:cortex-a76", 2, "whose times mean something"),
        ("--target-share 0.5 --weights nothing.safetensors", 3, "expected a file of weights"),
        ("--target-share 0.5 --method random --weights x", 2, "expected no --weights for random"),
        ("--target-share 0.5 --data nothing", 3, "expected a folder of pictures"),
        ("--target-share 0.5 --address 127.0.0.1:1", 7, "expected a Ray cluster at 127.0.0.1:1, found: "),
        ("--target-share 0.5 --address ray://127.0.0.1:99999", 7, "expected a Ray cluster at ray://127.0.0.1:99999"),
    ],
)
def test_what_cannot_be_searched_is_one_line_before_anything_long(
    arguments: str, code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["search", "--out", str(tmp_path / "new"), *arguments.split()]) == code
    error = capsys.readouterr().err
    assert said in error and "hint: " in error and "Traceback" not in error
    assert not (tmp_path / "new" / "search.json").exists()


def test_without_ray_there_is_a_hint(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert call(["search", "--target-share", "0.5"]) == MachineError.exit_code
    error = capsys.readouterr().err
    assert (
        "expected the package ray for the evaluation of candidates, found none\nhint: pip install '.[search]'" in error
    )


def test_a_device_that_measures_is_a_judge_as_well() -> None:
    graph = drawn_graph(architecture_of("mobilenet_v3_small", 0.25), classes=3, size_px=32)
    judge = choose_judge("host", None)
    assert 0 < judge.latency_ms(graph) < math.inf and judge.said == "host, tflite, 1 thread, measured"


def test_a_candidate_whose_worker_dies_is_run_again_and_one_that_always_does_is_named(tmp_path: Path) -> None:
    script = ROOT / "tests/support/training/dying_workers.py"
    done = run([sys.executable, str(script), str(tmp_path)], env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    recovered, named = done.stdout.splitlines()
    assert recovered == "0.25 0.5"
    assert named.startswith("expected candidate 2 to be evaluated, found that its workers died 3 times")


def test_two_never_search_in_one_folder_at_once(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with locked_folder(out):
        done = mobile_sdk(*ASKED, *data(folder), "--out", str(out))
    assert done.code == MachineError.exit_code and list(out.iterdir()) == []
    assert f"expected to search alone in {out}, found that another process searches there" in done.err
    assert "Traceback" not in done.err
