"""tflite-runtime 2.14.0 in its own environment: near the reference, within bounds that are stated, never called exact.

It gives XNNPACK no int8 operator, and its own kernels round twice: one operator is at most 1 step away. Steps add up
through layers. Measured over six seeds of every graph: `linear head` 1, `inverted residual` 3, the deepest graph 12.
"""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from mobile_sdk.errors import BundleError, MachineError
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.tflite import TfliteRuntime
from mobile_sdk.runtimes.tflite_legacy import TfliteLegacyRuntime
from tests.support.graphs import contract_for, int8_graph, pictures


@pytest.mark.parametrize(("name", "bound_steps"), [("linear head", 1), ("inverted residual", 4), ("mobile block", 16)])
def test_results_are_within_the_stated_bound(
    name: str, bound_steps: int, tflite_legacy_python: Path, tmp_path: Path
) -> None:
    graph, runtime = int8_graph(name), TfliteLegacyRuntime()
    interface = runtime.export(graph, contract_for(graph), tmp_path / "model.tflite")
    given = pictures(graph, 64)
    session = runtime.load(tmp_path / "model.tflite", interface, threads=1)
    found = np.stack([session.run(picture) for picture in given]).astype(np.int32)
    session.close()

    expected = Reference(graph).run(given).reshape(found.shape).astype(np.int32)
    assert found.std(axis=0).max() > 5, "scores that hardly vary would prove nothing"
    assert np.abs(found - expected).max() <= bound_steps
    assert np.mean(found.argmax(1) == expected.argmax(1)) >= 0.9


def test_the_environment_is_apart_from_this_one(tflite_legacy_python: Path) -> None:
    program = (
        "import numpy, importlib.util as u; print(numpy.__version__, u.find_spec('torch'), u.find_spec('mobile_sdk'))"
    )
    done = subprocess.run([tflite_legacy_python, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [TfliteLegacyRuntime().versions()["numpy"], "None", "None"]


def test_a_damaged_model_is_refused(tflite_legacy_python: Path, tmp_path: Path) -> None:
    graph, runtime, model = int8_graph("linear head"), TfliteLegacyRuntime(), tmp_path / "model.tflite"
    interface = runtime.export(graph, contract_for(graph), model)
    model.write_bytes(b"not a model" + model.read_bytes()[11:])
    with pytest.raises(BundleError, match=r"refuses model\.tflite"):
        runtime.load(model, interface, threads=1)


def test_a_model_of_another_shape_is_refused(tflite_legacy_python: Path, tmp_path: Path) -> None:
    graph, runtime, model = int8_graph("linear head"), TfliteLegacyRuntime(), tmp_path / "model.tflite"
    interface = runtime.export(graph, contract_for(graph), model)
    wider = interface.model_copy(update={"input": interface.input.model_copy(update={"shape": (1, 32, 32, 3)})})
    with pytest.raises(BundleError, match="export it again"):
        runtime.load(model, wider, threads=1)


def test_a_process_that_dies_is_reported(tflite_legacy_python: Path, tmp_path: Path) -> None:
    graph, runtime, model = int8_graph("linear head"), TfliteLegacyRuntime(), tmp_path / "model.tflite"
    session = runtime.load(model, runtime.export(graph, contract_for(graph), model), threads=1)
    session._process.kill()  # type: ignore[attr-defined]
    with pytest.raises(MachineError, match="found exit code -9"):
        session.run(pictures(graph, 1)[0])
    session.close()
    session.close()


def test_without_its_environment_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    graph, runtime, model = int8_graph("linear head"), TfliteLegacyRuntime(), tmp_path / "model.tflite"
    interface = runtime.export(graph, contract_for(graph), model)
    assert runtime.unavailable()
    with pytest.raises(MachineError, match=r"python -m mobile_sdk\.runtimes\.tflite_legacy"):
        runtime.load(model, interface, threads=1)


def test_structure_is_read_as_the_other_tflite_runtime_reads_it(tmp_path: Path) -> None:
    graph, model = int8_graph("linear head"), tmp_path / "model.tflite"
    TfliteLegacyRuntime().export(graph, contract_for(graph), model)
    assert TfliteLegacyRuntime().structure(model) == TfliteRuntime().structure(model)
