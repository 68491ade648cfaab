"""A model file that crashes or hangs its runtime fails by name; the process that opens models ends with its parent."""

import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.devices import Host, model_process, model_worker
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.errors import BundleError
from mobile_sdk.verification.verdict import Check
from mobile_sdk.verification.verification import verify
from tests.support import bundles, child_process
from tests.support.child_process import finished, is_running, wait_until, workers_of
from tests.support.command_line import SmallRun, mobile_sdk, start
from tests.support.written_here import WRITTEN_HERE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")

WORKER = "mobile_sdk.devices.model_worker"
TFLITE = runtimes.get("tflite")


@pytest.fixture(scope="module")
def killer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A resealed bundle whose model aborts LiteRT: the first weight scale, some 3e-4, is 1e35."""
    bundle = bundles.lowered(tmp_path_factory.mktemp("killer"))
    model = bytearray(bundle.model_path.read_bytes())
    model[scale_position(bytes(model)) + 3] ^= 0x40
    bundles.forge(bundle.path, bundles.nothing, model__tflite=bytes(model))
    return bundle.path


def scale_position(model: bytes) -> int:
    """Where the first weight scale lies in a .tflite."""
    graph = schema.Model.GetRootAs(model, 0).Subgraphs(0)
    grids = (graph.Tensors(index).Quantization() for index in range(graph.TensorsLength()))
    scales = next(grid.ScaleAsNumpy() for grid in grids if grid is not None and grid.ScaleLength() > 1)
    assert model.count(scales.tobytes()) >= 1
    return model.index(scales.tobytes())


def stopped(pristine: Bundle) -> int:
    """Stops the process that opens models: it answers nothing any more."""
    process = ready(pristine)
    os.kill(process, signal.SIGSTOP)
    return process


def ready(pristine: Bundle) -> int:
    """The process that opens models, after one."""
    MODELS.structure(TFLITE, pristine.model_path)
    assert MODELS.pid is not None
    return MODELS.pid


def judged(bundle: Path, name: str) -> Check:
    checks = verify(open_bundle(bundle), bundles.program(), bundles.pictures(), progress=False).checks
    return next(check for check in checks if check.name == name)


def test_a_model_that_kills_its_runtime_is_a_failed_check_that_names_the_signal(killer: Path) -> None:
    check = judged(killer, "structure")
    assert check.outcome == "fail"
    assert check.reason == "expected tflite to read model.tflite, found that it ended with signal 6 (SIGABRT)"
    assert judged(killer, "steps apart").reason == "the model file is damaged"


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_death_while_it_computes_is_a_failed_check_too(
    pristine: Bundle, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    run_each = model_process.ModelSession.run_each

    def dying(session: model_process.ModelSession, pictures: Any) -> Any:
        assert MODELS.pid is not None
        os.kill(MODELS.pid, number)
        return run_each(session, pictures)

    monkeypatch.setattr(model_process.ModelSession, "run_each", dying)
    check = judged(pristine.path, "steps apart")
    assert check.outcome == "fail" and check.reason.endswith(f"ended with signal {number.value} ({number.name})")


def test_inspect_tells_of_the_death_in_one_line(killer: Path) -> None:
    done = mobile_sdk("inspect", str(killer))
    assert (done.code, done.out) == (6, "")
    assert [line.partition(":")[0] for line in done.err.splitlines()] == ["error", "hint"] and "SIGABRT" in done.err


def test_verify_goes_on_with_the_next_bundle(killer: Path, pristine: Bundle) -> None:
    assert judged(killer, "structure").outcome == "fail"
    assert judged(pristine.path, "steps apart").outcome == "pass"


def test_a_model_that_hangs_is_a_failed_check(pristine: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    process = stopped(pristine)
    monkeypatch.setattr(model_process, "PATIENCE_S", 0)
    with pytest.raises(BundleError, match=r"to read model\.tflite, found that it hangs: no reply within"):
        MODELS.structure(TFLITE, pristine.model_path)
    assert not is_running(process)


def test_pictures_that_are_not_taken_are_a_hang(pristine: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    with Host().loaded(TFLITE, pristine.model_path, pristine.interface) as run:
        assert MODELS.pid is not None
        os.kill(MODELS.pid, signal.SIGSTOP)
        monkeypatch.setattr(model_process, "PATIENCE_S", 0)
        with pytest.raises(BundleError, match=r"to run model\.tflite, found that it hangs"):
            run(np.zeros((400, *pristine.interface.input.shape[1:]), np.uint8))  # more than a pipe holds
        with pytest.raises(BundleError, match=r"expected model\.tflite to be open, found its process ended"):
            run(np.zeros((1, *pristine.interface.input.shape[1:]), np.uint8))


def test_a_slow_model_is_no_hang_for_it_tells_of_its_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        now_s = 0.0

        def monotonic(self) -> float:
            return self.now_s

        def run(self, picture: Any) -> Any:
            self.now_s += 2
            return np.zeros(3, np.int8)

    class Listening:
        def __init__(self) -> None:
            self.told: list[dict[str, Any]] = []

        def reply(self, message: dict[str, Any], data: bytes = b"") -> None:
            self.told.append(message)

    slow, parent = Slow(), Listening()
    monkeypatch.setattr(model_worker, "time", slow)
    models: Any = model_worker._Models(parent)  # type: ignore[arg-type]
    output = {"name": "scores", "dtype": "int8", "shape": (1, 3), "scale": 1.0, "zero_point": 0}
    models._sessions[1] = slow, bundles_interface(output)
    models.answer({"do": "run", "session": 1, "shape": (4, 2, 2, 3)}, bytearray(48))
    assert [next(iter(message)) for message in parent.told] == ["working"] * 4 + ["bytes"]


def bundles_interface(output: dict[str, Any]) -> Any:
    image = {"name": "image", "dtype": "uint8", "shape": (1, 2, 2, 3), "layout": "NHWC", "byte_offset": 0}
    return model_worker.Interface.model_validate({"input": image, "outputs": [output]})


def test_one_process_serves_every_model(tmp_path: Path) -> None:
    MODELS.close()
    seen = set()
    for runtime in WRITTEN_HERE:
        bundle = bundles.lowered(tmp_path, runtime)
        assert verify(bundle, bundles.program(), bundles.pictures(), progress=False)
        seen.add(MODELS.pid)
    assert len(seen) == 1 and workers_of(os.getpid(), WORKER) == [*seen]


def test_the_process_leaves_no_core_and_its_memory_has_a_limit(pristine: Bundle) -> None:
    process = ready(pristine)
    assert resource.prlimit(process, resource.RLIMIT_CORE) == (0, 0)
    assert resource.prlimit(process, resource.RLIMIT_DATA)[0] != resource.RLIM_INFINITY
    assert Path(f"/proc/{process}/oom_score_adj").read_text(encoding="ascii") == "1000\n"


def test_a_fork_has_a_process_of_its_own(pristine: Bundle) -> None:
    process = ready(pristine)
    receiving, sending = os.pipe()
    if fork := os.fork():
        os.close(sending)
        with os.fdopen(receiving, encoding="utf-8") as said:
            assert said.read() == "as before"
        os.waitpid(fork, 0)
        assert ready(pristine) == process
        return
    try:
        if MODELS.pid is None and ready(pristine) != process:
            os.write(sending, b"as before")
    finally:
        MODELS.close()
        os._exit(0)


def test_threads_take_turns(pristine: Bundle) -> None:
    pictures = np.zeros((9, *pristine.interface.input.shape[1:]), np.uint8)
    found: list[Any] = []

    def compute() -> None:
        for _ in range(5):
            with Host().loaded(TFLITE, pristine.model_path, pristine.interface) as run:
                found.append(run(pictures).tobytes())

    threads = [threading.Thread(target=compute) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20 and len(set(found)) == 1


def test_a_process_that_a_thread_has_started_outlives_the_thread(pristine: Bundle) -> None:
    MODELS.close()
    thread = threading.Thread(target=ready, args=(pristine,))
    thread.start()
    thread.join()
    started = MODELS.pid
    assert ready(pristine) == started


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_the_command_however_that_ends(small: SmallRun, number: signal.Signals, tmp_path: Path) -> None:
    against = ("--program", small.program, "--data", small.pictures, "--out", str(tmp_path / "verify.json"))
    process = start("verify", small.bundle("executorch"), *against)
    wait_until(lambda: bool(workers_of(process.pid, WORKER)), process=process)
    (worker,) = workers_of(process.pid, WORKER)
    process.send_signal(number)
    _, said = finished(process)
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in said and len(said.splitlines()) <= 1
    wait_until(lambda: not is_running(worker))


def test_it_ends_with_its_parent_even_where_it_hangs(pristine: Bundle) -> None:
    code = (
        "import os, signal, sys, time; from pathlib import Path\n"
        "from mobile_sdk import runtimes; from mobile_sdk.devices.model_process import MODELS\n"
        "MODELS.structure(runtimes.get('tflite'), Path(sys.argv[1]))\n"
        "os.kill(MODELS.pid, signal.SIGSTOP)\n"
        "print(MODELS.pid, flush=True)\n"
        "time.sleep(86400)\n"
    )
    parent = child_process.start([sys.executable, "-c", code, str(pristine.model_path)])
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    wait_until(lambda: not is_running(worker))
