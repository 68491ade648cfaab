"""The benchmark on real worker processes whose clock only their model moves: every time is known beforehand."""

import json
import os
import shutil
import signal
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mobile_sdk.benchmarking import benchmark as benchmark_module
from mobile_sdk.benchmarking import place as benchmark_place
from mobile_sdk.benchmarking import series as benchmark_series
from mobile_sdk.benchmarking import worker as benchmark_worker
from mobile_sdk.benchmarking.benchmark import BenchmarkStoppedError, benchmark, write_numbers
from mobile_sdk.benchmarking.measurements import read_numbers
from mobile_sdk.benchmarking.worker import measure, warm_up
from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.errors import BundleError, MachineError, SettingError
from mobile_sdk.runtimes.coreml import CoreMLRuntime
from mobile_sdk.system.environment import describe_environment
from mobile_sdk.system.worker_process import WorkerProcess
from tests.support import bundles
from tests.support.child_process import finished, run, start, wait_until
from tests.support.repository import ROOT

WORKER = """
import os, sys
from time import sleep
import numpy as np
from mobile_sdk.benchmarking import worker as benchmark_worker
from mobile_sdk.errors import BundleError

trick, _, ms = os.path.basename(sys.argv[1]).partition("-")

class Clock:
    now_ns = 0
    def perf_counter_ns(self): return self.now_ns
    def perf_counter(self): return self.now_ns / 1e9

clock = benchmark_worker.time = Clock()

class Waiting:
    runs = 0
    def run(self, picture):
        self.runs += 1
        with open(os.path.join(os.path.dirname(sys.argv[1]), "log"), "a") as log:
            log.write(os.path.basename(sys.argv[1]) + "\\n")
        if trick == "dies" and self.runs > 3: os._exit(3)
        if trick == "crashes" and self.runs > 3: os.kill(os.getpid(), 11)
        if trick == "hangs" and self.runs > 3: sleep(86400)
        if trick == "prints": print("a runtime talks on standard output"); os.write(1, b"and below Python\\n")
        clock.now_ns += int(ms or 1) * 10**6
    def close(self): pass

def load():
    clock.now_ns += 30 * 10**6
    if trick == "large": Waiting.block = np.ones(40 * 2**20, np.uint8)
    return Waiting()

def prepare(path, threads):
    if trick == "damaged": raise BundleError("expected sha256 a, found b", hint="export it again")
    return load, [np.zeros((2, 2, 3), np.uint8)]

if trick in ("dies", "crashes", "hangs"): benchmark_worker.warm_up = lambda session, pictures: [5.0] * 5
benchmark_worker._prepare = prepare
sys.exit(benchmark_worker.main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class FakeManifest:
    name: str = "fruit"
    runtime: str = "waiting"
    precision: str = "int8"


class WaitingRuntime:
    def not_timed(self, *, on_host: bool) -> str | None:
        return None

    def versions(self) -> dict[str, str]:
        return {"waiting": "1.2.3"}


class FakeBundle(Bundle):
    model_bytes = 1000

    @property
    def runtime(self) -> Any:
        return CoreMLRuntime() if self.manifest.runtime == "coreml" else WaitingRuntime()


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundles; a bundle's name says what its model does and for how many ms."""
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(WORKER), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(
        benchmark_place, "worker_command", lambda path, threads: [sys.executable, str(script), str(path), str(threads)]
    )
    monkeypatch.setattr(benchmark_module, "runtimes", SimpleNamespace(get=lambda name: WaitingRuntime()))
    return tmp_path


def bundle(shelf: Path, name: str, **manifest: str) -> FakeBundle:
    (shelf / name).mkdir()
    return FakeBundle(path=shelf / name, manifest=FakeManifest(**manifest))


def alive(group_of: str) -> list[str]:
    """Command lines of running processes that mention `group_of`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if group_of in text and int(entry.parent.name) != os.getpid():
            found.append(text)
    return found


def is_worker(process: Path, folder: Path) -> bool:
    try:
        return (process / "cmdline").read_bytes().split(b"\0")[2] == os.fsencode(folder)
    except (OSError, IndexError):
        return False


def test_a_known_time_is_measured_and_every_sample_kept(shelf: Path) -> None:
    numbers = benchmark([bundle(shelf, "waits-2")], min_runs=50, min_seconds=0.2)
    measured = numbers.measurements[0]
    assert measured.samples is not None and measured.summary is not None
    assert measured.summary.min_ms == measured.summary.median_ms == measured.summary.max_ms == 2.0
    assert measured.samples.load_ms == 30.0 and measured.samples.first_run_ms == 2.0
    assert measured.samples.seconds >= 0.2
    assert measured.summary.count == sum(len(round_ms) for round_ms in measured.samples.rounds_ms) >= 50
    logged = (shelf / "log").read_text().count("\n")
    assert (
        logged == 1 + sum(map(len, (measured.samples.warm_up_ms, measured.samples.rewarm_ms))) + measured.summary.count
    )
    assert measured.model_bytes == 1000
    assert numbers.environment.versions["waiting"] == "1.2.3"


def test_rounds_are_interleaved_and_their_order_rotates(shelf: Path) -> None:
    benchmark([bundle(shelf, f"{letter}-30") for letter in "abc"], min_runs=10, min_seconds=0)
    turns = (shelf / "log").read_text().split()
    first_turn = len(turns) - 10 * 3 * 2  # 10 rounds of 3 bundles, a rewarming run and one run each
    letters = "".join(turn[0] for turn in turns[first_turn::2])
    assert letters == "abcbcacab" * 3 + "abc"


def test_the_ratio_to_the_float_twin_is_the_ratio_of_the_waits(shelf: Path) -> None:
    both = [bundle(shelf, "int8-4"), bundle(shelf, "twin-8", precision="float32")]
    comparison = benchmark(both, min_runs=30, min_seconds=0).comparisons[0]
    assert (comparison.bundle, comparison.twin) == ("int8-4", "twin-8")
    assert comparison.ratio.interval.low <= comparison.ratio.median <= comparison.ratio.interval.high
    assert comparison.ratio.median == 0.5


def test_two_bundles_without_a_twin_are_compared_with_each_other(shelf: Path) -> None:
    both = [bundle(shelf, "first-4"), bundle(shelf, "second-8")]
    comparison = benchmark(both, min_runs=30, min_seconds=0).comparisons[0]
    assert (comparison.bundle, comparison.twin) == ("first-4", "second-8")
    assert comparison.ratio.median == 0.5


def test_enough_seconds_of_runs_are_enough(shelf: Path) -> None:
    numbers = benchmark([bundle(shelf, "waits-20")], min_runs=10_000, enough_seconds=0.4)
    summary = numbers.measurements[0].summary
    assert summary is not None and 20 <= summary.count <= 21
    assert numbers.plan.enough_seconds == 0.4


def test_a_second_process_takes_the_second_half_where_starting_is_cheap(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = bundle(shelf, "waits-4")
    for cheap, quick, processes in ((0.0, False, (17,)), (float("inf"), False, (9, 8)), (float("inf"), True, (10,))):
        monkeypatch.setattr(benchmark_series, "_CHEAP_START", cheap)
        samples = benchmark([waits], min_runs=100, min_seconds=0, quick=quick).measurements[0].samples
        assert samples is not None and samples.processes == processes
        assert sum(samples.processes) == len(samples.rounds_ms) == len(samples.rewarm_ms)
    assert alive(str(waits.path)) == []


def test_a_lost_worker_leaves_what_was_measured_and_no_verdict(shelf: Path) -> None:
    killed: list[float] = []

    def kill(done_share: float, text: str) -> None:
        if done_share > 0.3 and not killed:
            killed.append(done_share)
            worker = next(Path(path) for path in Path("/proc").glob("[0-9]*") if is_worker(path, shelf / "waits-2"))
            os.kill(int(worker.name), signal.SIGKILL)

    with pytest.raises(BenchmarkStoppedError, match=r"waits-2 on waiting.*signal 9") as stopped:
        benchmark([bundle(shelf, "waits-2")], min_runs=200, max_ms=1000, progress=kill)
    numbers = stopped.value.numbers
    measured = numbers.measurements[0]
    assert measured.summary is not None and 50 < measured.summary.count < 200
    assert measured.verdict == "not_run" and "cut short" in (measured.reason or "")
    assert numbers.stopped == stopped.value.message


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
def test_peak_memory_is_that_of_the_bundle_and_not_of_python(shelf: Path) -> None:
    numbers = benchmark([bundle(shelf, "small-1"), bundle(shelf, "large-1")], quick=True)
    small, large = (each.samples.peak_mib for each in numbers.measurements if each.samples)
    assert small is not None and large is not None
    assert small < 5
    assert 39 < large < 50


def test_what_a_runtime_prints_does_not_disturb_the_protocol(shelf: Path) -> None:
    assert benchmark([bundle(shelf, "prints-1")], quick=True).measurements[0].summary is not None


@pytest.mark.parametrize(("trick", "cause"), [("dies", "exit code 3"), ("crashes", "signal 11")])
def test_a_worker_that_dies_is_one_line_with_bundle_and_runtime(shelf: Path, trick: str, cause: str) -> None:
    with pytest.raises(MachineError, match=f"{trick}-5 on waiting.*{cause}") as caught:
        benchmark([bundle(shelf, "waits-1"), bundle(shelf, f"{trick}-5")])
    assert "\n" not in str(caught.value)
    assert alive(str(shelf)) == []


def test_a_worker_that_hangs_is_ended_and_named(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark_module, "_TURN_TIMEOUT_S", 0.5)
    with pytest.raises(MachineError, match="hangs-5 on waiting within 0 s"):
        benchmark([bundle(shelf, "hangs-5")])
    assert alive(str(shelf)) == []


def test_a_damaged_bundle_keeps_its_own_error(shelf: Path) -> None:
    with pytest.raises(BundleError, match="damaged on waiting: expected sha256 a, found b"):
        benchmark([bundle(shelf, "damaged")])


def test_an_interrupt_leaves_no_process_behind(shelf: Path) -> None:
    script = shelf / "parent.py"
    script.write_text(
        "import sys, time\n"
        "from mobile_sdk.system.worker_process import WorkerProcess\n"
        f"command = [sys.executable, {str(shelf / 'worker.py')!r}, {str(shelf / 'waits-1')!r}, '1']\n"
        "with WorkerProcess(command, title='waits') as w:\n"
        "    w.reply(timeout_s=86400)\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(86400)\n",
        encoding="utf-8",
    )
    for end in (signal.SIGINT, signal.SIGKILL):
        parent = start([sys.executable, str(script)])
        assert parent.stdout is not None and parent.stdout.readline() == "ready\n"
        assert len(alive(str(shelf / "waits-1"))) == 1
        parent.send_signal(end)
        finished(parent)
        wait_until(lambda: alive(str(shelf / "waits-1")) == [])


def test_core_ml_off_a_mac_is_not_timed_and_says_why(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    numbers = benchmark([bundle(shelf, "apple", runtime="coreml"), bundle(shelf, "waits-1")], quick=True, max_ms=1000)
    assert numbers.measurements[0].summary is None
    assert "Apple" in (numbers.measurements[0].not_run or "")
    assert numbers.measurements[0].verdict == "not_run"


def test_a_device_whose_times_mean_nothing_is_refused(shelf: Path) -> None:
    with pytest.raises(SettingError, match="found emulated:cortex-a76, which shows exactness only"):
        benchmark([bundle(shelf, "waits-1")], device="emulated:cortex-a76")


def test_one_bundle_named_twice_is_refused(shelf: Path) -> None:
    once = bundle(shelf, "waits-1")
    with pytest.raises(SettingError, match="one twice"):
        benchmark([once, once])


def test_numbers_are_read_back_as_written_and_the_file_is_whole(shelf: Path) -> None:
    numbers = benchmark([bundle(shelf, "waits-1")], quick=True)
    write_numbers(numbers, shelf / "bench.json")
    assert read_numbers(shelf / "bench.json") == numbers
    assert json.loads((shelf / "bench.json").read_text(encoding="utf-8"))["schema_number"] == 1
    assert not list(shelf.glob("tmp*"))


class Settling:
    """A model that is slow at first, and the clock that only it moves."""

    def __init__(self) -> None:
        self.runs = self.now_ms = 0

    def perf_counter(self) -> float:
        return self.now_ms / 1e3

    def perf_counter_ns(self) -> int:
        return self.now_ms * 10**6

    def run(self, picture: np.ndarray) -> np.ndarray:
        self.runs += 1
        self.now_ms += 20 if self.runs <= 13 else 2
        return picture

    def close(self) -> None:
        pass


def test_warm_up_lasts_until_the_times_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Settling()
    monkeypatch.setattr(benchmark_worker, "time", session)
    pictures = [np.zeros((2, 2, 3), np.uint8)]
    assert len(warm_up(session, pictures)) == session.runs == 10
    assert len(warm_up(session, pictures)) == 15, "its first group is slow"
    assert measure(session, pictures, 5) == [2.0] * 5


def test_times_that_never_settle_end_the_warm_up_after_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Settling()
    monkeypatch.setattr(benchmark_worker, "time", session)
    monkeypatch.setattr(benchmark_worker, "_WARM_UP_AGREEMENT", 0.0)
    warm_up(session, [np.zeros((2, 2, 3), np.uint8)])
    assert 2000 <= session.now_ms < 2020


def test_a_worker_process_is_gone_after_close() -> None:
    worker = WorkerProcess([sys.executable, "-c", "import time; time.sleep(86400)"], title="sleeper")
    worker.close()
    worker.close()
    assert worker._process.returncode == -signal.SIGKILL


def test_the_environment_names_the_machine_but_not_its_user() -> None:
    environment = describe_environment({"package": "1.0"})
    text = environment.model_dump_json()
    assert environment.cores >= 1 and environment.versions["package"] == "1.0"
    assert os.uname().nodename not in text.replace(environment.kernel, "")


@pytest.fixture(scope="module")
def real_bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    """An int8 net and its float32 twin, for LiteRT."""
    folder = tmp_path_factory.mktemp("bundles")
    return [bundles.lowered(folder), bundles.lowered(folder, int8=False)]


def test_real_bundles_are_measured_in_real_workers(real_bundles: list[Bundle]) -> None:
    numbers = benchmark(real_bundles, quick=True)
    for measurement, bundle in zip(numbers.measurements, real_bundles, strict=True):
        assert measurement.summary is not None and measurement.samples is not None
        assert measurement.summary.count >= 12
        assert measurement.summary.median_ms > 0 and measurement.samples.load_ms > 0
        assert measurement.model_bytes == bundle.model_path.stat().st_size
    assert numbers.comparisons[0].ratio.median > 0
    assert "ai-edge-litert" in numbers.environment.versions


def test_a_load_is_timed_without_the_import_of_the_runtime(real_bundles: list[Bundle]) -> None:
    code = (
        "import sys; from pathlib import Path; from mobile_sdk.benchmarking.worker import _prepare\n"
        "load, _ = _prepare(Path(sys.argv[1]), 1)\n"
        "before = set(sys.modules)\n"
        "load()\n"
        "print(*set(sys.modules) - before)"
    )
    done = run([sys.executable, "-c", code, str(real_bundles[0].path)])
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr


def test_a_bundle_damaged_after_opening_is_refused_by_the_worker(real_bundles: list[Bundle], tmp_path: Path) -> None:
    copy = shutil.copytree(real_bundles[0].path, tmp_path / "copy.tflite")
    opened = open_bundle(copy)
    model = bytearray(opened.model_path.read_bytes())
    model[len(model) // 2] ^= 1
    opened.model_path.write_bytes(model)
    with pytest.raises(BundleError, match=r"copy\.tflite on tflite: hash: "):
        benchmark([opened], quick=True)
