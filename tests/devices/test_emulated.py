"""The emulated Cortex-A76: Arm kernels compute what x86 kernels and the reference compute, element for element."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk.devices import CortexA76, Host, check_measures_time, devices, open_device
from mobile_sdk.devices.runner import debian
from mobile_sdk.errors import BundleError, DataError, MachineError, SettingError
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from tests.support.graphs import contract_for, int8_graph, pictures

RUNTIMES: tuple[Any, ...] = (TfliteRuntime(), ExecuTorchRuntime())


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("name", ["uneven padding", "inverted residual", "squeeze excite", "mobile block"])
def test_arm_x86_and_reference_are_0_steps_apart(
    name: str, runtime: Any, cortex_a76: CortexA76, tmp_path: Path
) -> None:
    graph, model = int8_graph(name), tmp_path / runtime.model_file
    interface = runtime.export(graph, contract_for(graph), model)
    given = pictures(graph, 8)

    reference = Reference(graph).run(given)
    assert len(np.unique(reference)) > 20, "scores that hardly vary would prove nothing"
    on_arm = scores(cortex_a76, runtime, model, interface, given)
    assert on_arm.dtype == np.int8
    assert steps_apart(on_arm, reference) == 0
    assert steps_apart(scores(Host(), runtime, model, interface, given), reference) == 0


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_a_damaged_model_is_refused_on_the_emulated_core(runtime: Any, cortex_a76: CortexA76, tmp_path: Path) -> None:
    graph, model = int8_graph("linear head"), tmp_path / runtime.model_file
    interface = runtime.export(graph, contract_for(graph), model)
    model.write_bytes(b"not a model" + model.read_bytes()[11:])
    with pytest.raises(BundleError, match=r"emulated core refuses model\."):
        scores(cortex_a76, runtime, model, interface, pictures(graph, 1))


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    graph, runtime, model = int8_graph("linear head"), TfliteRuntime(), tmp_path / "model.tflite"
    interface = runtime.export(graph, contract_for(graph), model)
    with pytest.raises(DataError, match=r"found uint8 \(1, 8, 16, 3\)"):
        scores(CortexA76(), runtime, model, interface, pictures(graph, 1)[:, :8])


def test_a_ready_core_is_available(cortex_a76: CortexA76) -> None:
    assert cortex_a76.unavailable() is None


def test_a_core_that_was_not_fetched_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert (CortexA76().unavailable() or "").startswith(
        ("it has not been fetched yet (python -m ", "this is no Debian")
    )


def test_a_machine_without_debian_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("mobile_sdk.devices.runner.debian._KEYRING", tmp_path / "none.gpg")
    assert "no Debian machine" in (CortexA76().unavailable() or "")
    with pytest.raises(MachineError, match="no Debian machine"):
        CortexA76().make_ready(print)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            "sources.list",
            "# deb http://old.example/debian x main\ndeb [arch=amd64] http://near.example/debian/ x\n",
        ),
        (
            "sources.list.d/debian.sources",
            "Types: deb\n# http://old.example/debian\nURIs: http://near.example/debian/\n",
        ),
    ],
)
def test_the_mirror_is_the_one_that_apt_uses(
    file: str, text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "a.list").write_text("deb http://near.example/debian-security x main\n")
    (tmp_path / file).write_text(text)
    monkeypatch.setattr(debian, "_APT", tmp_path)
    assert debian._mirror() == "http://near.example/debian/"


def test_the_emulated_core_refuses_to_report_times() -> None:
    with pytest.raises(SettingError, match="exactness only") as refusal:
        check_measures_time(CortexA76())
    assert refusal.value.exit_code == 2
    check_measures_time(Host())


def test_the_emulated_core_refuses_other_runtimes(tmp_path: Path) -> None:
    class Coreml(TfliteRuntime):
        name = "coreml"

    graph = int8_graph("linear head")
    interface = TfliteRuntime().export(graph, contract_for(graph), tmp_path / "model.tflite")
    with pytest.raises(SettingError, match="found coreml"):
        scores(CortexA76(), Coreml(), tmp_path / "model.tflite", interface, pictures(graph, 1))


@pytest.mark.parametrize("device", devices(), ids=lambda device: device.name)
def test_every_device_opens_by_its_name(device: Any) -> None:
    assert type(open_device(device.name)) is type(device)


def test_an_unknown_device_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingError, match=r"did you mean emulated:cortex-a76\?"):
        open_device("emulated:cortex-a78")


def scores(device: Any, runtime: Any, model: Path, interface: Any, given: Any) -> Any:
    """Returns the device's scores."""
    with device.loaded(runtime, model, interface) as run:
        return run(given)


def steps_apart(found: Any, expected: Any) -> int:
    """The largest difference of codes."""
    return int(np.abs(found.astype(np.int32) - expected.reshape(found.shape).astype(np.int32)).max())
