"""ExecuTorch's files and sessions: damage is refused before C++ sees it, sessions are quiet and independent."""

import hashlib
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.errors import BundleError, DataError
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.executorch.pte_file import SEAL_BYTES, SEAL_MAGIC
from tests.support.child_process import run
from tests.support.graphs import contract_for, int8_graph, pictures
from tests.support.repository import ROOT

RUNTIME = ExecuTorchRuntime()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("executorch") / "model.pte"
    graph = int8_graph("squeeze excite")
    RUNTIME.export(graph, contract_for(graph), path)
    return path


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("verb", ["structure", "load"])
def test_a_truncated_file_is_refused(written, tmp_path, share, verb):
    data = written.read_bytes()
    path = tmp_path / "cut.pte"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BundleError) as error:
        open_with(verb, path)
    assert error.value.exit_code == 6


@settings(max_examples=100)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), verb=st.sampled_from(["structure", "load"]))
def test_any_flipped_byte_is_refused(written, tmp_path, place, flip, verb):
    data = bytearray(written.read_bytes())
    data[int(place * len(data))] ^= flip
    (tmp_path / "changed.pte").write_bytes(data)
    with pytest.raises(BundleError):
        open_with(verb, tmp_path / "changed.pte")


@settings(max_examples=200)
@given(place=st.floats(0, 1, exclude_max=True), junk=st.binary(min_size=1, max_size=8))
def test_reading_a_file_that_was_sealed_over_its_damage_never_crashes(written, tmp_path, place, junk):
    data = bytearray(written.read_bytes()[:-SEAL_BYTES])
    start = int(place * min(len(data), 4096))  # where program and delegate graph lie
    data[start : start + len(junk)] = junk
    (tmp_path / "sealed.pte").write_bytes(bytes(data) + SEAL_MAGIC + hashlib.sha256(data).digest())
    with suppress(BundleError):
        assert RUNTIME.structure(tmp_path / "sealed.pte").partitions >= 0


def open_with(verb: str, path: Path) -> None:
    graph = int8_graph("squeeze excite")
    interface = RUNTIME.export(graph, contract_for(graph), path.with_name("whole.pte"))
    if verb == "structure":
        RUNTIME.structure(path)
    else:
        RUNTIME.load(path, interface, threads=1)


def test_two_sessions_do_not_disturb_each_other(tmp_path):
    first, second = int8_graph("conv chain"), int8_graph("hard swish")
    a = RUNTIME.load(tmp_path / "a.pte", RUNTIME.export(first, contract_for(first), tmp_path / "a.pte"), threads=1)
    b = RUNTIME.load(tmp_path / "b.pte", RUNTIME.export(second, contract_for(second), tmp_path / "b.pte"), threads=1)
    image, other = pictures(first, 2)
    kept = a.run(image)
    before = kept.copy()
    b.run(image)
    a.run(other)
    np.testing.assert_array_equal(kept, before)
    np.testing.assert_array_equal(kept, Reference(first).run(image[None])[0])
    np.testing.assert_array_equal(b.run(other), Reference(second).run(other[None])[0])


def test_a_picture_of_another_size_is_refused(written):
    graph = int8_graph("squeeze excite")
    session = RUNTIME.load(written, RUNTIME.export(graph, contract_for(graph), written), threads=1)
    with pytest.raises(DataError, match="expected bytes"):
        session.run(np.zeros((8, 8, 3), np.uint8))


def test_writing_and_reading_load_neither_torch_nor_executorch(written):
    code = (
        "import sys; from pathlib import Path; from mobile_sdk.runtimes.executorch import ExecuTorchRuntime; "
        "from mobile_sdk.runtimes.executorch.export import write_model; "
        "ExecuTorchRuntime().structure(Path(sys.argv[1])); "
        "assert not {'torch', 'executorch'} & {name.split('.')[0] for name in sys.modules}"
    )
    done = run([sys.executable, "-c", code, str(written)])
    assert done.returncode == 0, done.stderr


def test_loading_and_running_say_nothing(written):
    code = (
        "import sys; from pathlib import Path; import numpy as np; "
        "from tests.support.graphs import contract_for, int8_graph; "
        "from mobile_sdk.runtimes.executorch import ExecuTorchRuntime; graph = int8_graph('squeeze excite'); "
        "runtime = ExecuTorchRuntime(); path = Path(sys.argv[1]); "
        "interface = runtime.export(graph, contract_for(graph), path); "
        "runtime.load(path, interface, threads=1).run(np.zeros((16, 16, 3), np.uint8))"
    )
    command = [sys.executable, "-c", code, str(written)]
    done = run(command, env={"PYTHONPATH": str(ROOT)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
