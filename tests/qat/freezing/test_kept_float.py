"""Layers kept in float32 inside an int8 program: they hold float weights, join without a partition more, stay exact."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from mobile_sdk import runtimes
from mobile_sdk.analysis.sensitivity import layer_sensitivity
from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.cli.app import call
from mobile_sdk.comparison import compare, sqnr_db
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.arithmetic import EXACT_IN_FLOAT32
from mobile_sdk.graph.checks.exactness import order_dependent_paths
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import Conv2d, Graph, Linear, Quantization
from mobile_sdk.graph.reference import Reference
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.program.program import Program
from mobile_sdk.verification.verification import verify
from qat.calibration.calibration import calibrate, quantize
from qat.freezing.freezing import float_twin, freeze
from qat.freezing.wide_weights import wide_weights
from qat.layers.integer_rounding import inverted_scale, is_inverted
from qat.preparation.preparation import prepare
from tests.support.command_line import SmallRun
from tests.support.tiny_nets import CONTRACT, LABELS, Tiny, body, chain, mixed_bag, net, picture_set, rgb

CALIBRATION = picture_set(16)
CASES = [
    (chain, ("stem",)),
    (chain, ("conv",)),
    (chain, ("head",)),
    (chain, ("conv", "last")),
    (chain, ("stem", "conv", "last", "head")),
    (mixed_bag, ("<root>",)),
    (mixed_bag, ("gate", "deep")),
    (mixed_bag, ("wide", "head")),
]


def mixed(made: Tiny, *keep: str) -> Program:
    return quantize(made, CONTRACT, CALIBRATION, keep_float=keep)


def wide_net() -> Tiny:
    """A layer of so many inputs that no exact weights are finer than int8's."""
    return net(
        lambda self, x: self.head(F.relu(self.body(F.relu6(self.stem(x)))).mean((2, 3))),
        stem=nn.Conv2d(3, 512, 1),
        body=nn.Conv2d(512, 8, 3),
        head=nn.Linear(8, len(LABELS)),
    )


def sqnr(program: Program, made: Tiny) -> float:
    wanted = FloatReference(float_twin(made, CONTRACT).graph).run(rgb(16)).astype(np.float64)
    grid = program.graph.output.quantization
    found = in_steps(Reference(program.graph).run(rgb(16)), program.graph) * (grid.scale if grid else 1)
    decibels = sqnr_db(found - wanted, wanted)
    assert decibels is not None
    return decibels


@pytest.mark.parametrize("runtime", runtimes.names())
@pytest.mark.parametrize(("make", "keep"), CASES, ids=lambda case: "+".join(case) if isinstance(case, tuple) else "")
def test_every_runtime_takes_a_mixed_program_in_one_partition_and_gives_the_references_scores(
    make, keep: tuple[str, ...], runtime: str, tmp_path: Path
) -> None:
    graph, chosen = mixed(make(), *keep).graph, runtimes.get(runtime)
    model = tmp_path / chosen.model_file
    interface = chosen.export(graph, CONTRACT, model)
    structure = chosen.structure(model)
    assert structure.partitions == 1 and not structure.not_delegated
    session = chosen.load(model, interface, threads=1)
    found = in_steps(np.stack([session.run(picture) for picture in rgb(8)]), graph)
    distance = compare(found, in_steps(Reference(graph).run(rgb(8)), graph))
    if order_dependent_paths(graph):
        assert distance.reaches_db(40)
    else:
        assert distance.is_exact


@pytest.mark.parametrize(("make", "keep"), CASES, ids=lambda case: "+".join(case) if isinstance(case, tuple) else "")
def test_kept_layers_and_no_others_hold_float_weights(make, keep: tuple[str, ...]) -> None:
    graph = mixed(make(), *keep).graph
    assert graph.precision == "mixed"
    for operator in graph.operators:
        if isinstance(operator, Conv2d | Linear) and operator.path != "<root>":
            assert (operator.weight.dtype == np.float32) == (operator.path in keep), operator.path
            assert (operator.weight_scales is None) == (operator.path in keep)


@pytest.mark.parametrize(("make", "keep"), CASES, ids=lambda case: "+".join(case) if isinstance(case, tuple) else "")
def test_a_mixed_program_survives_saving(make, keep: tuple[str, ...], tmp_path: Path) -> None:
    program = mixed(make(), *keep)
    program.save(tmp_path / "program.pt2")
    assert Program.load(tmp_path / "program.pt2").digest() == program.digest()
    assert "operators.0.form" not in (tmp_path / "program.pt2").read_bytes().decode("latin-1")


def test_float_weights_are_the_nets_own_within_a_fiftieth_of_an_int8_step() -> None:
    """On codes: the input's scale is in them."""
    made = chain()
    graph = mixed(made, "stem").graph
    layer = next(each for each in graph.operators if isinstance(each, Conv2d))
    own, grid = made.stem.weight.detach().numpy(), graph.input.quantization
    assert layer.path == "stem" and grid is not None
    steps = np.abs(own).reshape(len(own), -1).max(axis=1) / 127
    assert (np.abs(layer.weight / grid.scale - own).reshape(len(own), -1).max(axis=1) < steps / 50).all()


def test_keeping_layers_brings_the_program_nearer_to_float() -> None:
    made = mixed_bag()
    assert sqnr(mixed(made, "stem", "<root>", "wide", "deep", "head"), made) > sqnr(mixed(made), made) + 1


def test_neighbours_without_exact_sums_pass_float_between_them() -> None:
    kinds = [type(each).__name__ for each in mixed(wide_net(), "body", "<root>").graph.operators]
    assert kinds == ["Conv2d", "Dequantize", "Conv2d", "Mean", "Quantize", "Linear"]


def test_neighbours_with_exact_sums_pass_codes_between_them_so_that_they_stay_exact() -> None:
    kinds = [type(each).__name__ for each in mixed(chain(), "conv", "last").graph.operators]
    exact = ["Dequantize", "Mul", "Conv2d", "Quantize"]
    assert kinds == ["Conv2d", *exact, *exact, "Mean", "Linear"]


def test_a_kept_classifier_gives_float32_scores_that_are_exact_too(tmp_path: Path) -> None:
    program = mixed(chain(), "head")
    assert program.graph.output.quantization is None and runtimes.get("tflite").requirement(program.graph).exact
    (bundle,) = lower(program, tmp_path, runtimes=["tflite"])
    assert bundle.interface.output.dtype == "float32" and bundle.manifest.precision == "mixed"


def test_nothing_kept_gives_the_program_as_ever() -> None:
    made = chain()
    assert mixed(made).digest() == quantize(made, CONTRACT, CALIBRATION).digest()
    prepared = prepare(made, CONTRACT, keep_float=("conv",))
    calibrate(prepared, CALIBRATION)
    assert [freeze(prepared, CONTRACT, all_int8=all_int8).graph.is_int8 for all_int8 in (True, False)] == [True, False]


@pytest.mark.parametrize(
    ("name", "hint"), [("cnov", "did you mean conv?"), ("qqqq", "prints the names"), ("", "prints the names")]
)
def test_an_unknown_layer_is_refused_with_the_one_that_was_meant(name: str, hint: str) -> None:
    with pytest.raises(SettingError, match="expected the name of a layer to keep in float") as refused:
        mixed(chain(), name)
    assert hint in refused.value.hint


def test_all_layers_kept_is_no_int8_program() -> None:
    with pytest.raises(SettingError, match="expected a layer that is left in int8"):
        mixed(chain(), "stem", "<root>", "conv", "last", "head")


def test_a_modules_name_keeps_every_layer_in_it() -> None:
    made = body(lambda self, x: self.block(x), block=nn.Sequential(nn.Conv2d(6, 8, 1), nn.ReLU(), nn.Conv2d(8, 6, 1)))
    kept = {each.path for each in mixed(made, "block").graph.operators if each.output.quantization is None}
    assert kept == {"block.0", "block.2"}


def test_training_leaves_kept_weights_unrounded() -> None:
    made = chain()
    prepared = prepare(made, CONTRACT, keep_float=("conv",))
    layers = {path: prepared.captured.get_submodule(f"layers.{path}") for path in ("stem", "conv", "last")}
    assert [layers[path].quantizing for path in layers] == [True, False, True]
    calibrate(prepared, CALIBRATION)
    assert [layers[path].quantizing for path in layers] == [True, False, True]


@pytest.mark.parametrize("runtime", runtimes.names())
def test_verification_is_exact_and_catches_a_flipped_float_weight(runtime: str, tmp_path: Path) -> None:
    program = mixed(chain(), "conv")
    (bundle,) = lower(program, tmp_path / "good", runtimes=[runtime])
    verdict = verify(bundle, program, CALIBRATION)
    assert verdict.status == "pass" and verdict.precision == "mixed"
    steps = next(check for check in verdict.checks if check.name == "steps apart")
    assert (steps.outcome, steps.measured) == ("pass", 0)
    other = replace(program, graph=flipped(program.graph, "conv"))
    (wrong,) = lower(other, tmp_path / "wrong", runtimes=[runtime])
    found = {check.name: check.outcome for check in verify(wrong, program, CALIBRATION).checks}
    assert found["model file"] == "fail" and found["program"] == "fail" and found["steps apart"] == "fail"


def test_a_float_layer_that_the_program_does_not_keep_fails_verification(tmp_path: Path) -> None:
    (bundle,) = lower(mixed(chain(), "conv", "last"), tmp_path, runtimes=["tflite"])
    checks = verify(bundle, mixed(chain(), "conv"), CALIBRATION).checks
    assert {"int8 weights", "float convolutions"} <= {check.name for check in checks if check.outcome == "fail"}


def test_what_depends_on_the_order_of_sums_is_held_to_a_measured_bound_that_says_so(tmp_path: Path) -> None:
    program = mixed(wide_net(), "body")
    assert order_dependent_paths(program.graph) == ["body"]
    requirement = runtimes.get("tflite").requirement(program.graph)
    assert not requirement.exact and requirement.min_sqnr_db == 25 and "body is float32" in requirement.why
    (bundle,) = lower(program, tmp_path, runtimes=["tflite"])
    assert open_bundle(bundle.path).manifest.golden.tolerance == requirement.golden_steps
    verdict = verify(bundle, program, CALIBRATION)
    assert verdict.status == "pass"
    assert "depend on their order" in next(check for check in verdict.checks if check.name == "sqnr").found


@pytest.mark.parametrize("change", ["a wider weight", "a finer bias", "a weight off the grid"])
def test_sums_that_are_not_exact_are_found(change: str) -> None:
    graph = mixed(chain(), "conv").graph
    layer = next(each for each in graph.operators if isinstance(each, Conv2d) and each.path == "conv")
    weight, bias = layer.weight.copy(), layer.bias.copy()
    assert order_dependent_paths(graph) == []
    if change == "a wider weight":
        weight[0, 0] = 2.0**20
    elif change == "a finer bias":
        bias[0] = np.nextafter(np.float32(1), np.float32(2))
        weight[0] = np.rint(weight[0] * 2**10) / 2**10 + np.float32(2**10)
    else:
        weight[0, 0] = np.float32(1 / 3)
    operators = tuple(replace(layer, weight=weight, bias=bias) if each is layer else each for each in graph.operators)
    assert order_dependent_paths(replace(graph, operators=operators)) == ["conv"]


@given(
    st.integers(1, 64),
    st.integers(-128, 127),
    st.floats(1e-4, 1e2),
    st.floats(1e-6, 1e3),
    st.integers(0, 2**32 - 1),
)
def test_wide_weights_never_let_a_sum_pass_what_float32_holds(
    inputs: int, zero_point: int, scale: float, size: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    weight = random.normal(0, size, (3, inputs))
    bias = random.normal(0, size * random.choice([0, 1, 1e3]), 3)
    grid = Quantization(scale=float(np.float32(scale)), zero_point=zero_point)
    wide = wide_weights(weight, bias, grid)
    if wide is None:
        assert inputs > 16 or np.abs(bias).max() > 100 * np.abs(weight).max()
        return
    furthest = max(127 - zero_point, zero_point + 128)
    for filters, offset, real in zip(wide.weight.astype(np.float64), wide.bias, weight, strict=True):
        numbers = np.append(filters, offset)
        unit = min(2.0 ** (np.frexp(each)[1] - 24) * lowest_bit(each) for each in numbers if each)
        assert np.abs(filters).sum() * furthest + abs(offset) < EXACT_IN_FLOAT32 * unit
        assert np.abs(filters - real * grid.scale).max() <= max(unit, np.abs(real).max() * grid.scale / 127)


def lowest_bit(value: float) -> int:
    """The lowest set bit of a float32's 24."""
    whole = int(np.ldexp(np.frexp(value)[0], 24))
    return whole & -whole


@given(st.floats(1e-6, 1e4))
def test_a_scale_a_little_larger_brings_every_code_back(scale: float) -> None:
    found = inverted_scale(scale)
    assert is_inverted(found) and scale <= found <= scale * (1 + 2.0**-10)
    assert float(np.float32(found)) == found


def test_a_mixed_programs_own_sensitivity_leaves_kept_layers_out() -> None:
    made = chain()
    result = layer_sensitivity(mixed(made, "conv").graph, float_twin(made, CONTRACT).graph, rgb(8))
    by_name = {layer.layer: layer for layer in result.layers}
    assert by_name["conv"].weights_db is None and by_name["last"].weights_db is not None
    assert result.program_db is not None and result.simulated_db is not None
    assert abs(result.program_db - result.simulated_db) < 1


def test_quantize_keeps_layers_and_says_what_that_changed(
    small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    base = ["quantize", "--weights", f"{small.folder}/net.safetensors", "--data", small.pictures, "--epochs", "0"]
    base += ["--calibration", "extremes"]
    arguments = [*base, "--out", str(tmp_path), "--keep-float", "features.0.0,classifier.3"]
    assert call([*arguments, "--json"]) == 0
    said = json.loads(capfd.readouterr().out)["settings"]["keep_float"]
    assert said["layers"] == ["features.0.0", "classifier.3"]
    whole, kept = said["change"]
    sizes = ["tflite MiB", "tflite partitions", "executorch MiB", "executorch partitions"]
    assert list(whole) == list(kept) == ["program", "SQNR dB", *sizes], "the program's digest holds this order"
    assert whole["program"] == "all int8" and whole["tflite partitions"] == kept["tflite partitions"] == 1
    assert kept["tflite MiB"] > whole["tflite MiB"] and kept["executorch MiB"] > whole["executorch MiB"]
    assert call(["inspect", str(tmp_path / "program.pt2")]) == 0
    shown = capfd.readouterr().out
    assert "kept in float32: features.0.0, classifier.3" in shown
    assert re.search(rf"kept in float +{kept['SQNR dB']}", shown)
    assert call([*base, "--out", str(tmp_path), "--keep-float", "clasifier.3"]) == 2
    assert "hint: did you mean classifier.3?" in capfd.readouterr().err


def test_graphs_say_what_they_are() -> None:
    made = chain()
    whole, twin = mixed(made).graph, float_twin(made, CONTRACT).graph
    assert [each.precision for each in (whole, mixed(made, "conv").graph, twin)] == ["int8", "mixed", "float32"]
    assert whole.is_int8 and not twin.is_int8


def flipped(graph: Graph, path: str) -> Graph:
    """The graph with the sign of one float weight of that layer turned."""

    def turned(layer: Conv2d) -> Conv2d:
        weight = layer.weight.copy()
        weight[0, 0] *= -1
        return replace(layer, weight=weight)

    operators = (turned(each) if isinstance(each, Conv2d) and each.path == path else each for each in graph.operators)
    return replace(graph, operators=tuple(operators))
