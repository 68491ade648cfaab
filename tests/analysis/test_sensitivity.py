"""A layer's cost is found where it was put, is deterministic, and agrees in table, JSON and plot."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from mobile_sdk.analysis.layer_pairing import counterparts
from mobile_sdk.analysis.sensitivity import Sensitivity, layer_sensitivity
from mobile_sdk.cli.app import call
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import Conv2d, Graph
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.freezing.freezing import float_twin
from tests.support.command_line import SmallRun
from tests.support.graphs import float_graph, int8_graph
from tests.support.tiny_nets import CONTRACT, Tiny, chain, mixed_bag, picture_set, rgb


def pair(made: Tiny) -> tuple[Graph, Graph]:
    """The int8 program and its twin."""
    return quantize(made, CONTRACT, picture_set(16), CalibrationPlan.extremes()).graph, float_twin(made, CONTRACT).graph


def sabotaged(graph: Graph, path: str) -> Graph:
    """The graph with that layer's weights on a grid 64 times too coarse."""

    def coarse(layer: Conv2d) -> Conv2d:
        assert layer.weight_scales is not None
        weight = np.rint(layer.weight / 64.0).astype(np.int8)
        bias = np.rint(layer.bias / 64.0).astype(np.int32)
        return replace(layer, weight=weight, weight_scales=layer.weight_scales * np.float32(64), bias=bias)

    made = [coarse(each) if isinstance(each, Conv2d) and each.path == path else each for each in graph.operators]
    return replace(graph, operators=tuple(made))


@pytest.mark.parametrize("path", ["stem", "conv", "last"])
def test_a_layer_with_far_too_coarse_weights_is_the_worst(path: str) -> None:
    program, twin = pair(chain())
    good = layer_sensitivity(program, twin, rgb(8))
    bad = layer_sensitivity(sabotaged(program, path), twin, rgb(8))
    worst = bad.ranked[0]
    before = {layer.layer: layer for layer in good.layers}
    good_db, bad_db = before[path].weights_db, worst.weights_db
    assert worst.layer == path and worst.noise_share > 0.8
    assert good_db is not None and bad_db is not None and bad_db < good_db - 15
    for layer in bad.layers:
        if layer.layer != path:
            assert layer.alone_db == before[layer.layer].alone_db, "a layer's own cost does not depend on others"


def test_keeping_the_worst_layer_in_float_brings_back_what_it_cost() -> None:
    program, twin = pair(chain())
    good = layer_sensitivity(program, twin, rgb(8))
    worst = layer_sensitivity(sabotaged(program, "conv"), twin, rgb(8)).ranked[0]
    assert worst.kept_db is not None and good.simulated_db is not None
    assert worst.kept_db > good.simulated_db - 1


@pytest.mark.parametrize("made", [chain(), mixed_bag()], ids=["chain", "mixed bag"])
def test_the_simulation_of_all_layers_is_as_far_from_float_as_the_reference(made: Tiny) -> None:
    result = layer_sensitivity(*pair(made), rgb(16))
    assert result.program_db is not None and result.simulated_db is not None
    assert abs(result.program_db - result.simulated_db) < 1
    assert sum(layer.noise_share for layer in result.layers) == pytest.approx(1)
    assert all(layer.alone_db is None or layer.alone_db > 15 for layer in result.layers)


def test_every_layer_of_the_net_is_there_once_in_the_order_of_execution() -> None:
    result = layer_sensitivity(*pair(mixed_bag()), rgb(2))
    assert [layer.layer for layer in result.layers] == ["stem", "<root>", "wide", "gate", "deep", "head"]
    assert {layer.layer for layer in result.ranked} == {layer.layer for layer in result.layers}
    assert [layer.weights_db is not None for layer in result.layers] == [True, False, True, True, True, True]


def test_snapped_weights_lie_within_half_a_step_of_the_twins_whatever_their_multiple() -> None:
    for made in (chain(), mixed_bag()):
        found = [each for each in counterparts(*pair(made)) if each.snapped is not None]
        assert len(found) >= 4
        for each in found:
            assert each.snapped is not None
            shape = (-1, *[1] * (each.snapped.weight.ndim - 1))
            largest = np.abs(each.operator.weight).reshape(len(each.operator.weight), -1).max(axis=1)  # type: ignore[attr-defined]
            apart = np.abs(each.snapped.weight - each.operator.weight)  # type: ignore[attr-defined]
            assert (apart <= largest.reshape(shape) * (0.5001 / 127) + 1e-9).all(), each.operator.path


def test_ranks_are_the_same_every_time() -> None:
    graphs = pair(mixed_bag())
    first, again = (layer_sensitivity(*graphs, rgb(4)) for _ in range(2))
    assert asdict(first) == asdict(again)


def test_what_is_measured_is_the_distance_from_the_twins_logits() -> None:
    """One layer's figure by hand: the twin with that layer's weights alone put on the grid."""
    program, twin = pair(chain())
    snapped = next(each for each in counterparts(program, twin) if each.operator.path == "last").snapped
    operators = tuple(snapped if each.path == "last" and snapped else each for each in twin.operators)
    signal = FloatReference(twin).run(rgb(4)).astype(np.float64)
    noise = FloatReference(replace(twin, operators=operators)).run(rgb(4)) - signal
    found = next(layer for layer in layer_sensitivity(program, twin, rgb(4)).layers if layer.layer == "last")
    assert found.weights_db == pytest.approx(10 * np.log10((signal**2).sum() / (noise**2).sum()), abs=0.01)


def test_strangers_and_no_pictures_are_refused() -> None:
    program, twin = pair(chain())
    with pytest.raises(SettingError, match="expected a program and the float32 twin of the same net"):
        layer_sensitivity(program, pair(mixed_bag())[1], rgb(1))
    with pytest.raises(SettingError, match="expected a program and the float32 twin"):
        layer_sensitivity(int8_graph("linear head"), float_graph("conv chain"), rgb(1))
    with pytest.raises(SettingError, match="expected a program and the float32 twin"):
        layer_sensitivity(program, program, rgb(1))
    with pytest.raises(DataError, match="expected pictures to measure on, found none"):
        layer_sensitivity(program, twin, rgb(1)[:0])


def test_table_json_and_plot_say_the_same(small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["inspect", small.program, "--sensitivity", "--data", small.pictures, "--pictures", "4", "--plot"]
    assert call([*arguments, str(tmp_path / "layers.svg"), "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert call([*arguments, str(tmp_path / "layers.png"), "--verbose"]) == 0
    table = capfd.readouterr().out
    number = r" +(-?[\d.]+|–)"
    rows = re.findall(rf"^ *(\d+) +(\S+) +\w+(?:, \w+)*{5 * number} *$", table, re.MULTILINE)
    assert len(rows) == len(told["layers"]) > 20 and told["pictures"] == 4
    for row, layer in zip(rows, told["layers"], strict=True):
        shown = "–" if layer["alone_db"] is None else f"{layer['alone_db']:.2f}"
        assert row[:3] == (str(layer["rank"]), layer["layer"], shown)
    plot = (tmp_path / "layers.svg").read_text()
    assert told["layers"][0]["layer"] in plot and "var(--" not in plot, "it stands alone"
    assert (tmp_path / "layers.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--data", None), "expected pictures with --sensitivity, found none"),
        (("--data", "no_such_folder"), "expected a folder of pictures"),
        (("--plot", "layers.txt"), "expected a plot file *.svg or *.png, found layers.txt"),
        (("PROGRAM", "float.pt2"), "expected a program and the float32 twin of the same net"),
        (("PROGRAM", "bundles/sides.tflite"), "expected a program.pt2 with --sensitivity, found a folder"),
    ],
)
def test_mistakes_get_one_line_and_a_hint(
    change: tuple[str, str | None], said: str, small: SmallRun, capfd: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, str | None] = {"PROGRAM": "program.pt2", "--data": small.pictures, "--plot": None}
    settings |= dict([change])
    program = str(small.folder / str(settings.pop("PROGRAM")))
    options = [word for option, value in settings.items() if value is not None for word in (option, value)]
    assert call(["inspect", program, "--sensitivity", *options]) in (2, 3)
    error, hint = capfd.readouterr().err.splitlines()[-2:]
    assert error.startswith(f"error: {said}") and hint.startswith("hint: ")


def test_a_program_without_its_twin_is_refused(
    small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "program.pt2"
    alone.write_bytes(Path(small.program).read_bytes())
    assert call(["inspect", str(alone), "--sensitivity", "--data", small.pictures]) == 2
    assert "expected the float32 twin float.pt2 beside" in capfd.readouterr().err


def test_a_result_is_frozen() -> None:
    result = layer_sensitivity(*pair(chain()), rgb(1))
    assert isinstance(result, Sensitivity)
    with pytest.raises(AttributeError):
        result.pictures = 2  # type: ignore[misc]
