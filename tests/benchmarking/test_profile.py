"""Layers are timed by the runtimes' own profilers, and each kernel is given the layers that it computes."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobile_sdk.benchmarking.measurements import read_numbers
from mobile_sdk.benchmarking.profiling.kernels import operators_of
from mobile_sdk.benchmarking.profiling.profile import Expectation, Profile, profile
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.cli.app import call
from mobile_sdk.cli.deployment.bench import _expectation
from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.graph.operators import Add, Conv2d, Graph, Linear, Mul
from mobile_sdk.graph.operators.traits import WorkKind
from mobile_sdk.latency.published import published_models
from tests.support import bundles

RUNTIMES = ("tflite", "executorch")


@pytest.fixture(scope="module", params=RUNTIMES)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundles.lowered(tmp_path_factory.mktemp("profiled"), request.param)


@pytest.fixture(scope="module")
def profiled(bundle: Bundle) -> Profile:
    expectation = Expectation(by="somebody", us=lambda operators: 7.0 * len(operators))
    return profile(bundle, bundles.program(), runs=20, expected=expectation, progress=False)


def test_every_layer_is_in_one_kernel_or_in_several_that_follow_each_other(profiled: Profile) -> None:
    graph = bundles.program().graph
    weighted = [operator.path for operator in graph.operators if isinstance(operator, Conv2d | Linear)]
    found = [kernel.layers for kernel in profiled.kernels if set(kernel.operators) & {"Conv2d", "Linear"}]
    assert [layers[0] for layers in found] == weighted
    paths = [path for kernel in profiled.kernels for path in kernel.layers]
    order = [operator.path for operator in graph.operators]
    firsts = [order.index(path) for path, _ in itertools.groupby(paths)]
    assert firsts == sorted(firsts)


def test_kernels_have_times_within_the_run_and_what_was_expected_of_them(profiled: Profile) -> None:
    assert profiled.runs == 20 and len(profiled.kernels) > 20
    assert 0 < profiled.kernels_us <= profiled.run_us and profiled.rest_us == profiled.run_us - profiled.kernels_us
    assert profiled.expected_by == "somebody"
    for kernel in profiled.kernels:
        assert kernel.expected_us == (7.0 * len(kernel.operators) if kernel.operators else None)
    assert profiled.slowest(3)[0].us == max(kernel.us for kernel in profiled.kernels)


def test_a_profile_of_another_program_or_runtime_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"expected the program that test.* was exported from, found another"):
        profile(bundle, bundles.program(int8=False), progress=False)
    apple = bundles.lowered(tmp_path, "coreml")
    with pytest.raises(SettingError, match="expected a bundle of executorch or tflite to profile, found coreml"):
        profile(apple, bundles.program(), progress=False)


@given(st.data())
def test_kernels_that_are_left_out_or_added_do_not_move_the_others(data: st.DataObject) -> None:
    graph = bundles.program().graph
    kernels = [_kernel_of(graph, index) for index in range(len(graph.operators))]
    whole = operators_of(kernels, graph)
    assert all(operator in computed for operator, computed in zip(graph.operators, whole, strict=True))
    place = data.draw(st.integers(0, len(kernels)))
    more = [*kernels[:place], "Argument Maximum (ND)", *kernels[place:]]
    found = operators_of(more, graph)
    assert found[place] == () and found[:place] + found[place + 1 :] == whole


def _kernel_of(graph: Graph, index: int) -> str:
    operator = graph.operators[index]
    if isinstance(operator, Conv2d):
        return "Convolution (NHWC, QC8) IGEMM"
    if isinstance(operator, Linear):
        return "Fully Connected (NC, QS8, QC8W) GEMM"
    names = {WorkKind.SUM: "Add (ND)", WorkKind.PRODUCT: "Multiply (ND)", WorkKind.MEAN: "Mean (ND)"}
    names[WorkKind.NONE] = "Static Reshape (NC)"
    return names.get(operator.traits.work, "Invalid Unary Op")


def test_a_curve_of_two_operators_is_one_table() -> None:
    graph = bundles.program().graph
    convolution, gate, product = graph.operators[:3]
    curve = replace(graph, operators=graph.operators[:3], pairs=(), heads=())
    kernels = ["Convolution (NHWC, QC8) IGEMM #1", "Invalid Unary Op #1"]
    assert isinstance(gate, Add) and isinstance(product, Mul)
    assert operators_of(kernels, curve) == [(convolution,), (gate, product)]


def test_the_command_keeps_the_times_where_a_profiler_fails(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*words: object, **settings: object) -> None:
        raise MachineError("no profiler today", hint="try again")

    bundles.program().save(tmp_path / "program.pt2")
    out = tmp_path / "bench.json"
    words = ["bench", str(bundle.path), "--quick", "--layers", str(tmp_path / "program.pt2"), "--out", str(out)]
    assert call(words) == 0
    assert [each.bundle for each in read_numbers(out).profiles] == [bundle.path.name]
    monkeypatch.setattr("mobile_sdk.benchmarking.profiling.profile.profile", fails)
    assert call(words) == 7
    numbers = read_numbers(out)
    assert numbers.measurements[0].summary is not None and numbers.profiles == ()


def test_what_is_expected_is_that_of_the_bundles_own_runtime(bundle: Bundle) -> None:
    models = published_models()
    told = _expectation(bundle, bundles.program(), "pixel-4")
    assert told is not None and told.by == "pixel-4, tflite-2019"  # the one that is published
    runtime = bundle.manifest.runtime
    first = next(each for each in models if each.setup.precision == "int8")
    of_both = [
        first.model_copy(update={"setup": first.setup.model_copy(update={"device": "mine", "runtime": name})})
        for name in RUNTIMES
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mobile_sdk.latency.choice.choose_models", lambda device, precision: of_both)
        own = _expectation(bundle, bundles.program(), "mine")
    assert own is not None and own.by == f"mine, {runtime}"
