"""A graph in strips of rows gives equal codes, in the reference and in every runtime, in less memory."""

import json
import shutil
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.memory.heap import measure_heap
from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.cli.app import call
from mobile_sdk.devices import EmulatedCore
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Graph, JoinRows, Rows
from mobile_sdk.graph.reference import Reference
from mobile_sdk.memory.limit import cheapest_stretches, multiply_adds, within, work
from mobile_sdk.memory.plan import plan_memory
from mobile_sdk.memory.strips import Stretch, cuts, in_strips
from mobile_sdk.memory.usage import peak_bytes
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from mobile_sdk.report.collect import collect
from mobile_sdk.runtimes import get
from mobile_sdk.runtimes.executorch.export import write_model
from mobile_sdk.runtimes.executorch.pte_file import parse_pte
from mobile_sdk.runtimes.executorch.readback import differences
from mobile_sdk.runtimes.executorch.requested import request
from mobile_sdk.verification.verification import verify
from tests.support import bundles
from tests.support.fixtures.damage import content_of
from tests.support.graphs import Builder, contract_for, float_graph, int8_graph, pictures
from tests.support.written_here import WRITTEN_HERE


@cache
def early_blocks() -> Graph:
    """The start of a mobile net: stem, a block that halves the map, one with a shortcut, then the head."""
    build = Builder(int8=True, seed=3, size_px=24)
    x = build.conv(build.input, 8, 3, stride=2, activation="relu6")
    x = build.conv(x, 24, activation="relu6")
    x = build.conv(build.conv(x, 24, 3, stride=2, groups=24, activation="relu6"), 8)
    build.head(build.conv(build.inverted_residual(x, 24), 12))
    return build.graph()


@cache
def wide_start() -> Program:
    """A stem and a block that are wide enough to be seen on a heap."""
    build = Builder(int8=True, seed=4, size_px=96)
    x = build.conv(build.conv(build.input, 16, 3, stride=2, activation="relu6"), 64, activation="relu6")
    build.head(build.conv(build.conv(x, 64, 3, stride=2, groups=64, activation="relu6"), 16))
    return Program(
        graph=build.graph(),
        contract=contract_for(build.graph()),
        record=Record(net="wide start", quantized="calibrated"),
    )


def same_codes(whole: Graph, cut: Graph) -> bool:
    rgb = pictures(whole, 6)
    return np.array_equal(Reference(whole).run(rgb), Reference(cut).run(rgb))


@settings(max_examples=40)
@given(
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.tuples(*[st.integers(0, 4)] * 4),
    strips=st.integers(2, 5),
    depthwise=st.booleans(),
)
def test_any_convolution_gives_the_same_codes_in_strips(
    kernel: int, stride: int, dilation: int, padding: tuple[int, int, int, int], strips: int, depthwise: bool
):
    build = Builder(int8=True, seed=1)
    x = build.conv(build.input, 4, 3, activation="relu6")
    reach = dilation * (kernel - 1)
    padding = (min(padding[0], reach), min(padding[1], reach), *padding[2:])
    x = build.conv(x, 4, kernel, stride=stride, dilation=dilation, padding=padding, groups=4 if depthwise else 1)
    last = len(build.operators)
    build.head(build.conv(x, 4, 3))
    rows = x.tensor.shape[1]
    for stop in (last, last + 1):
        cut = in_strips(build.graph(), [Stretch(first=0, stop=stop, strips=min(strips, rows))] if rows > 1 else [])
        assert same_codes(build.graph(), cut)


@pytest.mark.parametrize("name", ["conv chain", "inverted residual", "concat pool", "mobile block"])
def test_operators_of_every_kind_give_the_same_codes_in_strips(name: str):
    graph = int8_graph(name)
    local = [cut for cut in cuts(graph) if cut and len(graph.operators[cut - 1].output.shape) == 3]
    tried = 0
    for stop in local:
        try:
            cut = in_strips(graph, [Stretch(first=0, stop=stop, strips=2)])
        except SettingError:
            continue  # behind a mean, or one row high
        assert same_codes(graph, cut)
        tried += 1
    assert tried


@pytest.mark.parametrize("runtime", WRITTEN_HERE)
def test_strips_are_0_steps_apart_in_every_runtime_in_one_partition(runtime: str, tmp_path: Path):
    graph = early_blocks()
    stretches = [Stretch(first=0, stop=4, strips=3), Stretch(first=4, stop=8, strips=2)]
    cut, chosen = in_strips(graph, stretches), get(runtime)
    assert {Rows, JoinRows} <= {type(operator) for operator in cut.operators}
    path = tmp_path / chosen.model_file
    interface = chosen.export(cut, contract_for(cut), path)
    structure = chosen.structure(path)
    assert structure.partitions == 1
    assert path.is_dir() or sum(structure.bytes_by_part.values()) == path.stat().st_size
    assert min(structure.bytes_by_part.values()) >= 0
    session = chosen.load(path, interface, threads=1)
    grid = graph.output.quantization
    assert grid is not None
    for picture in pictures(graph, 4):
        expected, found = Reference(graph).run(picture[None])[0], session.run(picture)
        if runtime == "coreml":
            found = np.rint(found / grid.scale) + grid.zero_point
        assert np.array_equal(expected, found)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["tflite", "executorch"])
def test_a_bundle_within_a_limit_is_0_steps_apart_on_arm(runtime: str, cortex_a76: EmulatedCore, tmp_path: Path):
    program, given = wide_start(), pictures(wide_start().graph, 8)
    bundle = lower(program, tmp_path, runtimes=[runtime], activation_limit_kib=96)[0]
    assert any("SLICE" in kind.upper() for kind in bundle.manifest.structure.operators)
    with cortex_a76.loaded(get(runtime), bundle.model_path, bundle.interface) as run:
        found = run(given)
    expected = Reference(program.graph).run(given)
    assert len(np.unique(expected)) > 20 and np.array_equal(found, expected)


def test_more_strips_than_a_runtime_joins_at_once_are_joined_in_turns(tmp_path: Path):
    graph = early_blocks()
    cut = in_strips(graph, [Stretch(first=0, stop=1, strips=12)])
    for name in ("tflite", "executorch"):
        runtime, path = get(name), tmp_path / name
        session = runtime.load(path, runtime.export(cut, contract_for(cut), path), threads=1)
        picture = pictures(graph, 1)[0]
        assert np.array_equal(session.run(picture), Reference(graph).run(picture[None])[0])


def test_wrong_rows_in_a_pte_are_named():
    graph = early_blocks()
    data = write_model(in_strips(graph, [Stretch(first=0, stop=4, strips=2)]))
    other = in_strips(graph, [Stretch(first=0, stop=4, strips=2)])
    shifted = [
        Rows(output=each.output, path=each.path, input=each.input, start=each.start + 1)
        if isinstance(each, Rows)
        else each
        for each in other.operators
    ]
    assert list(differences(request(other), parse_pte(data))) == []
    found = differences(request(Graph(input=other.input, operators=tuple(shifted))), parse_pte(data))
    assert "offsets of XNNStaticSlice" in next(found)


def test_a_limit_is_kept_with_no_more_work_than_the_best_pair_of_stretches_needs():
    graph = early_blocks()
    limit = peak_bytes(graph) * 7 // 10
    chosen = cheapest_stretches(graph, limit)
    cut = in_strips(graph, chosen)
    assert peak_bytes(within(graph, limit)) <= limit < peak_bytes(graph)
    assert same_codes(graph, within(graph, limit))
    positions = [cut for cut in cuts(graph) if cut <= 8]
    single = [
        in_strips(graph, [Stretch(first=first, stop=stop, strips=strips)])
        for first in positions
        for stop in positions
        if first < stop
        for strips in range(2, min(8, graph.operators[stop - 1].output.shape[1]) + 1)
    ]
    enough = [work(each) for each in single if peak_bytes(each) <= limit]
    assert work(cut) <= min(enough)
    assert multiply_adds(cut) >= multiply_adds(graph)


def test_a_limit_that_changes_nothing_leaves_the_graph_as_it_is():
    graph = early_blocks()
    assert within(graph, peak_bytes(graph)).digest() == graph.digest()


def test_limits_that_cannot_be_kept_are_refused_by_name():
    with pytest.raises(SettingError, match=r"within 100 bytes, found no way at net\.conv_0"):
        within(early_blocks(), 100)
    with pytest.raises(SettingError, match="expected an int8 graph"):
        within(float_graph("conv chain"), 10**6)


@pytest.mark.parametrize(
    ("stretch", "found"),
    [
        (Stretch(first=0, stop=5, strips=2), "expected cuts"),  # inside the block with the shortcut
        (Stretch(first=0, stop=10, strips=2), "rows near them"),  # the mean
        (Stretch(first=0, stop=4, strips=1), "2 strips or more"),
        (Stretch(first=0, stop=4, strips=7), "2 strips or more"),
    ],
)
def test_stretches_that_no_strips_can_be_made_of_are_refused(stretch: Stretch, found: str):
    with pytest.raises(SettingError, match=found):
        in_strips(early_blocks(), [stretch])


def test_a_bundle_within_a_limit_is_verified_against_the_same_program(tmp_path: Path):
    graph, limit_kib = early_blocks(), 4
    assert peak_bytes(graph) > 4 * 1024
    record = Record(net="early blocks", quantized="calibrated")
    program = Program(graph=graph, contract=contract_for(graph), record=record)
    bundle = lower(program, tmp_path, runtimes=["tflite"], activation_limit_kib=limit_kib)[0]
    assert bundle.manifest.activation_limit_kib == limit_kib
    assert bundle.manifest.structure.operators["SLICE"] > 1
    verdict = verify(bundle, program, bundles.pictures())
    outcomes = {check.name: check.outcome for check in verdict.checks}
    assert outcomes["steps apart"] == outcomes["model file"] == outcomes["partitions"] == "pass"
    reports = (
        collect(found, None, program=None, bundles=[bundle], layers=(), commands=()) for found in ([], [verdict])
    )
    assert [line.activation_limit_kib for report in reports for line in report.bundles] == [limit_kib, limit_kib]
    plain = lower(program, tmp_path / "plain", runtimes=["tflite"])[0]
    assert "activation_limit_kib" not in (plain.path / "bundle.json").read_text()
    assert not any("SLICE" in kind for kind in plain.manifest.structure.operators)


@pytest.mark.parametrize("limit_kib", [None, 1, 5, 4000])
def test_a_limit_that_the_model_was_not_executed_within_is_found(limit_kib: int | None, tmp_path: Path):
    graph = early_blocks()
    record = Record(net="early blocks", quantized="calibrated")
    program = Program(graph=graph, contract=contract_for(graph), record=record)
    folder = lower(program, tmp_path, runtimes=["tflite"], activation_limit_kib=4)[0].path
    content = content_of(folder)
    content.pop("activation_limit_kib")
    bundles.reseal(folder, content | ({} if limit_kib is None else {"activation_limit_kib": limit_kib}))
    verdict = verify(open_bundle(folder), program, bundles.pictures())
    assert [check.name for check in verdict.checks if check.outcome == "fail"] == ["model file"]


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("gcc") is None, reason="counts glibc's heap, needs gcc")
@pytest.mark.parametrize("runtime", ["tflite", "executorch"])
def test_xnnpacks_workspace_is_the_planned_arena_in_strips(runtime: str, tmp_path: Path):
    program, limit_kib = wide_start(), 96
    planned = {None: plan_memory(program.graph), limit_kib: plan_memory(within(program.graph, limit_kib * 1024))}
    assert planned[limit_kib].arena_bytes < planned[None].arena_bytes / 1.8
    bundle = lower(program, tmp_path, runtimes=[runtime], activation_limit_kib=limit_kib)[0]
    workspace = measure_heap(bundle).block_of(planned[limit_kib].arena_bytes)
    assert workspace - planned[limit_kib].arena_bytes <= 64


def test_export_takes_a_limit_and_refuses_one_that_cannot_be_kept(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    program = tmp_path / "program.pt2"
    wide_start().save(program)
    arguments = ["export", str(program), "--to", "tflite", "--out", str(tmp_path / "bundles")]
    assert call([*arguments, "--max-activation-kib", "96", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)[0]["activation_limit_kib"] == 96
    assert call([*arguments, "--max-activation-kib", "1"]) == 2
    assert "expected activations within 1,024 bytes" in capfd.readouterr().err
