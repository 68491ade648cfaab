"""An iPhone driven from Python: `xcrun devicectl` and the app behind it are played, as both are documented."""

import json
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk.benchmarking.iphone import benchmark_on_iphone
from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.cli.app import call
from mobile_sdk.devices import open_device
from mobile_sdk.devices.ios import requests
from mobile_sdk.devices.ios.iphone import IPhone, iphones
from mobile_sdk.devices.ios.requests import APP_VARIABLE, app_id
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.errors import BundleError, MachineError, SettingError
from mobile_sdk.preprocess import to_bytes
from mobile_sdk.runtimes.compute_units import UNITS, VARIABLE, app_fields, coremltools_unit
from mobile_sdk.runtimes.coreml.toolbox import coremltools_quietly
from mobile_sdk.runtimes.input_array import input_array
from mobile_sdk.verification.verification import verify
from tests.support import bundles
from tests.support.devices import played_xcrun
from tests.support.devices.played_xcrun import APP, DEVICE, IDENTIFIER, UDID, install, record
from tests.support.repository import ROOT

Change = Callable[..., None]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(bundles.lowered(tmp_path_factory.mktemp("bundles"), "executorch").path)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> Path:
    """The folder of a played Mac with one iPhone, on which the app answers with the bundle's golden outputs."""
    home = tmp_path / "mac"
    install(tmp_path / "bin", home)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv(APP_VARIABLE, APP)
    monkeypatch.setattr(requests, "_LOOK_EVERY_S", 0.05)
    for given, answer in bundle.golden_tensors():
        record(home, given, answer)
    change(home, input_bytes=len(bundle.golden_tensors()[0][0]))
    (home / "recorded/bench.json").write_text(json.dumps(numbers(bundle)), encoding="utf-8")
    return home


def change(home: Path, **fields: Any) -> None:
    """Changes what the played Mac finds, or how the app behaves."""
    file = home / "state.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | fields), encoding="utf-8")


def phone_with(**fields: dict[str, Any]) -> dict[str, Any]:
    return {**DEVICE, **{name: {**DEVICE[name], **value} for name, value in fields.items()}}


def numbers(bundle: Bundle) -> dict[str, Any]:
    """Returns what the app's core writes of a benchmark (BenchmarkReport.swift), of steady times of 2 ms."""
    state: dict[str, Any] = {
        "machine": "arm64",
        "processor": None,
        "features": [],
        "system": "iOS 18.5",
        "kernel": "Darwin 24.5.0",
        "memory_mib": 8192,
        "cores": [],
        "temperature_c": None,
        "thermal_status": 0,
        "battery_share": 0.8,
        "charger": "charging",
    }
    samples = {
        "load_ms": 3.0,
        "load_parts_ms": {"compile": 40.0},
        "first_run_ms": 4.0,
        "warm_up_ms": [2.0] * 10,
        "rewarm_ms": [2.0] * 100,
        "rounds_ms": [[2.0 + 0.001 * (index % 7)] * 12 for index in range(100)],
        "end_to_end_ms": [2.5] * 50,
        "peak_mib": 21.5,
        "seconds": 2.4,
        "cores": [],
    }
    measurement = {
        "bundle": bundle.path.name,
        "name": bundle.manifest.name,
        "runtime": "executorch",
        "precision": "int8",
        "model_bytes": bundle.model_bytes,
        "samples": samples,
        "summary": None,
        "advice": None,
        "not_run": None,
        "verdict": None,
        "reason": None,
    }
    environment: dict[str, Any] = {
        "date": "2026-11-30T20:00:00Z",
        "processor": None,
        "features": [],
        "architecture": "arm64",
        "cores": 6,
        "memory_mib": 8192,
        "system": "iOS 18.5",
        "kernel": "Darwin 24.5.0",
        "governor": None,
        "python": None,
        "versions": {"executorch": "swiftpm-1.5.1"},
    }
    plan = {"threads": 1, "min_runs": 1024, "min_seconds": 1.0, "quick": False, "enough_seconds": 60.0, "max_ms": None}
    return {
        "schema_number": 1,
        "device": "ios:iPhone17,1",
        "environment": environment,
        "load_average_before": None,
        "load_average_after": None,
        "plan": plan,
        "measurements": [measurement],
        "comparisons": [],
        "state_before": state,
        "state_after": state,
        "stopped": None,
    }


def left(home: Path) -> list[Path]:
    return [path for path in (home / "container").rglob("*") if path.is_file()]


def scores(bundle: Bundle, device: str = "ios") -> Any:
    opened = open_device(device)
    with opened.loaded(bundle.runtime, bundle.model_path, bundle.interface, threads=2) as run:
        return run(bundle.golden_pictures())


@pytest.mark.parametrize(("device", "nests"), [("ios", False), ("ios:A phone", True)])
def test_the_app_scores_pictures_and_nothing_stays_on_the_phone(
    device: str, nests: bool, state: Path, bundle: Bundle
) -> None:
    change(state, nests=nests)
    found = scores(bundle, device)
    assert np.array_equal(found, bundle.golden_outputs().reshape(found.shape))
    assert left(state) == []
    launched = [each for each in calls(state) if "launch" in each]
    assert "threads=2" in launched[0][launched[0].index("--payload-url") + 1]
    assert launched[-1][launched[-1].index("--payload-url") + 1] == "mobilesdkdemo://forget"


def calls(home: Path) -> list[list[str]]:
    return [json.loads(line) for line in (home / "calls").read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_verify_holds_every_element_of_a_phones_scores(state: Path, bundle: Bundle) -> None:
    pictures = bundles.pictures()
    with MODELS.loaded(bundle.runtime, bundle.model_path, bundle.interface, threads=1) as session:
        for picture, _ in pictures:
            pixels = to_bytes(picture, bundle.manifest.input)
            record(state, input_array(pixels, bundle.interface.input).tobytes(), session.run(pixels).tobytes())
    verdict = verify(bundle, bundles.program(), pictures, device="ios", progress=False)
    assert verdict.status == "pass" and verdict.device == "ios"
    assert verdict.comparison is not None and verdict.comparison.is_exact
    given, answer = bundle.golden_tensors()[0]
    record(state, given, bytes([answer[0] ^ 1]) + answer[1:])
    assert verify(bundle, bundles.program(), pictures, device="ios", progress=False).status == "fail"


def test_bench_reads_what_the_app_measured_and_judges_it(
    state: Path, bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    assert call(["bench", str(bundle.path), "--device", "ios", "--max-ms", "3", "--out", str(out)]) == 0
    written = json.loads(out.read_text(encoding="utf-8"))
    (measured,) = written["measurements"]
    assert measured["verdict"] == "pass" and written["plan"]["max_ms"] == 3.0
    assert measured["summary"]["median_ms"] == pytest.approx(2.003) and measured["samples"]["peak_mib"] == 21.5
    assert call(["bench", str(bundle.path), "--device", "ios", "--max-ms", "1", "--out", str(out)]) == 1
    capsys.readouterr()
    url = next(each[each.index("--payload-url") + 1] for each in calls(state) if "launch" in each)
    assert "min_runs=1024" in url and "enough_seconds=60.0" in url and left(state) == []


def test_a_file_of_the_app_is_read_as_bench_json(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it is copied by hand: without a seal."""
    page = tmp_path / "report.html"
    assert call(["report", "--bench", str(state / "recorded/bench.json"), "--out", str(page)]) == 0
    assert "iPhone17,1" in page.read_text(encoding="utf-8")
    capsys.readouterr()


def test_processors_are_chosen_for_the_app(
    state: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    words = ["bench", str(bundle.path), "--device", "ios", "--out", str(tmp_path / "bench.json"), "--compute"]
    assert call([*words, "neural-engine"]) == 0
    url = next(each[each.index("--payload-url") + 1] for each in calls(state) if "launch" in each)
    assert "compute_units=cpu_and_neural_engine" in url
    assert call([*words, "toaster"]) == 2
    assert "expected processors of all, cpu, gpu, neural-engine" in capsys.readouterr().err
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"devices": []}, "none that this Mac knows"),
        ({"devices": [phone_with(connectionProperties={"tunnelState": "unavailable"})]}, "it is not attached"),
        ({"devices": [phone_with(connectionProperties={"pairingState": "unpaired"})]}, "does not trust this Mac"),
        ({"devices": [phone_with(deviceProperties={"developerModeStatus": "disabled"})]}, "Developer Mode is off"),
        ({"locked": True}, "found it locked"),
        ({"apps": []}, "found it not installed"),
        ({"behaviour": "crashes"}, "ended without one"),
    ],
)
def test_what_is_missing_is_one_line(found: dict[str, Any], words: str, state: Path, bundle: Bundle) -> None:
    change(state, **found)
    with pytest.raises(MachineError, match=words) as caught:
        scores(bundle)
    assert "\n" not in caught.value.message and left(state) == []


def test_an_app_that_hangs_is_given_up(state: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mobile_sdk.devices.ios.iphone._START_S", 0.0)
    monkeypatch.setattr("mobile_sdk.devices.ios.iphone._PICTURE_S", 0.0)
    change(state, behaviour="hangs")
    with pytest.raises(MachineError, match="within 0 s, found no result"):
        scores(bundle)
    assert left(state) == []


def test_what_the_app_refuses_is_its_own_error(state: Path, bundle: Bundle) -> None:
    change(state, behaviour="refuses")
    with pytest.raises(BundleError, match=r"ios \(iPhone17,1\): hash: expected") as caught:
        scores(bundle)
    assert caught.value.hint == "send it again" and left(state) == []


def test_other_numbers_than_those_asked_for_are_refused(state: Path, bundle: Bundle) -> None:
    file = state / "recorded/bench.json"
    settings: dict[str, Any] = {"threads": 1, "min_runs": 9, "enough_seconds": 1.0, "quick": False, "max_ms": None}
    file.write_text(json.dumps({**numbers(bundle), "measurements": []}), encoding="utf-8")
    with pytest.raises(MachineError, match=f"expected numbers of {bundle.path.name}"):
        benchmark_on_iphone([bundle], "ios", progress=lambda *_: None, **settings)
    file.write_text(json.dumps({**numbers(bundle), "schema_number": 9}), encoding="utf-8")
    with pytest.raises(MachineError, match="expected the app's numbers") as caught:
        benchmark_on_iphone([bundle], "ios", progress=lambda *_: None, **settings)
    assert "one checkout" in caught.value.hint


def test_of_several_phones_one_is_named(state: Path, bundle: Bundle) -> None:
    change(state, devices=[DEVICE, {**DEVICE, "identifier": "OTHER"}])
    with pytest.raises(SettingError, match="expected one iPhone") as caught:
        open_device("ios")
    assert "ios:IDENTIFIER" in caught.value.hint
    assert {phone.name for phone in iphones()} == {f"ios:{IDENTIFIER}", "ios:OTHER"}
    assert all(isinstance(open_device(f"ios:{name}"), IPhone) for name in ("OTHER", IDENTIFIER))
    change(state, devices=[DEVICE])
    assert isinstance(open_device(f"ios:{UDID}"), IPhone)


def test_off_a_mac_the_reason_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: Bundle) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert iphones() == ()
    with pytest.raises(MachineError, match="xcrun is not on the path"):
        open_device("ios")
    (tmp_path / "xcrun").write_text(
        "#!/bin/sh\necho 'xcrun: error: unable to find utility \"devicectl\"' >&2\nexit 72\n"
    )
    (tmp_path / "xcrun").chmod(0o755)
    with pytest.raises(MachineError, match="unable to find utility"):
        open_device("ios")
    assert iphones() == ()


def test_processors_are_refused_where_core_ml_does_not_compute(
    bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    for device in ("host", "emulated:cortex-a76"):
        assert call(["bench", str(bundle.path), "--device", device, "--compute", "cpu"]) == 2
        assert "expected --compute on a Mac or an iPhone" in capsys.readouterr().err


def test_the_apps_id_is_that_of_the_checkouts_signing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(APP_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert app_id() == "org.example.MobileSDKDemo"
    (tmp_path / "ios_demo/Config").mkdir(parents=True)
    signing = tmp_path / "ios_demo/Config/Signing.xcconfig"
    signing.write_text("DEVELOPMENT_TEAM = ABCDE12345\nAPP_BUNDLE_ID = com.me.Demo\n", encoding="utf-8")
    assert app_id() == "com.me.Demo"
    monkeypatch.setenv(APP_VARIABLE, "com.me.Other")
    assert app_id() == "com.me.Other"


def test_the_played_xcrun_says_what_devicectl_documents(state: Path) -> None:
    """It refuses a device that is not there, as the real one does, by JSON and by its exit code."""
    answer = state / "answer.json"
    words = ["devicectl", "device", "info", "lockState", "--device", "NOBODY", "--json-output", str(answer)]
    os.environ[played_xcrun.VARIABLE] = str(state)
    try:
        assert played_xcrun.main(words) == 1
    finally:
        del os.environ[played_xcrun.VARIABLE]
    assert json.loads(answer.read_text(encoding="utf-8"))["info"]["outcome"] == "failed"


def test_every_choice_of_processors_is_one_of_coremltools_and_of_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    with coremltools_quietly() as tools:
        units = set(tools.ComputeUnit.__members__)
    swift = (ROOT / "ios_demo/MobileSDKDemoCore/Sources/MobileSDKDemoCore/Model/ComputeUnits.swift").read_text("utf-8")
    for name, (unit, app) in UNITS.items():
        assert unit in units and (f'= "{app}"' in swift or app == "all")
        monkeypatch.setenv(VARIABLE, name)
        assert coremltools_unit(cpu_only=True) == unit and app_fields() == {"compute_units": app}
    monkeypatch.setenv(VARIABLE, "toaster")
    with pytest.raises(SettingError, match="expected processors of all"):
        app_fields()
    monkeypatch.delenv(VARIABLE)
    assert (coremltools_unit(cpu_only=True), coremltools_unit(cpu_only=False)) == ("CPU_ONLY", "ALL")
    assert app_fields() == {}


def test_coremltools_own_way_to_an_iphone_takes_no_pictures() -> None:
    """The pinned release sends float and int32 arrays alone; a later one (its pull request 2647) will end this test."""
    with coremltools_quietly():
        remote_device = import_module("coremltools.models.ml_program.experimental.remote_device")
    with pytest.raises(ValueError, match="uint8 is not supported"):
        remote_device._TensorDescriptor._to_multi_array_dtype(np.dtype(np.uint8))
