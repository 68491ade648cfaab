"""Transformers' blocks from the user's net to phones: float32 islands in int8, near to a bound, in one partition."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import Linear, MatMul, Normalize, Softmax
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.requirement import usual_requirement
from mobile_sdk.verification.verification import verify
from qat.calibration.calibration import quantize
from qat.freezing.freezing import float_twin
from qat.preparation.preparation import prepare
from tests.support.bundles import forge, nothing
from tests.support.nets.transformers import NETS, transformer
from tests.support.operators.runtimes import CORE_ML, RUNTIMES, computed
from tests.support.tiny_nets import CONTRACT, SIZE_PX, picture_set, rgb, tensors

IN_FLOAT = (Softmax, Normalize)


@cache
def program_of(name: str) -> Program:
    return quantize(transformer(name), CONTRACT, picture_set(12, SIZE_PX, seed=1), progress=False)


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("name", NETS)
def test_a_block_s_scores_are_within_a_step_in_one_partition(name: str, runtime: Any, tmp_path: Path) -> None:
    graph, pictures = program_of(name).graph, rgb(8, SIZE_PX, seed=2)
    expected = Reference(graph).run(pictures).astype(np.int64)
    found = computed(runtime, graph, pictures, tmp_path)
    if runtime is CORE_ML:
        grid = arithmetic.quantization_of(graph.output)
        found = np.rint(found / np.float32(grid.scale)) + grid.zero_point
    steps = np.abs(found - expected)
    assert len(np.unique(expected)) > 10 and steps.max() <= 1 and (steps > 0).mean() <= 0.05
    structure = runtime.structure(tmp_path / runtime.model_file)
    assert (structure.partitions, structure.not_delegated) == (1, ())


@pytest.mark.parametrize("name", NETS)
def test_only_softmax_and_norms_are_float32(name: str) -> None:
    operators = program_of(name).graph.operators
    in_float = [each for each in operators if each.output.quantization is None]
    assert any(isinstance(each, IN_FLOAT) for each in in_float)
    assert not any(isinstance(each, Linear | MatMul) for each in in_float)


@pytest.mark.parametrize("name", NETS)
def test_the_program_comes_near_the_float_net(name: str) -> None:
    pictures = rgb(8, SIZE_PX, seed=2)
    graph = program_of(name).graph
    grid = arithmetic.quantization_of(graph.output)
    found = (Reference(graph).run(pictures).astype(np.float64) - grid.zero_point) * grid.scale
    wanted = FloatReference(float_twin(transformer(name), CONTRACT).graph).run(pictures)
    assert 10 * np.log10((wanted**2).sum() / ((found - wanted) ** 2).sum()) > 15


@pytest.mark.parametrize("name", NETS)
def test_a_training_step_reaches_every_parameter(name: str) -> None:
    net = prepare(transformer(name), CONTRACT).train()
    net(tensors(4)).square().sum().backward()
    missing = [path for path, each in net.named_parameters() if each.grad is None or not each.grad.isfinite().all()]
    assert not missing
    assert torch.stack([each.grad.abs().sum() for each in net.parameters() if each.grad is not None]).sum() > 0


@pytest.mark.parametrize("kind", [Linear, Normalize])
def test_verify_passes_an_island_and_finds_the_least_bit_of_a_changed_weight(kind: Any, tmp_path: Path) -> None:
    program = program_of("attention by a function")
    requirement = usual_requirement(program.graph)
    assert not requirement.exact and requirement.min_sqnr_db == 30 and "block.before" in requirement.why
    pictures = [(Image.fromarray(each), 0) for each in rgb(8, SIZE_PX, seed=3)]
    (bundle,) = lower(program, tmp_path, runtimes=["tflite"], pictures=pictures)
    assert "fail" not in {check.outcome for check in verify(bundle, program, pictures).checks}
    operator = next(each for each in program.graph.operators if isinstance(each, kind))
    data = (operator.weight if isinstance(operator, Linear) else operator.gain).tobytes()
    model = bytearray((bundle.path / "model.tflite").read_bytes())
    model[bytes(model).index(data)] ^= 1
    forge(bundle.path, nothing, model__tflite=bytes(model))
    found = verify(open_bundle(bundle.path), program, pictures)
    assert "fail" in {check.outcome for check in found.checks}
