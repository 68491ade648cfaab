"""Users' own runs of whole nets: `bench` writes their work, `predict --measured` refits and says what that gave."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk.benchmarking.benchmark import write_numbers
from mobile_sdk.benchmarking.measurements import Measurement, Numbers, Plan, read_numbers
from mobile_sdk.cli.app import call
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.latency.fit import Sample
from mobile_sdk.latency.measured import check_device, measured_samples, refit, with_work
from mobile_sdk.latency.model import LatencyModel, LatencyModels, Setup
from mobile_sdk.latency.published import published_models, published_samples
from mobile_sdk.latency.work import AMOUNTS, Work, count_work
from mobile_sdk.program.program import Program
from mobile_sdk.system.environment import describe_environment
from tests.support.command_line import SmallRun

NETS = list({each.net: each.work for each in published_samples() if each.setup.precision == "int8"}.values())
(PIXEL_6,) = (model for model in published_models() if model.setup.device == "pixel-6")
SKEWED = PIXEL_6.model_copy(
    update={"costs_ns": PIXEL_6.costs_ns | {"depthwise_macs": 4 * PIXEL_6.costs_ns["depthwise_macs"]}}
)


def timed(works: Sequence[Work], model: LatencyModel = SKEWED, *, device: str = "host") -> Numbers:
    """The numbers of a device that is as `model` says."""
    return Numbers(
        device=device,
        environment=describe_environment(),
        load_average_before=None,
        load_average_after=None,
        plan=Plan(),
        measurements=tuple(
            measurement(
                f"net {index}", model.predict_ms(work), dict(zip(AMOUNTS, work.amounts().tolist(), strict=True))
            )
            for index, work in enumerate(works)
        ),
        comparisons=(),
    )


def measurement(name: str, ms: float, work: Mapping[str, float] | None) -> Measurement:
    content: dict[str, Any] = {"load_ms": 1, "first_run_ms": 1, "warm_up_ms": [], "rewarm_ms": [], "peak_mib": None}
    content |= {"seconds": 1, "rounds_ms": [[ms, ms, ms]] * 12}
    described = {"bundle": f"{name}.tflite", "name": name, "runtime": "tflite", "precision": "int8", "model_bytes": 1}
    nothing = dict.fromkeys(("summary", "advice", "not_run"))
    return Measurement.model_validate({**described, **nothing, "samples": content, "work": work})


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Numbers], Path]:
    def write(numbers: Numbers, name: str = "bench.json") -> Path:
        write_numbers(numbers, tmp_path / name)
        return tmp_path / name

    return write


def test_what_was_measured_comes_back_as_samples(written: Callable[..., Path]) -> None:
    samples = measured_samples([written(timed(NETS[:3])), written(timed(NETS[2:5]), "more.json")], "int8")
    assert [sample.work for sample in samples] == [*NETS[:3], *NETS[2:5]]
    assert len({sample.net for sample in samples}) == 5, "equal work is one net"
    assert {sample.setup for sample in samples} == {Setup(device="host", runtime="tflite", precision="int8")}
    assert samples[0].latency_ms == pytest.approx(SKEWED.predict_ms(NETS[0]))


def test_a_refit_learns_what_the_published_prices_have_wrong() -> None:
    seen, unseen = NETS[::2], NETS[1::2]
    (found,) = refit(of_host(seen))
    assert found.nets == found.model.rows == len(seen) and found.model.is_contributed
    assert found.before == "pixel-6 at this device's speed"
    assert found.model.unseen_net_share is not None and found.before_share is not None
    assert found.model.unseen_net_share < found.before_share / 2
    errors = [abs(found.model.predict_ms(work) / SKEWED.predict_ms(work) - 1) for work in unseen]
    assert float(np.mean(errors)) < 0.05
    assert "before (by the prices of pixel-6" in found.line and "not made it better" not in found.line


def test_speed_alone_is_no_error_before() -> None:
    """A device whose prices are the phone's own at another speed is predicted before, once a net gives its speed."""
    twice = {name: 2 * cost for name, cost in PIXEL_6.costs_ns.items()}
    (found,) = refit(of_host(NETS[:6], PIXEL_6.model_copy(update={"costs_ns": twice})))
    assert found.before_share == pytest.approx(0, abs=1e-9)
    assert "has not made it better" in found.line


def test_a_known_phones_runs_join_its_published_latencies() -> None:
    (found,) = refit(of_host(NETS[:4], PIXEL_6, device="pixel-6"))
    assert found.model.setup.runtime == "xnnpack-tflite" and found.before == "pixel-6"
    assert found.before_share == pytest.approx(0, abs=1e-9), "they are what was predicted"
    alone = refit(of_host(NETS[:4], PIXEL_6))[0].model

    def error(model: LatencyModel) -> float:
        return float(np.mean([abs(model.predict_ms(work) / PIXEL_6.predict_ms(work) - 1) for work in NETS[4:]]))

    assert error(found.model) < 0.05 and error(found.model) < error(alone)


def test_a_phone_without_latencies_is_compared_with_one_scaled_to_it() -> None:
    (found,) = refit(of_host(NETS[:3], PIXEL_6, device="pixel-7"))
    assert found.before == "pixel-7" and found.before_share is not None and 0 < found.before_share < 0.1


def test_one_net_cannot_be_left_out() -> None:
    (found,) = refit(of_host([NETS[0], NETS[0]]))
    assert found.nets == 1 and found.model.rows == 2
    assert found.model.unseen_net_share is None and found.before_share is None
    assert found.line == "host, tflite, 1 thread: one measured net, so none can be left out: the error is unknown"


def test_few_nets_have_no_spread_of_their_own() -> None:
    assert refit(of_host(NETS[:4]))[0].model.spread_share == 0.5
    assert refit(of_host(NETS[:12]))[0].model.spread_share < 0.2


def test_a_file_of_a_refit_comes_back_and_others_stay_as_they_were(tmp_path: Path) -> None:
    (found,) = refit(of_host(NETS[:3]))
    LatencyModels(models=(found.model,)).save(tmp_path / "own.json")
    assert LatencyModels.load(tmp_path / "own.json").models == (found.model,)
    assert "is_contributed" not in PIXEL_6.model_dump_json()
    assert found.model.may_have_i8mm and found.model.rests_on.startswith("3 measured, ")


def test_numbers_without_work_are_written_as_before(written: Callable[..., Path]) -> None:
    numbers = timed(NETS[:1])
    without = numbers.model_copy(update={"measurements": (measurement("net 0", 1.0, None),)})
    assert '"work"' not in written(without).read_text(encoding="utf-8")
    assert read_numbers(written(numbers)) == numbers


def test_files_that_teach_nothing_are_refused_in_one_line(written: Callable[..., Path]) -> None:
    whole = timed(NETS[:2])
    without = whole.model_copy(update={"measurements": (measurement("flowers", 1.0, None),)})
    with pytest.raises(
        DataError, match=r"work of every net in .*, found none of flowers.tflite .*beside their program"
    ):
        measured_samples([written(without)], "int8")
    with pytest.raises(DataError, match="expected float32 nets with their times"):
        measured_samples([written(whole)], "float32")
    other = measurement("other", 1.0, dict.fromkeys((*AMOUNTS, "looked_up_elements"), 1.0))
    file = written(whole.model_copy(update={"measurements": (other,)}))
    with pytest.raises(DataError, match="other ones: looked_up_elements"):
        measured_samples([file], "int8")
    with pytest.raises(SettingError, match=r"known device beside --measured .*found 'pixel-66' \(did you mean pixel-6"):
        check_device("pixel-66")


@pytest.mark.parametrize("amount", [-1.0, 1e300, "much", None])
def test_work_that_is_none_is_refused(amount: object, written: Callable[..., Path]) -> None:
    content = json.loads(written(timed(NETS[:1])).read_text(encoding="utf-8"))
    content.pop("file_sha256", None)
    content["measurements"][0]["work"]["operators"] = amount
    with pytest.raises(ValueError, match="operators"):
        Numbers.model_validate_json(json.dumps({key: content[key] for key in Numbers.model_fields if key in content}))


def test_bench_writes_the_work_and_predict_learns_from_it(
    small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    assert call(["bench", small.bundle("tflite"), "--quick", "--out", str(out)]) == 0
    (measured,) = read_numbers(out).measurements
    graph = Program.load(small.program).graph
    assert measured.work == dict(zip(AMOUNTS, count_work(graph).amounts().tolist(), strict=True))
    capfd.readouterr()
    words = ["predict", small.program, "--measured", str(out)]
    assert call(words) == 0
    said = capfd.readouterr().out
    assert "one measured net" in said and "1 measured" in said
    assert call([*words, "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["refitted"][0]["nets"] == 1 and told["refitted"][0]["error_share"] is None
    assert told["estimates"][0]["device"] == "host"
    assert call([*words, "--extrapolate"]) == 2 and "--extrapolate" in capfd.readouterr().err


def test_a_program_elsewhere_is_found_only_if_it_is_named(small: SmallRun, tmp_path: Path) -> None:
    from mobile_sdk.bundle.bundle import open_bundle

    bundle = replace(open_bundle(small.bundle("tflite")), path=tmp_path / "far" / "away" / "sides.tflite")
    numbers = timed(NETS[:1])
    assert with_work(numbers, [bundle]).measurements[0].work is None
    assert with_work(numbers, [bundle], [Path(small.program)]).measurements[0].work is not None


def of_host(works: Sequence[Work], model: LatencyModel = SKEWED, *, device: str = "host") -> list[Sample]:
    runtime = "tflite" if device == "host" else "xnnpack-tflite"
    setup = Setup(device=device, runtime=runtime, precision="int8")
    return [
        Sample(setup=setup, net=str(work), family=str(work), work=work, latency_ms=model.predict_ms(work))
        for work in works
    ]
