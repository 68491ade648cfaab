"""The emulated Arm cores compute what x86 kernels and the reference compute, element for element, each in its own way.

What a core executed is read off the instructions that qemu translated: a core whose kernels did not run shows nothing.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.devices import EmulatedCore, Host, check_measures_time, devices, emulated_cores, open_device
from mobile_sdk.errors import BundleError, CompileError, DataError, MachineError, SettingError
from mobile_sdk.graph.checks.limits import check_graph
from mobile_sdk.graph.operators import Graph, Tensor
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from mobile_sdk.system.debian import apt
from mobile_sdk.verification.verification import verify
from tests.support import bundles
from tests.support.graphs import Builder, contract_for, int8_graph, pictures
from tests.support.operators.emulated_arm import convolution, on_arm
from tests.support.operators.random_cases import grid

RUNTIMES: tuple[Any, ...] = (TfliteRuntime(), ExecuTorchRuntime())
A76, A710, MAX = emulated_cores()

_EXECUTED = re.compile(r"^0x[0-9a-f]+: +([0-9a-f]{8}) +(\S+)", re.MULTILINE)
_SME2_LOAD, _SME2_MASK = 0xA040_8000, 0xFEF0_E000  # of four vectors at once; SME alone has none
PRODUCTS = {"dot products": "sdot", "matrix products": "smmla", "outer products": "smopa"}
ON_CORE = {
    "cortex-a76": {"dot products"},
    "cortex-a710": {"matrix products"},
    "max": {"outer products", "loads of four vectors", "dot products"},  # the last in convolutions larger than 1 x 1
}


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_every_core_is_exact_with_its_own_kernels(runtime: Any, arm_core: EmulatedCore, tmp_path: Path) -> None:
    graph, model, listing = with_every_family(), tmp_path / runtime.model_file, tmp_path / "instructions"
    interface = runtime.export(graph, contract_for(graph), model)
    given = pictures(graph, 8)

    reference = Reference(graph).run(given)
    assert len(np.unique(reference)) > 20, "scores that hardly vary would prove nothing"
    on_arm = scores(replace(arm_core, instructions=listing), runtime, model, interface, given)
    assert on_arm.dtype == np.int8
    assert steps_apart(on_arm, reference) == 0
    assert steps_apart(scores(Host(), runtime, model, interface, given), reference) == 0
    assert kinds_of_products(listing) == ON_CORE[arm_core.core.name]


def test_a_bundle_is_verified_on_every_core(pristine: Bundle, arm_core: EmulatedCore) -> None:
    verdict = verify(pristine, bundles.program(), bundles.pictures()[:8], device=arm_core.name, progress=False)
    outcomes = {check.name: check.outcome for check in verdict.checks}
    assert (verdict.device, verdict.status) == (arm_core.name, "pass")
    assert (outcomes["steps apart"], outcomes["golden"]) == ("pass", "pass")


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_depthwise_products_add_up_in_16_bits_because_no_weight_is_minus_128(
    runtime: Any, arm_core: EmulatedCore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arm's depthwise kernels add two products in int16 before they go to int32: 2 x 128 x 127 is the most it holds."""
    largest, wrong = depthwise(weight=-127), depthwise(weight=-128)
    lowest_codes = np.zeros((1, *largest.input.shape[1:], largest.input.shape[0]), np.uint8)
    codes = on_arm(runtime, largest, lowest_codes, arm_core, tmp_path)
    assert steps_apart(codes, Reference(largest).run(lowest_codes)) == 0

    with pytest.raises(CompileError, match=r"expected weights in \[-127, 128\) at y, found -128"):
        check_graph(wrong)
    for module in (f"runtimes.{runtime.name}.requested", "graph.reference"):
        monkeypatch.setattr(f"mobile_sdk.{module}.check_graph", lambda graph: None)
    codes = on_arm(runtime, wrong, lowest_codes, arm_core, tmp_path)
    assert (np.unique(Reference(wrong).run(lowest_codes)), np.unique(codes)) == (100, -100), "the sum wraps"


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_a_damaged_model_is_refused_on_the_emulated_core(
    runtime: Any, cortex_a76: EmulatedCore, tmp_path: Path
) -> None:
    graph, model = int8_graph("linear head"), tmp_path / runtime.model_file
    interface = runtime.export(graph, contract_for(graph), model)
    model.write_bytes(b"not a model" + model.read_bytes()[11:])
    with pytest.raises(BundleError, match=r"emulated core refuses model\."):
        scores(cortex_a76, runtime, model, interface, pictures(graph, 1))


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    graph, runtime, model = int8_graph("linear head"), TfliteRuntime(), tmp_path / "model.tflite"
    interface = runtime.export(graph, contract_for(graph), model)
    with pytest.raises(DataError, match=r"found uint8 \(1, 8, 16, 3\)"):
        scores(A76, runtime, model, interface, pictures(graph, 1)[:, :8])


def test_a_ready_core_is_available(cortex_a76: EmulatedCore) -> None:
    assert cortex_a76.unavailable() is None


def test_a_core_that_was_not_fetched_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert (A76.unavailable() or "").startswith(("it has not been fetched yet (python -m ", "this is no Debian"))


def test_a_machine_without_debian_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("mobile_sdk.system.debian.apt._KEYRING", tmp_path / "none.gpg")
    assert "no Debian machine" in (A76.unavailable() or "")
    with pytest.raises(MachineError, match="no Debian machine"):
        A76.make_ready(print)


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
    monkeypatch.setattr(apt, "_APT", tmp_path)
    assert apt._mirror() == "http://near.example/debian/"


def test_the_emulated_core_refuses_to_report_times() -> None:
    with pytest.raises(SettingError, match="exactness only") as refusal:
        check_measures_time(A76)
    assert refusal.value.exit_code == 2
    check_measures_time(Host())


def test_the_emulated_core_refuses_other_runtimes(tmp_path: Path) -> None:
    class Coreml(TfliteRuntime):
        name = "coreml"

    graph = int8_graph("linear head")
    interface = TfliteRuntime().export(graph, contract_for(graph), tmp_path / "model.tflite")
    with pytest.raises(SettingError, match="found coreml"):
        scores(A76, Coreml(), tmp_path / "model.tflite", interface, pictures(graph, 1))


@pytest.mark.parametrize("device", devices(), ids=lambda device: device.name)
def test_every_device_opens_by_its_name(device: Any) -> None:
    assert type(open_device(device.name)) is type(device)


def test_an_unknown_device_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingError, match=r"did you mean emulated:cortex-a76\?"):
        open_device("emulated:cortex-a78")


def with_every_family() -> Graph:
    """A net of convolutions of all kinds, sums, products, pooling, concatenation, shuffles, resizing and a head."""
    build = Builder(int8=True, seed=0)
    x = build.conv(build.input, 12, 3, stride=2, activation="relu6", padding=(0, 1, 0, 1))
    x = build.shuffle(build.conv(x, 24, groups=3, activation="relu6"), 3)
    half = build.conv(build.channels(x, 0, 12), 12, 5, groups=12, activation="relu6")
    x = build.hard_swish(build.conv(build.concat(half, build.channels(x, 12, 24)), 24))
    x = build.conv(build.add(x, build.conv(build.squeeze_excite(x), 24)), 24, activation="relu6")
    pooled = build.conv(build.max_pool(x, 3, 2, (1, 1, 1, 1)), 9, 3, dilation=2, activation="relu6")
    x = build.concat(x, build.resize(pooled, (8, 8)))
    build.head(build.conv(x, 32))
    return build.graph()


def depthwise(*, weight: int) -> Graph:
    """A depthwise 1 x 2 convolution whose weights are all the same."""
    x = Tensor(name="x", shape=(16, 8, 8), quantization=grid(1 / 128))
    y = Tensor(name="y", shape=(16, 8, 7), quantization=grid(1.0))
    weights = np.full((16, 1), weight, np.int8)
    factor = 100 / 2**15  # of sums: the two largest products are 100
    conv = convolution(x, y, weights, np.full(16, factor * 128), np.zeros(16), groups=16)
    return Graph(input=x, operators=(replace(conv, weight=np.full((16, 1, 1, 2), weight, np.int8)),))


def kinds_of_products(listing: Path) -> set[str]:
    """Which kinds of instructions for products are among those that were executed."""
    executed = _EXECUTED.findall(listing.read_text(encoding="utf-8", errors="replace"))
    names = {name for _, name in executed}
    found = {kind for kind, name in PRODUCTS.items() if name in names}
    if any(int(word, 16) & _SME2_MASK == _SME2_LOAD for word, _ in executed):
        found.add("loads of four vectors")
    return found


def scores(device: Any, runtime: Any, model: Path, interface: Any, given: Any) -> Any:
    """Returns the device's scores."""
    with device.loaded(runtime, model, interface) as run:
        return run(given)


def steps_apart(found: Any, expected: Any) -> int:
    """The largest difference of codes."""
    return int(np.abs(found.astype(np.int32) - expected.reshape(found.shape).astype(np.int32)).max())
