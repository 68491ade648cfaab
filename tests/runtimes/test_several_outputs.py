"""A graph with several outputs: every runtime gives all of them, as the references do, and files keep their names."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mobile_sdk.errors import BundleError
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import Head
from mobile_sdk.graph.outputs import separated
from mobile_sdk.graph.reference import Reference
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.memory.limit import within
from mobile_sdk.memory.plan import plan_memory
from mobile_sdk.memory.usage import operator_memory, tensor_bytes
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from mobile_sdk.runtimes.coreml.interpreter.interpreter import InterpreterSession
from tests.support.graph_builder import pictures
from tests.support.operators.runtimes import CORE_ML, EXECUTORCH, LITERT, RUNTIMES
from tests.support.operators.several_outputs import CONTRACT, several_outputs

SHAPES = [(1, 10), (1, 8, 8, 5), (1, 4, 4, 12)]


def found(runtime, graph, folder, images):
    interface = runtime.export(graph, CONTRACT, folder / runtime.model_file)
    load = InterpreterSession if runtime is CORE_ML else runtime.load
    session = load(folder / runtime.model_file, interface, threads=1)
    results = np.stack([session.run(image) for image in images])
    session.close()
    return interface, results


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_every_output_is_the_references_in_every_element(runtime, tmp_path):
    graph = several_outputs()
    images = pictures(graph, 4)
    interface, results = found(runtime, graph, tmp_path, images)
    expected = Reference(graph).run(images)
    assert [output.shape for output in interface.outputs] == SHAPES
    assert all(len(np.unique(output)) > 3 for output in separated(expected))
    assert np.array_equal(in_steps(results, graph), in_steps(expected, graph))
    structure = runtime.structure(tmp_path / runtime.model_file)
    assert (structure.partitions, structure.not_delegated) == (1, ())


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_the_float32_twin_gives_all_outputs_too(runtime, tmp_path):
    graph = several_outputs(int8=False)
    images = pictures(graph, 2)
    _, results = found(runtime, graph, tmp_path, images)
    for output, expected in zip(separated(results), separated(FloatReference(graph).run(images)), strict=True):
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-4)


def test_files_name_outputs_as_the_graph_does_and_core_ml_by_identifiers(tmp_path):
    graph = several_outputs()
    names = [[output.name for output in runtime.interface(graph).outputs] for runtime in (LITERT, EXECUTORCH, CORE_ML)]
    assert names == [["scores", "rgb.side", "op1"]] * 2 + [["scores", "rgb_side", "output_2_op1"]]


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_files_with_other_outputs_differ_in_words(runtime, tmp_path):
    graph = several_outputs()
    swapped = replace(graph, heads=graph.heads[::-1])
    for name, each in (("one", graph), ("other", swapped)):
        (tmp_path / name).mkdir()
        runtime.export(each, CONTRACT, tmp_path / name / runtime.model_file)
    one, other = (tmp_path / name / runtime.model_file for name in ("one", "other"))
    assert runtime.differences(one, one, graph) == []
    assert runtime.differences(other, one, graph) != []


def test_a_picture_gives_one_record_whose_bytes_are_its_outputs_one_after_another():
    graph = several_outputs()
    records = Reference(graph).run(pictures(graph, 2))
    assert records.shape == (2,)
    assert records.dtype.names == ("scores", "rgb.side", "op1")
    whole = b"".join(output[1].tobytes() for output in separated(records))
    assert records[1].tobytes() == whole
    assert len(whole) == 10 + 8 * 8 * 5 + 4 * 4 * 12


def test_the_digest_says_which_tensors_are_outputs_and_their_names():
    graph = several_outputs()
    first, *others = graph.heads
    changed = [
        graph,
        replace(graph, heads=()),
        replace(graph, heads=(*others, first)),
        replace(graph, heads=(Head(name="other", tensor=first.tensor), *others)),
    ]
    assert len({each.digest() for each in changed}) == len(changed)


def test_outputs_that_are_not_computed_or_named_twice_are_no_graph():
    graph = several_outputs()
    first, second, _ = graph.heads
    for heads in (
        (Head(name="input", tensor=graph.input),),
        (first, first),
        (first, Head(name=first.name, tensor=second.tensor)),
    ):
        with pytest.raises(ValueError, match="not computed, each once"):
            replace(graph, heads=heads)


def test_a_program_file_keeps_outputs_and_its_view_gives_them_all(tmp_path):
    graph = several_outputs()
    program = Program(graph=graph, contract=CONTRACT, record=Record(net="several", quantized="calibrated"))
    program.save(tmp_path / "program.pt2")
    loaded = Program.load(tmp_path / "program.pt2")
    assert loaded.graph.digest() == graph.digest()
    images = pictures(graph, 1)
    codes = torch.from_numpy((images.astype(np.int16) - 128).astype(np.int8).transpose(0, 3, 1, 2).copy())
    outputs = torch.export.load(tmp_path / "program.pt2").module()(codes)
    for output, expected in zip(outputs, separated(Reference(graph).run(images)), strict=True):
        values = output.numpy() if output.ndim == 2 else output.numpy().transpose(0, 2, 3, 1)
        assert np.abs(values.astype(int) - expected.astype(int)).max() <= 1  # PyTorch rounds ties of its own


def test_a_name_of_two_lines_in_a_program_file_is_refused(tmp_path):
    graph = several_outputs()
    heads = (Head(name="two\nlines", tensor=graph.heads[0].tensor),)
    record = Record(net="several", quantized="calibrated")
    Program(graph=replace(graph, heads=heads), contract=CONTRACT, record=record).save(tmp_path / "program.pt2")
    with pytest.raises(BundleError, match="names of one line"):
        Program.load(tmp_path / "program.pt2")


def test_outputs_are_alive_to_the_end_and_have_no_place_in_the_arena():
    graph = several_outputs()
    plan = plan_memory(graph)
    assert not {output.name for output in graph.outputs} & set(plan.places)
    kept = sum(map(tensor_bytes, graph.outputs))
    assert operator_memory(graph)[-1].live_bytes >= kept


def test_strips_end_before_an_output_in_the_middle_and_give_equal_codes():
    graph = several_outputs()
    most = max(row.live_bytes for row in operator_memory(graph))
    cut = within(graph, most)
    images = pictures(graph, 2)
    assert np.array_equal(in_steps(Reference(cut).run(images), graph), in_steps(Reference(graph).run(images), graph))
