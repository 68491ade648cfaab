"""The demo app driven over adb: a real adbd, numbers that the app's own code wrote, and a played `am` between them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobile_sdk.benchmarking import demo_app as app_benchmark
from mobile_sdk.benchmarking.demo_app import benchmark_in_app
from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.cli.app import call
from mobile_sdk.devices import open_device
from mobile_sdk.errors import BundleError, MachineError, SettingError
from tests.support.apps.android_app import AppTests
from tests.support.child_process import HANG_S
from tests.support.devices.phones import AMD64, ARM64, Phones

DEVICE = f"app:{AMD64}"
FOLDER = "/sdcard/Android/data/mobilesdk.demo/files"
RESULT, CALLS = "/tmp/result.json", "/tmp/calls"
AM = f"""#!/bin/sh
echo "$@" >> {CALLS}
[ "$1" = start ] || {{ kill $(cat /tmp/app) 2> /dev/null; exit 0; }}
while [ $# -gt 0 ]; do
  case $2 in bundle) bundle=$3 ;; out) out=$3 ;; esac
  shift
done
cat "$bundle/bundle.json" > /dev/null || exit 0
[ -f {RESULT} ] || {{ echo "Error: Activity class does not exist."; exit 0; }}
(sleep 0.3; cat {RESULT} > {FOLDER}/$out) > /dev/null 2>&1 &
echo $! > /tmp/app
echo Status: ok
"""
PM = '#!/bin/sh\n[ "$1 $2" = "path mobilesdk.demo" ] && echo package:/data/app/mobilesdk.demo/base.apk\nexit 0\n'


@pytest.fixture
def phone(phones: Phones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phones]:
    """A phone on which the app is installed, and answers nothing yet."""
    monkeypatch.setenv("PATH", f"{phones.clients}:{os.environ['PATH']}")
    monkeypatch.setattr(app_benchmark, "_LOOK_EVERY_S", 0.1)
    for address in (AMD64, ARM64):
        phones.connect(address)
    for name, text in (("am", AM), ("pm", PM)):
        install(phones, name, text, tmp_path)
    yield phones
    phones.adb("-s", AMD64, "shell", f"rm -rf /usr/bin/am /usr/bin/pm /sdcard /tmp/app {RESULT} {CALLS}")


@pytest.fixture
def bundle(demo_fixtures: Path) -> Bundle:
    return open_bundle(demo_fixtures / "bundles/test.executorch")


def install(phones: Phones, name: str, script: str, tmp_path: Path) -> None:
    """Makes the script a program of the phone."""
    (tmp_path / name).write_text(script, encoding="utf-8")
    (tmp_path / name).chmod(0o755)
    phones.adb("-s", AMD64, "push", str(tmp_path / name), f"/usr/bin/{name}")


def answer(phones: Phones, file: Path) -> None:
    """Makes the app answer with that file."""
    phones.adb("-s", AMD64, "push", str(file), RESULT)


def measure(bundle: Bundle, timeout_s: float = HANG_S) -> app_benchmark.Numbers:
    return benchmark_in_app(
        [bundle],
        DEVICE,
        threads=2,
        min_runs=300,
        quick=False,
        max_ms=50.0,
        timeout_s=timeout_s,
        progress=lambda *_: None,
    )


def left(phones: Phones) -> str:
    return phones.adb("-s", AMD64, "shell", f"ls {FOLDER}").strip()


@pytest.mark.slow
def test_the_apps_numbers_are_read_judged_and_nothing_stays_on_the_phone(
    phone: Phones, bundle: Bundle, android_tests: AppTests
) -> None:
    answer(phone, android_tests.reports / "test.executorch.bench.json")
    numbers = measure(bundle)
    assert numbers.device == DEVICE and numbers.verdict == "pass"
    assert numbers.state_before is not None and numbers.state_before.thermal_status == 1
    assert len(numbers.measurements) == 1 and numbers.measurements[0].summary is not None
    started, stopped = phone.adb("-s", AMD64, "shell", f"cat {CALLS}").strip().splitlines()
    assert "-a mobilesdk.demo.BENCHMARK" in started and started.endswith("--ei threads 2 --ei runs 300")
    assert stopped == "force-stop mobilesdk.demo"
    assert left(phone) == ""


@pytest.mark.slow
def test_bench_takes_the_app_as_a_device(
    phone: Phones, bundle: Bundle, android_tests: AppTests, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(phone, android_tests.reports / "test.executorch.bench.json")
    coreml = bundle.path.with_name("test.coreml")
    out = tmp_path / "bench.json"
    assert call(["bench", str(bundle.path), str(coreml), "--device", DEVICE, "--out", str(out)]) == 0
    first, second = json.loads(out.read_text(encoding="utf-8"))["measurements"]
    assert first["summary"]["median_ms"] > 0 and second["not_run"] == "Android has no runtime for coreml"
    assert "test.executorch" in capsys.readouterr().out


@pytest.mark.slow
def test_what_the_app_refuses_is_its_own_error(phone: Phones, bundle: Bundle, tmp_path: Path) -> None:
    said = {"error": "BundleError", "message": "hash: expected 'model.pte' as listed", "hint": "push it again"}
    (tmp_path / "refused").write_text(json.dumps(said), encoding="utf-8")
    answer(phone, tmp_path / "refused")
    with pytest.raises(BundleError, match=rf"{DEVICE}: hash: expected") as caught:
        measure(bundle)
    assert caught.value.hint == "push it again" and left(phone) == ""


@pytest.mark.slow
def test_an_app_that_does_not_start_hangs_or_writes_nonsense_is_told_in_a_line(
    phone: Phones, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MachineError, match="found: Error: Activity class"):
        measure(bundle)
    monkeypatch.setattr(app_benchmark, "_START_S", 0.0)
    (tmp_path / "nonsense").write_text('{"schema_number": 1}', encoding="utf-8")
    answer(phone, tmp_path / "nonsense")
    install(phone, "am", AM.replace("sleep 0.3", "sleep 86400"), tmp_path)
    with pytest.raises(MachineError, match="within 0 s, found no result"):
        measure(bundle, timeout_s=0.0)
    install(phone, "am", AM, tmp_path)
    with pytest.raises(MachineError, match="expected the app's numbers") as caught:
        measure(bundle)
    assert "one checkout" in caught.value.hint and left(phone) == ""


@pytest.mark.slow
def test_a_phone_without_the_app_and_two_phones_are_told_apart(phone: Phones, bundle: Bundle) -> None:
    with pytest.raises(SettingError, match="expected one phone") as caught:
        benchmark_in_app(
            [bundle], "app", threads=1, min_runs=1, quick=True, max_ms=None, timeout_s=HANG_S, progress=lambda *_: None
        )
    assert "app:SERIAL" in caught.value.hint
    phone.adb("-s", AMD64, "shell", "rm /usr/bin/pm")
    with pytest.raises(MachineError, match=r"mobilesdk\.demo on app:.*not installed") as missing:
        measure(bundle)
    assert "installDebug" in missing.value.hint


def test_verify_says_that_the_app_only_measures() -> None:
    with pytest.raises(SettingError, match="only measures") as caught:
        open_device("app:emulator-5554")
    assert caught.value.hint == "use bench --device app:emulator-5554, or verify --device adb:emulator-5554"
