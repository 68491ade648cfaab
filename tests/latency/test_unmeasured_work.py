"""A prediction knows what it rests on: every operator has its kind of work, and unmeasured kinds are said and widen."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.latency_model.int8_predictions import pairs, predictions, published
from mobile_sdk.cli.app import call
from mobile_sdk.errors import DataError
from mobile_sdk.graph.builder import GraphBuilder
from mobile_sdk.graph.operators import OPERATORS, Graph, Operator, Tensor
from mobile_sdk.graph.operators.traits import Traits, WorkKind
from mobile_sdk.latency import work as work_module
from mobile_sdk.latency.cross_validation import unseen_family_errors, unseen_kind_factors
from mobile_sdk.latency.fit import Sample, fit_models
from mobile_sdk.latency.model import UNMEASURED_FACTOR, LatencyModel, LatencyModels, Setup
from mobile_sdk.latency.operator_graphs import operator_graphs
from mobile_sdk.latency.published import published_models, published_samples
from mobile_sdk.latency.work import AMOUNTS, WORDS, Work, count_work, work_of
from tests.support.graphs import int8_graph
from tests.support.operators.made_up_operator import TRAITS, Softmax

HOST = Setup(device="host", runtime="tflite", precision="int8")
COSTS = dict.fromkeys(AMOUNTS, 1.0)
MODEL = LatencyModel(setup=HOST, costs_ns=COSTS, rows=1, spread_share=0.1)


@pytest.mark.parametrize("kind", OPERATORS)
def test_every_class_of_operators_has_a_kind_of_work(kind: type[Operator]) -> None:
    assert kind.traits.work in WorkKind, f"give {kind.__name__} a kind of work, and calibrate it"


def test_every_kind_of_work_is_counted() -> None:
    assert set(work_module._COUNTS) == set(WorkKind)


def test_an_operator_without_a_kind_of_work_is_refused_and_never_priced_as_another() -> None:
    with pytest.raises(TypeError, match="work"):
        Traits(**{name: value for name, value in TRAITS.items() if name != "work"})
    with pytest.raises(TypeError, match="Table is an operator without traits"):

        class Table(Softmax):
            pass


def test_every_amount_has_a_name_that_people_read() -> None:
    assert tuple(WORDS) == AMOUNTS and len(set(WORDS.values())) == len(AMOUNTS)


DRAWN: dict[str, Callable[[GraphBuilder, Tensor], Tensor]] = {
    "grouped": lambda build, x: build.conv(x, 32, groups=4),
    "depthwise": lambda build, x: build.conv(x, 32, 3, groups=16),
    "pool": lambda build, x: build.max_pool(x, 3, stride=2),
    "pool in place": lambda build, x: build.max_pool(x, 3),
    "concat": lambda build, x: build.concat([x, x]),
    "slice": lambda build, x: build.channels(x, 0, 4),
    "shuffle": lambda build, x: build.shuffle(x, 4),
    "resize": lambda build, x: build.resize(x, 32),
    "rows": lambda build, x: build.rows(x, 2, 4),
    "boxes": lambda build, x: build.boxes([build.conv(x, 8), build.conv(x, 6)], 3),
}


def drawn(name: str) -> Operator:
    """The operator on a map of 16 channels and 8 × 8 pixels."""
    build = GraphBuilder(8)
    DRAWN[name](build, build.conv(build.input, 16))
    return build.operators[-1]


@pytest.mark.parametrize(
    ("name", "kind", "amount"),
    [
        ("grouped", "grouped_macs", 32 * 4 * 64),
        ("depthwise", "depthwise_macs", 32 * 9 * 64),
        ("pool", "pooled_elements", 16 * 64),
        ("pool", "padded_pixels", 64),
        ("pool in place", "padded_pixels", 0),
        ("pool", "moved_pixels", 3 * 16),
        ("shuffle", "moved_pixels", 4 * 64),
        ("concat", "joined_elements", 32 * 64),
        ("slice", "sliced_elements", 4 * 64),
        ("shuffle", "shuffled_elements", 16 * 64),
        ("resize", "resized_elements", 16 * 32 * 32),
        ("rows", "row_elements", 16 * 16),
        ("boxes", "decoded_elements", 128 * 7),
    ],
)
def test_what_rearranges_has_work_of_its_own(name: str, kind: str, amount: int) -> None:
    work = work_of(drawn(name))
    assert getattr(work, kind) == amount and work.scaled_elements == 0


def test_groups_fill_their_own_tiles() -> None:
    assert work_of(drawn("grouped"), 32).grouped_macs == 4 * 32 * 8 * 64  # of 8 channels from 4: as 32 from 8


def test_the_picture_is_converted_once_whoever_reads_it() -> None:
    graph = int8_graph("mobile block")
    assert count_work(graph).converted_elements == 3 * graph.input.shape[1] ** 2


def test_calibration_has_every_kind_of_work() -> None:
    works = [count_work(graph) for _, graph in operator_graphs()]
    assert all(any(getattr(work, name) for work in works) for name in AMOUNTS)


def test_kinds_that_no_latency_speaks_of_are_known_and_those_it_does_too() -> None:
    samples = [
        Sample(setup=HOST, net=str(n), family="f", latency_ms=float(n), work=Work(pointwise_macs=n * 1e6, operators=n))
        for n in (1, 2, 3)
    ]
    model = fit_models(samples)[HOST]
    assert model.measured == ("pointwise_macs", "operators")
    assert model.costs_ns["shuffled_elements"] > 0, "priced by what was known before"


def shuffling() -> Graph:
    build = GraphBuilder(8)
    build.linear(build.mean(build.shuffle(build.conv(build.input, 64), 4)), 10)
    return build.graph()


def test_what_was_not_measured_is_said_and_widens_the_interval() -> None:
    seen = MODEL.estimate(shuffling())
    assert seen.unmeasured == {} and seen.not_measured == ""
    assert seen.low_ms == pytest.approx(seen.latency_ms / 1.1) and seen.high_ms == pytest.approx(seen.latency_ms / 0.9)
    blind = MODEL.model_copy(update={"measured": tuple(name for name in AMOUNTS if name != "shuffled_elements")})
    found = blind.estimate(shuffling())
    share = 64 * 64 * 1e-6 / found.latency_ms
    assert found.latency_ms == seen.latency_ms == pytest.approx(blind.predict_graph_ms(shuffling()))
    assert found.unmeasured == {"shuffled_elements": pytest.approx(share)}
    assert found.not_measured == f"channel shuffle {100 * share:.0f} %"
    guessed_ms = share * found.latency_ms
    assert found.low_ms == pytest.approx((found.latency_ms - guessed_ms) / 1.1 + guessed_ms / UNMEASURED_FACTOR)
    assert found.high_ms == pytest.approx((found.latency_ms - guessed_ms) / 0.9 + guessed_ms * UNMEASURED_FACTOR)


def test_no_published_net_has_what_mobilenets_lack() -> None:
    lacking = {"grouped_macs", "pooled_elements", "joined_elements", "sliced_elements", "shuffled_elements"}
    lacking |= {"resized_elements", "row_elements", "decoded_elements", "padded_pixels", "moved_pixels"}
    for model in published_models():
        assert not lacking & set(model.measured)
        assert {"pointwise_macs", "depthwise_macs", "operators"} <= set(model.measured)


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_the_interval_holds_nine_of_ten_latencies_of_families_that_were_left_out(precision: str) -> None:
    spread = {model.spread_share for model in published_models() if model.setup.precision == precision}
    (share,) = spread
    errors = unseen_family_errors(published_samples())
    inside = [abs(error) <= share for sample, error in errors.items() if sample.setup.precision == precision]
    assert 0.88 <= sum(inside) / len(inside) <= 0.97


def test_a_kind_that_is_left_out_comes_back_at_what_is_known_of_it() -> None:
    truth = LatencyModel(setup=HOST, costs_ns={**COSTS, "shuffled_elements": 60.0, "operators": 3000.0}, rows=0)
    samples = [
        Sample(setup=HOST, net=name, family=name, work=count_work(graph), latency_ms=truth.predict_graph_ms(graph))
        for name, graph in operator_graphs()
    ]
    factors = unseen_kind_factors(samples)
    assert "pointwise_macs" not in factors and factors["shuffled_elements"] < 1


def test_predict_names_what_the_phones_never_ran(capfd: pytest.CaptureFixture[str]) -> None:
    net = ["predict", "shufflenet_v2", "--size", "64", "--width", "0.5"]
    assert call([*net, "--device", "pixel-1"]) == 0
    assert "not measured, and the interval is wider for it: channel shuffle " in capfd.readouterr().out
    assert call([*net, "--device", "pixel-1", "--json"]) == 0
    (estimate,) = json.loads(capfd.readouterr().out)["estimates"]
    assert estimate["low_ms"] < estimate["latency_ms"] < estimate["high_ms"]
    assert {"channel shuffle", "concatenation", "slice", "pooling"} <= estimate["unmeasured"].keys()
    assert call(["predict", "mobilenet_v2", "--size", "64", "--width", "0.35", "--device", "pixel-1"]) == 0
    assert "shuffle" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ({name: 1.0 for name in AMOUNTS if name != "shuffled_elements"}, "no cost of channel shuffle: an older"),
        ({**COSTS, "looked_up_elements": 1.0}, "kinds of work that are not known here: looked_up_elements"),
        (dict.fromkeys(AMOUNTS, 0.0), "no cost above 0"),
    ],
)
def test_a_calibration_of_other_kinds_of_work_is_refused_in_one_line(
    costs: dict[str, float], said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "old.json"
    content = json.loads(LatencyModels(models=(MODEL,)).model_dump_json())
    content["models"][0]["costs_ns"] = costs
    file.write_text(json.dumps(content), encoding="utf-8")
    assert (
        call(["predict", "mobilenet_v1", "--size", "32", "--width", "0.25", "--device", str(file)])
        == DataError.exit_code
    )
    error = capfd.readouterr().err
    assert said in error and "hint: calibrate the device again" in error and "Traceback" not in error


def test_calls_and_runs_cost_no_more_in_int8_than_in_float32() -> None:
    """The net has sixty operators."""
    for models in pairs():
        int8, float32 = (60 * model.costs_ns["operators"] + model.costs_ns["runs"] for model in models)
        assert int8 < 1.2 * float32


@pytest.mark.parametrize(("name", "width", "size_px"), [("mobilenet_v3_small", 0.25, 64), ("mobilenet_v2", 0.25, 96)])
def test_int8_is_predicted_faster_but_where_published_latencies_say_otherwise(
    name: str, width: float, size_px: int
) -> None:
    slower = {row["phone"] for row in published() if row["int8 / float32"] > 0.95}
    assert slower == {"pixel-1 tflite-2019, 1"}  # MobileNetV2 0.35: 16.7 and 16.6 ms
    for row in predictions(name, width, size_px):
        assert row["int8 / float32"] < (1.05 if row["phone"] in slower else 1), row


def four_bit_graph(bits: int) -> Graph:
    build = GraphBuilder(8)
    x = build.conv(build.conv(build.input, 16, 3), 32, bits=bits)
    build.linear(build.mean(x), 10, bits=bits)
    return build.graph()


def test_weights_of_four_bits_are_half_as_many_bytes_and_as_many_products() -> None:
    four, eight = count_work(four_bit_graph(4)), count_work(four_bit_graph(8))
    assert eight.weights - four.weights == (16 * 32 + 32 * 10) / 2
    assert (four.pointwise_macs, four.spatial_macs) == (eight.pointwise_macs, eight.spatial_macs)


def test_a_calibration_of_8_bit_kernels_promises_no_i8mm_to_4_bit_ones() -> None:
    costs = {**dict.fromkeys(AMOUNTS, 0.0), "pointwise_macs": 1.0, "spatial_macs": 1.0}
    published = MODEL.model_copy(update={"costs_ns": costs})
    calibrated = published.model_copy(update={"unseen_operator_share": 0.05})
    products, others = 16 * 32 * 64, 3 * 9 * 16 * 64
    for model, slower in ((published, 0), (calibrated, products)):
        four, eight = (model.estimate(four_bit_graph(bits)) for bits in (4, 8))
        assert four.latency_ms == eight.latency_ms == pytest.approx((products + others) / 1e6)
        assert four.four_bit_share == pytest.approx(products / (products + others))
        assert eight.four_bit_share == 0
        assert four.low_ms == eight.low_ms
        assert four.high_ms == pytest.approx(eight.high_ms + slower / 1e6 / (1 - model.spread_share))
