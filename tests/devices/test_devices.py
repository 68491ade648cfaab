"""Phones over adb and a board over ssh, played by the real daemons and reached by the real clients."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk.benchmarking.benchmark import BenchmarkStoppedError, benchmark
from mobile_sdk.benchmarking.energy import windows
from mobile_sdk.benchmarking.measurements import read_numbers
from mobile_sdk.benchmarking.profiling.profile import profile
from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.cli.app import call
from mobile_sdk.devices import Farm, adb, check_measures_time, open_device, remote
from mobile_sdk.devices.adb import Adb, serials
from mobile_sdk.devices.runner.build import Runners, make_runners
from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from tests.support import graphs
from tests.support.child_process import finished, start, wait_until
from tests.support.command_line import SmallRun
from tests.support.devices import stand_ins
from tests.support.devices.phones import AMD64, ARM64, BOARD, Phones

RUNTIMES: tuple[Any, ...] = (TfliteRuntime(), ExecuTorchRuntime())
X86, ARM, SSH = f"adb:{AMD64}", f"adb:{ARM64}", f"ssh:{BOARD}"


@pytest.fixture(autouse=True)
def _reached(phones: Phones, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{phones.clients}:{os.environ['PATH']}")
    for address in (AMD64, ARM64):
        phones.connect(address)


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("device", [X86, ARM, SSH, "adb"])
def test_a_device_computes_the_reference_and_keeps_nothing(
    device: str, runtime: Any, phones: Phones, tmp_path: Path
) -> None:
    graph, model = graphs.int8_graph("mobile block"), tmp_path / runtime.model_file
    interface = runtime.export(graph, graphs.contract_for(graph), model)
    given = graphs.pictures(graph, 7)
    with open_device(device).loaded(runtime, model, interface) as run:
        assert np.array_equal(run(given), Reference(graph).run(given).reshape(7, -1))
        assert np.array_equal(run(given[:1]), Reference(graph).run(given[:1]).reshape(1, -1)), "a second call"
    assert nothing_left(phones)


@pytest.mark.parametrize("cpu", ["cortex-a710", "max"])
def test_a_phone_with_i8mm_or_sme2_computes_the_reference(cpu: str, phones: Phones, tmp_path: Path) -> None:
    graph = graphs.int8_graph("mobile block")
    given = graphs.pictures(graph, 7)
    try:
        phones.tell(f"core {cpu}")
        phones.connect(ARM64)
        state = open_device(ARM).state()
        assert state is not None and "i8mm" in phones.adb("-s", ARM64, "shell", "cat /proc/cpuinfo")
        for runtime in RUNTIMES:
            model = tmp_path / runtime.model_file
            interface = runtime.export(graph, graphs.contract_for(graph), model)
            with open_device(ARM).loaded(runtime, model, interface) as run:
                assert np.array_equal(run(given), Reference(graph).run(given).reshape(7, -1)), runtime.name
    finally:
        phones.tell("core cortex-a76")
        phones.connect(ARM64)


def test_adb_alone_is_every_phone_that_is_ready() -> None:
    farm = open_device("adb")
    assert isinstance(farm, Farm)
    assert {member.name for member in farm.members} == {X86, ARM}
    with pytest.raises(SettingError, match="one phone"):
        check_measures_time(farm)


@pytest.mark.parametrize("runtime", ["tflite", "executorch"])
@pytest.mark.parametrize("device", [X86, ARM, SSH, "adb"])
def test_verify_on_a_device_is_exact(device: str, runtime: str, small: SmallRun, tmp_path: Path) -> None:
    out = tmp_path / "verify.json"
    words = ["--program", small.program, "--data", small.pictures, "--min-accuracy", "0.3", "--out", str(out)]
    assert call(["verify", small.bundle(runtime), *words, "--device", device]) == 0
    verdict = json.loads(out.read_text(encoding="utf-8"))["verdicts"][0]
    assert (verdict["status"], verdict["device"]) == ("pass", device)
    assert verdict["comparison"]["max_steps"] == 0
    assert {check["name"]: check["outcome"] for check in verdict["checks"]}["accuracy"] == "pass"


def test_too_little_accuracy_on_a_device_is_exit_code_1(small: SmallRun, tmp_path: Path) -> None:
    words = ["--program", small.program, "--data", small.pictures, "--out", str(tmp_path / "verify.json")]
    assert call(["verify", small.bundle("tflite"), *words, "--device", X86, "--min-accuracy", "1"]) == 1


def test_a_device_lost_while_it_is_verified_is_exit_code_7(
    phones: Phones, small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    push = Adb.push

    def push_and_kill(self: Adb, source: Path, target: str) -> None:
        push(self, source, target)
        if source.name == "pictures":
            phones.tell("kill amd64")

    monkeypatch.setattr(Adb, "push", push_and_kill)
    words = ["--program", small.program, "--data", small.pictures, "--out", str(tmp_path / "verify.json")]
    assert call(["verify", small.bundle("tflite"), *words, "--device", X86]) == 7
    assert f"from {X86}, found that it did not run: " in capfd.readouterr().err
    verdict = json.loads((tmp_path / "verify.json").read_text(encoding="utf-8"))["verdicts"][0]
    assert verdict["status"] == "not_run"
    phones.tell("start amd64")
    phones.connect(AMD64)
    assert nothing_left(phones)


@pytest.mark.parametrize("device", [X86, ARM, SSH])
def test_bench_on_a_device_compares_two_bundles(device: str, phones: Phones, small: SmallRun, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    bundles = [small.bundle("tflite"), small.bundle("executorch")]
    assert call(["bench", *bundles, "--device", device, "--out", str(out)]) == 0
    numbers = json.loads(out.read_text(encoding="utf-8"))
    assert numbers["device"] == device
    assert numbers["environment"]["architecture"] == ("aarch64" if device == ARM else "x86_64")
    assert [each["summary"]["count"] >= 1024 for each in numbers["measurements"]] == [True, True]
    for each in numbers["measurements"]:
        assert each["samples"]["cores"] and each["samples"]["load_ms"] > 0 and each["samples"]["peak_mib"] > 0
    assert numbers["comparisons"][0]["ratio"]["interval"]["low"] > 0
    assert numbers["state_after"]["machine"] == numbers["environment"]["architecture"]
    assert nothing_left(phones)


def test_bench_on_several_phones_measures_each(
    phones: Phones, small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    assert call(["bench", small.bundle("tflite"), "--device", "adb", "--quick", "--json", "--out", str(out)]) == 0
    assert [each["device"] for each in json.loads(capfd.readouterr().out)] == [ARM, X86]
    for name, machine in (("10.0.0.2", "aarch64"), ("127.0.0.1", "x86_64")):
        numbers = json.loads((tmp_path / f"bench-adb-{name}-5555.json").read_text(encoding="utf-8"))
        assert numbers["environment"]["architecture"] == machine
    assert nothing_left(phones)


POWER_STATS = """#!/bin/sh
[ "$1" = android.hardware.power.stats.IPowerStats/default ] || exit 0
read name user nice system rest < /proc/stat
echo "============= PowerStats HAL 2.0 energy meter =============="
echo "    [S2M_VDD_CPUCL2]:CPU(BIG)   $((user + nice + system)).00 mWs"
echo "========== End of PowerStats HAL 2.0 energy meter =========="
"""  # a millijoule for each hundredth of a second that a core of this machine works


def test_bench_says_what_an_inference_costs_where_the_phone_has_a_power_meter(
    phones: Phones, small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "WINDOW_S", 0.3)
    words = ["bench", small.bundle("tflite"), "--quick", "--energy", "--out", str(tmp_path / "bench.json")]
    assert call([*words, "--device", X86]) == 0
    silent = read_numbers(tmp_path / "bench.json").measurements[0].energy
    assert silent is not None and silent.mj is None and "tells its shell neither" in str(silent.not_run)
    (tmp_path / "dumpsys").write_text(POWER_STATS, encoding="utf-8")
    (tmp_path / "dumpsys").chmod(0o755)
    phones.adb("-s", AMD64, "push", str(tmp_path / "dumpsys"), "/usr/bin/dumpsys")
    assert call([*words, "--device", X86]) == 0
    phones.adb("-s", AMD64, "shell", "rm /usr/bin/dumpsys")
    found = read_numbers(tmp_path / "bench.json").measurements[0].energy
    assert found is not None and found.mj is not None and found.not_run is None
    assert (found.source, found.pairs) == ("the rails of its power meter", windows.PAIRS) and found.runs > 100
    assert list(found.rails_mj) == ["[S2M_VDD_CPUCL2]:CPU(BIG)"]
    said = capfd.readouterr().out
    assert "energy not run: it tells its shell neither" in said and f"{found.mj:.3g} mJ an inference" in said
    assert nothing_left(phones)


def test_a_budget_on_a_device_is_a_gate(small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["--device", X86, "--out", str(tmp_path / "bench.json")]
    assert call(["bench", small.bundle("tflite"), *words, "--quick", "--max-ms", "0.00001"]) == 2
    assert "expected no --max-ms beside --quick, which gives no verdict" in capfd.readouterr().err
    quick = benchmark([open_bundle(small.bundle("tflite"))], device=X86, quick=True, max_ms=0.00001).measurements[0]
    assert quick.verdict == "not_run" and "a quick measurement supports no verdict" in str(quick.reason)
    numbers = benchmark([open_bundle(small.bundle("tflite"))], device=X86, max_ms=10_000)
    assert numbers.measurements[0].verdict != "fail"


def test_devices_lists_what_adb_knows_with_its_processor(capfd: pytest.CaptureFixture[str]) -> None:
    assert call(["devices", "--json"]) == 0
    listed = {each["device"]: each for each in json.loads(capfd.readouterr().out)}
    assert listed[ARM]["state"]["processor"] == "Arm implementer 0x41 part 0xd0b"
    assert listed[X86]["state"]["memory_mib"] == listed["host"]["state"]["memory_mib"]
    assert call(["devices"]) == 0
    assert ARM in capfd.readouterr().out


def test_exit_codes_come_through() -> None:
    for device in (open_device(X86), open_device(SSH)):
        assert isinstance(device, remote.Remote)
        done = subprocess.run(device.connection.command("exit 7"), check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 7


def test_adbd_killed_in_a_run_is_one_line_and_what_was_measured_is_kept(
    phones: Phones, small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(done_share: float, text: str) -> None:
        if done_share > 0.3 and not killed:
            killed.append(text)
            phones.tell("kill amd64")

    killed: list[str] = []
    with pytest.raises(BenchmarkStoppedError, match=rf"sides\.tflite on tflite on {X86}") as stopped:
        benchmark([open_bundle(small.bundle("tflite"))], device=X86, max_ms=10_000, min_runs=1024, progress=kill)
    assert "\n" not in str(stopped.value)
    measured = stopped.value.numbers.measurements[0]
    assert measured.samples and measured.summary and measured.summary.count > 50
    assert (measured.verdict, stopped.value.numbers.state_after) == ("not_run", None)
    phones.tell("start amd64")
    phones.connect(AMD64)
    assert nothing_left(phones)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_harness_leaves_nothing_on_the_device(
    end: signal.Signals, phones: Phones, small: SmallRun, tmp_path: Path
) -> None:
    words = ["-m", "mobile_sdk", "bench", small.bundle("tflite"), "--device", X86, "--out", f"{tmp_path}/cut.json"]
    harness = start([sys.executable, *words])
    wait_until(lambda: "runner-tflite" in phones.left(AMD64), process=harness)
    harness.send_signal(end)
    finished(harness)
    assert harness.returncode == (-signal.SIGKILL if end == signal.SIGKILL else 130)
    assert nothing_left(phones)


def test_a_full_device_is_one_line(phones: Phones, small: SmallRun) -> None:
    phones.tell("fill amd64")
    try:
        with pytest.raises(MachineError, match="No space left on device") as refused:
            benchmark([open_bundle(small.bundle("tflite"))], device=X86, quick=True)
        assert "\n" not in str(refused.value)
        assert nothing_left(phones)
    finally:
        phones.tell("empty amd64")


@pytest.mark.parametrize(
    ("free_kib", "told"), [("7", "8 KiB free .* No space left"), ("8", "copy response"), ("?", "copy response")]
)
def test_a_full_device_is_told_from_a_broken_connection(
    free_kib: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(command: list[str], device: str, timeout_s: float = 0) -> str:
        if "push" in command:
            raise MachineError(f"expected to reach {device}, found: failed to read copy response", hint="")
        return f"Filesystem 1K-blocks Used Available Use% Mounted on\ntmpfs 9000 1 {free_kib} 1% /data\n"

    monkeypatch.setattr(adb, "call_or_fail", answer)
    (tmp_path / "model").write_bytes(bytes(2**13))
    with pytest.raises(MachineError, match=told):
        Adb(serial="1").push(tmp_path, "/data/local/tmp/x")


def test_a_wrong_serial_names_those_that_are_there(capfd: pytest.CaptureFixture[str], small: SmallRun) -> None:
    assert call(["bench", small.bundle("tflite"), "--device", "adb:nowhere"]) == 7
    said = capfd.readouterr().err
    assert "expected the device adb:nowhere, found that no device of that serial is attached" in said
    assert AMD64 in said and said.count("\n") == 2


@pytest.mark.parametrize(
    ("port", "state"), [(stand_ins.SILENT_PORT, "offline"), (stand_ins.ASKING_PORT, "unauthorized")]
)
def test_a_device_that_is_not_ready_says_why(port: int, state: str, phones: Phones) -> None:
    address = f"127.0.0.1:{port}"
    stand_in = start(phones.inside(sys.executable, stand_ins.__file__, str(port)))
    assert stand_in.stdout is not None and stand_in.stdout.readline() == "listening\n"
    client = start([phones.clients / "adb", "connect", address])
    try:
        wait_until(lambda: serials().get(address) == state)
        with pytest.raises(MachineError, match=f"found that it is {state}: "):
            open_device(f"adb:{address}")
        assert {member.name for member in getattr(open_device("adb"), "members", ())} == {X86, ARM}
    finally:
        client.kill()
        stand_in.kill()
        phones.adb("disconnect", address)


@pytest.fixture
def of_another_processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Devices get a runner whose header says that it is for RISC-V."""

    def made(machine: str, say: Any) -> Runners:
        folder = tmp_path / machine
        if not folder.exists():
            shutil.copytree(make_runners(machine, say).folder, folder)
            program = folder / "runner-tflite"
            data = bytearray(program.read_bytes())
            data[18:20] = (243).to_bytes(2, "little")
            program.write_bytes(data)
        return Runners(folder=folder)

    monkeypatch.setattr(remote, "make_runners", made)


@pytest.mark.usefixtures("of_another_processor")
@pytest.mark.parametrize("device", [X86, ARM])
def test_a_runner_of_the_wrong_architecture_is_one_line(
    device: str, phones: Phones, small: SmallRun, tmp_path: Path
) -> None:
    refused = rf"expected {device} to run a program, found exit code \d+: [^\n]+$"
    with pytest.raises(MachineError, match=refused):
        benchmark([open_bundle(small.bundle("tflite"))], device=device, quick=True)
    graph, runtime, model = graphs.int8_graph("linear head"), TfliteRuntime(), tmp_path / "model.tflite"
    interface = runtime.export(graph, graphs.contract_for(graph), model)
    with pytest.raises(MachineError, match=refused), open_device(device).loaded(runtime, model, interface):
        pass
    assert nothing_left(phones)


def test_a_device_without_linuxs_list_of_cores_is_one_line(small: SmallRun, monkeypatch: pytest.MonkeyPatch) -> None:
    script = remote._Session.script
    empty_root = "exec /usr/bin/busybox chroot . "
    monkeypatch.setattr(remote._Session, "script", lambda self, words: script(self, words).replace("exec ", empty_root))
    in_namespace = "expected /sys/devices/system/cpu/possible, found that it cannot be read"
    with pytest.raises(MachineError, match=in_namespace):
        benchmark([open_bundle(small.bundle("tflite"))], device=X86, quick=True)


def test_layers_are_timed_on_a_device(phones: Phones, small: SmallRun) -> None:
    bundle, program = open_bundle(small.bundle("tflite")), Program.load(small.program)
    found = profile(bundle, program, device=SSH, runs=5, progress=False)
    assert found.device == SSH and found.kernels_us > 0 and any(each.layers for each in found.kernels)
    assert nothing_left(phones)


@pytest.mark.parametrize("damaged", ["model.tflite", "libLiteRt.so", "golden/1.output.bin"])
def test_a_corrupted_push_is_found_before_anything_is_timed(
    damaged: str, phones: Phones, small: SmallRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    push = Adb.push

    def push_and_damage(self: Adb, source: Path, target: str) -> None:
        push(self, source, target)
        subprocess.run(self.command(f"echo damage >> {target}/{damaged}"), check=True)

    monkeypatch.setattr(Adb, "push", push_and_damage)
    with pytest.raises(MachineError, match=f"expected {damaged} as it was sent, found other bytes"):
        benchmark([open_bundle(small.bundle("tflite"))], device=X86, quick=True)
    assert nothing_left(phones)


def test_an_unknown_host_is_one_line() -> None:
    with pytest.raises(MachineError, match=r"expected ssh:root@10\.9\.9\.9 to answer, found: .*unreachable"):
        open_device("ssh:root@10.9.9.9").make_ready(print)


def nothing_left(phones: Phones) -> bool:
    """Neither files nor processes of ours on either phone, at the latest when what ran has noticed its end."""
    wait_until(lambda: not phones.left(AMD64) and not phones.left(ARM64))
    return True
