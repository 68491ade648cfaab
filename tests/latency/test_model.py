"""The latency model: work counted from graphs, costs fitted to latencies, errors cross-validated."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.cli.app import call
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.latency.choice import choose_models, scaling_error_share
from mobile_sdk.latency.cross_validation import mean_error_share, unseen_family_errors, unseen_net_errors
from mobile_sdk.latency.extrapolation import extrapolate, scaled_errors
from mobile_sdk.latency.fit import Sample, fit_models
from mobile_sdk.latency.model import LatencyModel, LatencyModels, Setup
from mobile_sdk.latency.processors import processors
from mobile_sdk.latency.published import PublishedNet, published_models, published_rows, published_samples
from mobile_sdk.latency.work import AMOUNTS, Work, count_work
from mobile_sdk.program.program import Program
from mobile_sdk.system.seal import split_seal
from tests.support.command_line import SmallRun
from tests.support.graphs import Builder, int8_graph

PHONE = Setup(device="phone", runtime="tflite", precision="int8")
COSTS = {
    "pointwise_macs": 0.06,
    "spatial_macs": 0.1,
    "depthwise_macs": 0.5,
    "large_depthwise_macs": 0.7,
    "weights": 0.2,
    "moved_elements": 0.2,
    "summed_elements": 1.5,
    "scaled_elements": 0.8,
    "gated_elements": 1.2,
    "averaged_elements": 0.6,
    "grouped_macs": 0.15,
    "pooled_elements": 0.3,
    "padded_pixels": 60.0,
    "moved_pixels": 40.0,
    "runs": 9000.0,
    "joined_elements": 0.4,
    "sliced_elements": 0.5,
    "shuffled_elements": 6.0,
    "resized_elements": 2.0,
    "row_elements": 0.3,
    "converted_elements": 0.7,
    "decoded_elements": 4.0,
    "operators": 5000.0,
}


def samples(works: list[Work], setup: Setup = PHONE, *, speed: float = 1.0, noise: float = 0.0) -> list[Sample]:
    """Returns the measurements of a phone with `COSTS`."""
    random = np.random.default_rng(0)
    model = LatencyModel(setup=setup, costs_ns=COSTS, rows=0)
    return [
        Sample(
            setup=setup,
            net=f"net {index}",
            family=f"family {index % 3}",
            work=work,
            latency_ms=model.predict_ms(work) / speed * (1 + noise * random.normal()),
        )
        for index, work in enumerate(works)
    ]


def various_works(count: int) -> list[Work]:
    random = np.random.default_rng(1)
    typical = {"pointwise_macs": 50e6, "spatial_macs": 10e6, "weights": 1e6, "moved_elements": 2e6}
    typical |= {"operators": 60, "runs": 1, "moved_pixels": 10e3, "padded_pixels": 10e3}
    typical |= dict.fromkeys(("depthwise_macs", "large_depthwise_macs", "grouped_macs"), 5e6)
    return [
        Work(**{name: typical.get(name, 0.5e6) * float(random.lognormal(0, 1)) for name in AMOUNTS})
        for _ in range(count)
    ]


def test_work_is_counted_by_kind_of_operator() -> None:
    build = Builder(int8=True, seed=0)
    x = build.conv(build.input, 8, 3, stride=2)  # 16 px become 8
    x = build.conv(x, 8, 3, groups=8)
    x = build.add(x, build.conv(x, 8))
    build.head(x)
    work = count_work(build.graph())
    assert work.spatial_macs == 8 * 27 * 64
    assert work.pointwise_macs == 8 * 8 * 64
    assert work.depthwise_macs == 8 * 9 * 64
    assert work.weights == 8 * 27 + 8 * 9 + 8 * 8 + 8 * 10
    assert work.summed_elements == work.averaged_elements == 8 * 64
    assert work.moved_elements == 3 * 256 + 8 * 64 + 4 * 8 * 64
    assert work.operators == 6  # the reshape costs nothing


def test_a_convolution_on_one_pixel_is_a_linear_layer() -> None:
    build = Builder(int8=True, seed=0)
    x = build.mean(build.conv(build.input, 8))
    before = count_work(build.graph())
    build.conv(x, 4)
    added = count_work(build.graph())
    assert added.weights - before.weights == 32 and added.pointwise_macs == before.pointwise_macs


@given(st.integers(1, 3))
@settings(max_examples=3)
def test_work_adds_up_over_operators(cut: int) -> None:
    graph = int8_graph("mobile block")
    parts = (replace(graph, operators=graph.operators[:cut]), replace(graph, operators=graph.operators[cut:]))
    assert count_work(parts[0]) + count_work(parts[1]) == count_work(graph)


def test_the_fit_predicts_a_phone_that_is_as_the_model_says() -> None:
    works = various_works(80)
    model = fit_models(samples(works[:60]))[PHONE]
    truth = LatencyModel(setup=PHONE, costs_ns=COSTS, rows=0)
    errors = [abs(model.predict_ms(work) / truth.predict_ms(work) - 1) for work in works[60:]]
    assert max(errors) < 0.03
    assert all(cost >= 0 for cost in model.costs_ns.values())


def test_few_latencies_of_a_phone_are_helped_by_many_of_another() -> None:
    other = PHONE.model_copy(update={"device": "other"})
    works = various_works(40)
    few = samples(works[:2], speed=2)
    alone, helped = fit_models(few)[PHONE], fit_models([*few, *samples(works[2:], other)])[PHONE]
    truth = LatencyModel(setup=PHONE, costs_ns={name: cost / 2 for name, cost in COSTS.items()}, rows=0)

    def error(model: LatencyModel) -> float:
        return float(np.mean([abs(model.predict_ms(work) / truth.predict_ms(work) - 1) for work in works]))

    assert error(helped) < 0.05 < error(alone)


def test_left_out_nets_and_families_are_unseen() -> None:
    measured = samples(various_works(30))
    odd = replace(measured[0], latency_ms=measured[0].latency_ms * 100)  # what fitting to it would hide
    for errors in (unseen_net_errors([odd, *measured[1:]]), unseen_family_errors([odd, *measured[1:]])):
        assert errors[odd] == pytest.approx(-0.99, abs=0.002)
        assert len(errors) == 30


def test_what_cannot_be_left_out_has_no_error() -> None:
    (only,) = samples(various_works(1))
    assert unseen_net_errors([only]) == {}
    assert mean_error_share({}, lambda setup: True) is None


def test_published_latencies_name_their_sources_and_reasons() -> None:
    rows = published_rows()
    assert len(rows) > 100 and all(len(row.source) > 20 for row in rows)
    fitted = [(row.setup, row.net) for row in rows if not row.left_out]
    assert len(fitted) == len(set(fitted)) == len(published_samples())


def test_published_work_is_that_of_the_nets() -> None:
    from qat.freezing.shapes_only import untrained_graph
    from qat.nets import build_net

    net = PublishedNet(name="mobilenet_v3_small", width=1.0, hidden=1280, size_px=224)
    contract = Contract(name="net", labels=tuple(map(str, range(1000))), image=ImageSpec(size_px=net.size_px))
    built = build_net(net.name, contract, width=net.width, hidden=net.hidden)
    for precision in ("int8", "float32"):
        counted = count_work(untrained_graph(built, contract, is_int8=precision == "int8"))
        written = {
            each.work for each in published_samples() if (each.net, each.setup.precision) == (net.title, precision)
        }
        assert written == {counted}


def test_every_phone_has_models_with_their_errors() -> None:
    by_device = {model.setup.device for model in published_models()}
    assert by_device == {"pixel-1", "pixel-2", "pixel-3", "pixel-3a", "pixel-4", "pixel-6", "galaxy-s23"}
    for model in published_models():
        has_errors = model.unseen_net_share is not None and model.unseen_family_share is not None
        assert has_errors == (model.rows > 1)


@pytest.mark.parametrize("device", ["pixel-1", "pixel-2", "pixel-3"])
def test_predictions_keep_their_bounds_on_published_rows(device: str) -> None:
    for errors, bound in (
        (unseen_net_errors(published_samples()), 0.06),
        (unseen_family_errors(published_samples()), 0.12),
    ):
        share = mean_error_share(errors, lambda setup: setup.device == device and setup.runtime.startswith("tflite"))
        assert share is not None and share <= bound


def test_a_faster_processor_is_predicted_to_be_faster() -> None:
    (base,) = (m for m in choose_models("pixel-3", "int8", runtime="tflite-2019") if m.setup.threads == 1)
    newer = extrapolate(base, processors()["pixel-7"])
    work = published_samples()[0].work
    assert newer.predict_ms(work) < base.predict_ms(work) / 2
    assert newer.scaled_from == "pixel-3" and newer.unseen_net_share is None and newer.rows == 0


def test_a_device_scaled_to_itself_is_itself() -> None:
    (base,) = (m for m in choose_models("pixel-3", "int8", runtime="tflite-2019") if m.setup.threads == 1)
    assert extrapolate(base, processors()["pixel-3"]).costs_ns == pytest.approx(base.costs_ns)


def test_scaled_models_are_held_against_the_phones_that_have_latencies() -> None:
    errors = scaled_errors(published_samples())
    assert {sample.setup.device for sample in errors} == {"pixel-1", "pixel-2", "pixel-3a", "pixel-4", "galaxy-s23"}
    for precision in ("int8", "float32"):
        share = scaling_error_share(precision)
        assert share is not None and 0.05 < share < 0.3


def test_a_device_without_latencies_is_refused_unless_extrapolated() -> None:
    with pytest.raises(SettingError, match=r"published int8 latencies \(pixel-1, .*found pixel-7"):
        choose_models("pixel-7", "int8")
    (model,) = choose_models("pixel-7", "int8", may_extrapolate=True)
    assert model.setup.device == "pixel-7" and model.scaled_from == "pixel-6", "the latest core of its kind"
    (model,) = choose_models("pixel-7", "float32", may_extrapolate=True)
    assert model.scaled_from == "pixel-4", "the latest core of its kind with latencies in float32"
    (model,) = choose_models("raspberry-pi-4-b", "int8", may_extrapolate=True)
    assert model.scaled_from == "pixel-3", "a core without dot products"


@pytest.mark.parametrize(
    ("device", "runtime", "message"),
    [("pixel-77", None, "found 'pixel-77'"), ("pixel-1", "tflite-2077", "found tflite-2077")],
)
def test_unknown_names_are_refused(device: str, runtime: str | None, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        choose_models(device, "int8", runtime=runtime)


def test_a_file_of_models_comes_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "phone.json"
    written = LatencyModels(models=(LatencyModel(setup=PHONE, costs_ns=COSTS, rows=3),), versions={"runtime": "1"})
    written.save(file)
    assert LatencyModels.load(file) == written
    assert choose_models(str(file), "int8") == list(written.models)
    with pytest.raises(SettingError, match="float32 latencies"):
        choose_models(str(file), "float32")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "phone.json"
    file.write_text('{"schema_number": 1, "models": []}', encoding="utf-8")
    with pytest.raises(DataError, match="latency models"):
        choose_models(str(file), "int8")


@pytest.mark.parametrize("cost", [None, "much", -1.0, 1e300, []])
def test_a_file_whose_costs_are_none_is_refused_in_one_line(cost: object, tmp_path: Path) -> None:
    file = tmp_path / "phone.json"
    LatencyModels(models=(LatencyModel(setup=PHONE, costs_ns=COSTS, rows=3),)).save(file)
    content = json.loads(split_seal(file.read_bytes())[0])
    costs = content["models"][0]["costs_ns"]
    name = next(iter(costs))
    del costs[name]
    if cost is not None:
        costs[name] = cost
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match=r"latency models in phone.json, found models"):
        choose_models(str(file), "int8")


def test_costs_of_work_that_the_net_has_not_predict_nothing() -> None:
    graph = int8_graph("linear head")
    costs = {name: float(not amount) for name, amount in zip(AMOUNTS, count_work(graph).amounts(), strict=True)}
    model = LatencyModel(setup=PHONE, costs_ns=costs, rows=3)
    with pytest.raises(DataError, match="expected a latency above 0"):
        model.estimate(graph)


def test_the_command_prints_estimates_and_refuses_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    net = ("predict", "mobilenet_v1", "--width", "0.25", "--size", "128")
    assert call([*net, "--device", "pixel-2", "--runtime", "tflite-2018", "--json"]) == 0
    (estimate,) = json.loads(capfd.readouterr().out)["estimates"]
    assert estimate["latency_ms"] == pytest.approx(3.7, rel=0.1)  # published
    assert 0 < estimate["error_share"] < estimate["other_family_error_share"] < 0.2
    assert call([*net, "--device", "pixel-8"]) == 2
    said = capfd.readouterr()
    assert said.out == "" and "--extrapolate" in said.err
    assert call([*net, "--device", "pixel-8", "--extrapolate"]) == 0
    assert "unverified, scaled from pixel-6" in capfd.readouterr().out
    assert call([*net, "--device", "pixel-6"]) == 0
    assert "9 published" in capfd.readouterr().out


def test_a_report_sets_predictions_beside_what_was_measured(
    small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, measured, page = tmp_path / "phone.json", tmp_path / "bench.json", tmp_path / "page.html"
    model = LatencyModel(setup=PHONE, costs_ns=COSTS, rows=49, unseen_operator_share=0.05)
    LatencyModels(models=(model,)).save(file)
    assert call(["bench", small.bundle("tflite"), small.bundle("executorch"), "--quick", "--out", str(measured)]) == 0
    words = ["report", "--bench", str(measured), "--predict", str(file), "--out", str(page)]
    assert call(words) == 2 and "expected --program and --bench beside --predict" in capfd.readouterr().err
    assert call([*words, "--program", small.program]) == 0
    (line,) = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["predicted"]
    assert (line["bundle"], line["device"], line["runtime"]) == ("sides.tflite", "phone", "tflite")
    assert line["predicted_ms"] == pytest.approx(model.predict_graph_ms(Program.load(small.program).graph))
    assert line["low_ms"] < line["predicted_ms"] < line["high_ms"]
    assert "49 operators, 5.0 % off unseen ones" in page.read_text(encoding="utf-8")
    assert call([*words, "--program", small.program, "--predict", "pixel-2"]) == 0
