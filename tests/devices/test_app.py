"""The demo app driven over adb: the real adb and adbd, the app's own code on a desktop's Java, played models in it."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mobile_sdk.benchmarking.benchmark import BenchmarkStoppedError, benchmark
from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.cli.app import call
from mobile_sdk.devices import DemoApp, open_device
from mobile_sdk.devices.android_app import relay
from mobile_sdk.devices.runner.staging import written_inputs
from mobile_sdk.errors import BundleError, MachineError, SettingError
from mobile_sdk.preprocess import to_bytes
from mobile_sdk.program.program import Program
from mobile_sdk.verification.verdict import Verdict, read_verdicts
from mobile_sdk.workflow.tasks import held_out_of
from tests.support.apps.android_app import AndroidApp
from tests.support.bundles import lowered
from tests.support.child_process import start, wait_until
from tests.support.command_line import SmallRun
from tests.support.devices import played_app
from tests.support.devices.phones import AMD64, ARM64, Phones

pytestmark = pytest.mark.slow

DEVICE = f"app:{AMD64}"
CALLS = "/tmp/am-calls"
PROGRAMS = {
    "am": f'echo "$@" >> {CALLS}; [ "$1" = start ] && echo Status: ok; exit 0',
    "pm": "echo package:/data/app/mobilesdk.demo/base.apk",
    "dumpsys": """case $1 in
  thermalservice) echo "Thermal Status: 0"; echo "Current temperatures from HAL:"
    echo "  Temperature{mValue=34.5, mType=3, mName=skin, mStatus=0}" ;;
  activity) echo "  timestamp=2026-11-30 pid=7 reason=5 (APP CRASH(NATIVE)) subreason=0 (UNKNOWN) status=11" ;;
esac""",
}
Played = Callable[..., None]


@pytest.fixture
def play(phones: Phones, android_app: AndroidApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    """Plays the app on the x86-64 phone: in a `state`, with the `answers` of a folder, until `runs` runs."""
    monkeypatch.setenv("PATH", f"{phones.clients}:{os.environ['PATH']}")
    for address in (AMD64, ARM64):
        phones.connect(address)
    for name, script in PROGRAMS.items():
        install(phones, tmp_path, name, script)

    def played(**properties: str | int | Path) -> None:
        options = [f"-D{name}={value}" for name, value in ({"state": "front"} | properties).items()]
        java = android_app.command("mobilesdk.demo.PlayedAppKt", properties=options)
        calls = f"{phones.root}{CALLS}"
        player = start(phones.within("python3", played_app.__file__, str(phones.root), calls, *java))
        assert player.stdout is not None and player.stdout.readline() == "ready\n"

    yield played
    phones.adb("-s", AMD64, "shell", f"rm -f {CALLS} {' '.join(f'/usr/bin/{name}' for name in PROGRAMS)}")


def install(phones: Phones, folder: Path, name: str, script: str) -> None:
    """Makes the script a program of the phone."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)
    phones.adb("-s", AMD64, "push", str(folder / name), f"/usr/bin/{name}")


def nothing_left(phones: Phones) -> bool:
    wait_until(lambda: not phones.left(AMD64))
    assert DEVICE.partition(":")[2] not in phones.adb("forward", "--list")
    return True


@pytest.fixture
def bundle(small: SmallRun) -> Bundle:
    return open_bundle(small.bundle("executorch"))


@pytest.fixture
def answers(small: SmallRun, bundle: Bundle, tmp_path: Path) -> Path:
    """The file of what the bundle's own runtime gives on this host for every picture: the played app answers by it."""
    contract = Program.load(small.program).contract
    given = np.stack([to_bytes(picture, contract.input) for picture, _ in held_out_of(contract, small.pictures)])
    with open_device("host").loaded(bundle.runtime, bundle.model_path, bundle.interface) as run:
        (tmp_path / "outputs.bin").write_bytes(run(given).tobytes())
    (tmp_path / "inputs.bin").write_bytes(written_inputs(bundle.interface, given))
    return tmp_path


def verified(small: SmallRun, out: Path) -> tuple[int, Verdict]:
    words = ["--program", small.program, "--data", small.pictures, "--out", str(out), "--device", DEVICE]
    code = call(["verify", small.bundle("executorch"), *words])
    return code, read_verdicts(out)[0]


def test_verify_in_the_app_holds_every_element_and_names_the_runtime_that_answered(
    play: Played, phones: Phones, small: SmallRun, answers: Path, tmp_path: Path
) -> None:
    play(answers=answers)
    code, verdict = verified(small, tmp_path / "verify.json")
    assert code == 0 and (verdict.status, verdict.device) == ("pass", DEVICE)
    assert verdict.comparison is not None and verdict.comparison.max_steps == 0
    assert verdict.versions == {"played-executorch": "1.2.3"}
    assert nothing_left(phones)


def test_one_wrong_byte_of_the_app_is_found(play: Played, small: SmallRun, answers: Path, tmp_path: Path) -> None:
    outputs = bytearray((answers / "outputs.bin").read_bytes())
    outputs[-1] ^= 1
    (answers / "outputs.bin").write_bytes(outputs)
    play(answers=answers)
    code, verdict = verified(small, tmp_path / "verify.json")
    assert code == 1 and verdict.comparison is not None and verdict.comparison.max_steps == 1


def test_bench_in_the_app_interleaves_bundles_and_says_all_that_the_times_depend_on(
    play: Played, phones: Phones, small: SmallRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play()
    out, apples = tmp_path / "bench.json", str(lowered(tmp_path, "coreml").path)
    bundles = [small.bundle("executorch"), small.bundle("tflite"), apples]
    assert call(["bench", *bundles, "--device", DEVICE, "--max-ms", "3", "--out", str(out)]) == 0
    numbers = json.loads(out.read_text(encoding="utf-8"))
    first, second, other = numbers["measurements"]
    for each in (first, second):
        assert each["summary"]["count"] >= 1024 and each["verdict"] == "pass"
        assert len(each["samples"]["end_to_end_ms"]) == each["summary"]["rounds"]
    assert other["not_run"] == "Android has no runtime for coreml"
    assert numbers["comparisons"][0]["ratio"]["interval"]["low"] > 0
    in_front = {"screen_on": True, "in_front": True, "locked": False, "debuggable": False, "power_save": False}
    assert numbers["app"] == in_front | {"cpuset": "/top-app"}
    assert set(numbers["environment"]["versions"]) >= {"played-executorch", "played-tflite"}
    assert numbers["state_before"]["temperature_c"] == 34.5 and numbers["plan"]["enough_seconds"] == 60
    assert "ms from a picture's bytes to numbers" in capsys.readouterr().out
    assert nothing_left(phones)


@pytest.mark.parametrize(
    ("state", "said"),
    [("locked", "found the phone locked"), ("off", "the screen on, found it off"), ("hidden", "dialog")],
)
def test_a_phone_whose_times_would_lie_measures_nothing(
    state: str, said: str, play: Played, phones: Phones, bundle: Bundle
) -> None:
    play(state=state)
    with pytest.raises(MachineError, match=said) as refused:
        benchmark([bundle], device=DEVICE)
    assert "unlock the phone" in str(refused.value.hint) and nothing_left(phones)


def test_a_debuggable_app_gets_no_verdict(play: Played, bundle: Bundle) -> None:
    play(state="front,debuggable")
    numbers = benchmark([bundle], device=DEVICE, max_ms=1000)
    assert numbers.app is not None and numbers.app.debuggable and numbers.verdict == "not_run"
    assert "installBenchmark" in str(numbers.measurements[0].reason)


def test_an_app_that_dies_is_told_at_once_with_androids_reason_and_what_was_measured_is_kept(
    play: Played, phones: Phones, bundle: Bundle
) -> None:
    play(runs=200)
    with pytest.raises(BenchmarkStoppedError, match=r"the app ended: APP CRASH\(NATIVE\), status 11") as stopped:
        benchmark([bundle], device=DEVICE, min_runs=1024)
    measured = stopped.value.numbers.measurements[0]
    assert measured.samples is not None and len(measured.samples.rounds_ms) > 5
    assert nothing_left(phones)


def test_a_bundle_that_the_app_refuses_is_its_own_error(
    play: Played, phones: Phones, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damage(self: DemoApp, script: str) -> str:
        done = shell(self, script)
        if script.startswith("chmod"):
            shell(self, f"echo damage >> {script.split()[-1]}/bundle/model.pte")
        return done

    shell = DemoApp._shell
    monkeypatch.setattr(DemoApp, "_shell", damage)
    play()
    with pytest.raises(BundleError, match=rf"{DEVICE}.*model\.pte"):
        benchmark([bundle], device=DEVICE)
    assert nothing_left(phones)


def test_files_that_only_their_owner_may_read_are_opened_to_the_app(
    play: Played, phones: Phones, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_chmod(self: DemoApp, script: str) -> str:
        return shell(self, script.replace("chmod -R a+rX", "chmod -R go-rwx"))

    shell = DemoApp._shell
    monkeypatch.setattr(DemoApp, "_shell", without_chmod)
    play()
    with pytest.raises(BundleError, match="EACCES"):
        benchmark([bundle], device=DEVICE, quick=True)
    monkeypatch.setattr(DemoApp, "_shell", shell)
    assert benchmark([bundle], device=DEVICE, quick=True).measurements[0].summary is not None


def test_a_phone_without_the_app_two_phones_and_an_app_that_does_not_start_are_told_apart(
    play: Played, phones: Phones, bundle: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match="expected one phone") as several:
        open_device("app")
    assert "app:SERIAL" in several.value.hint
    denied = "java.lang.SecurityException: Permission Denial: starting Intent requires android.permission.DUMP"
    install(phones, tmp_path, "am", f"[ $1 = start ] && echo '{denied}'; exit 0")
    with pytest.raises(
        MachineError, match=r"to start the app, found: java\.lang\.SecurityException: Permission Denial"
    ):
        benchmark([bundle], device=DEVICE)
    install(phones, tmp_path, "pm", "exit 0")
    with pytest.raises(MachineError, match=r"the app mobilesdk\.demo is not installed"):
        open_device(DEVICE)


def test_an_app_that_never_answers_and_layers_in_an_app_are_refused(
    play: Played, small: SmallRun, tmp_path: Path
) -> None:
    assert relay.connect(tmp_path / "nobody", b"{}\n", patience_s=0.0)[1] == b""
    words = ["bench", small.bundle("tflite"), "--device", DEVICE, "--layers", small.program, "--out", f"{tmp_path}/b"]
    assert call(words) == 2
