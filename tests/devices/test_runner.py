"""The runner on this host: what it computes, what it refuses, and how it answers."""

import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.devices.runner.build import Runners, make_runners
from mobile_sdk.devices.runner.staging import LISTING, stage, written_inputs
from mobile_sdk.errors import SettingError
from mobile_sdk.preprocess import to_bytes
from mobile_sdk.program.expected_scores import expected_scores
from tests.support import bundles, child_process

RUNTIMES = ("tflite", "executorch")
REFUSED, CANNOT_RUN = 6, 7


@pytest.fixture(scope="module")
def own() -> Runners:
    """The runners for this machine."""
    return make_runners(platform.machine(), print)


@pytest.fixture(scope="module", params=RUNTIMES)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of each runtime."""
    return bundles.lowered(tmp_path_factory.mktemp("bundle"), request.param)


@pytest.fixture
def staged(bundle: Bundle, tmp_path: Path) -> Path:
    """Returns the folder that a device would be sent, without the runner."""
    stage(tmp_path, [bundle.model_path], bundle.golden_tensors())
    return tmp_path


def run(own: Runners, bundle: Bundle, *words: str, asked: str = "") -> tuple[int, list[dict[str, Any]]]:
    """The runner's exit code and its answers."""
    program = own.program(bundle.manifest.runtime)
    done = child_process.run([program, *words], given=asked)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("int8", [True, False], ids=["int8", "float32"])
def test_it_computes_what_the_program_says(runtime: str, int8: bool, own: Runners, tmp_path: Path) -> None:
    bundle, folder = bundles.lowered(tmp_path / "bundles", runtime, int8=int8), tmp_path / "staged"
    folder.mkdir()
    stage(folder, [bundle.model_path])
    program = bundles.program(int8=int8)
    pixels = np.stack([to_bytes(picture, program.contract.image) for picture, _ in bundles.pictures()])
    (tmp_path / "pictures").write_bytes(written_inputs(bundle.interface, pixels))
    words = ["score", str(folder), "1", str(tmp_path / "pictures"), str(tmp_path / "scores")]
    code, answers = run(own, bundle, *words)
    assert (code, len(answers[0]["times_ms"])) == (0, len(pixels))
    scores = np.fromfile(tmp_path / "scores", bundle.interface.output.dtype).reshape(len(pixels), -1)
    expected = expected_scores(program, pixels).reshape(scores.shape)
    assert np.array_equal(scores, expected) if int8 else np.allclose(scores, expected, atol=1e-3)


def test_it_answers_each_request_with_as_many_times(own: Runners, bundle: Bundle, staged: Path) -> None:
    code, (ready, *turns) = run(own, bundle, "time", str(staged), "1", "0", asked='{"runs": 3}\n{"runs": 20}\n')
    assert code == 0
    assert ready["load_ms"] > 0 and ready["first_run_ms"] > 0 and len(ready["warm_up_ms"]) >= 10 and ready["cores"]
    assert [len(turn["times_ms"]) for turn in turns] == [3, 20]
    assert all(turn["rewarm_ms"] > 0 and turn["peak_mib"] > 0 for turn in turns)


@pytest.mark.parametrize("where", ["model", "golden/0.input.bin", "golden/2.output.bin"])
def test_other_bytes_than_were_sent_are_refused(where: str, own: Runners, bundle: Bundle, staged: Path) -> None:
    name = bundle.manifest.model if where == "model" else where
    data = bytearray((staged / name).read_bytes())
    data[-1] ^= 1
    (staged / name).write_bytes(data)
    code, answers = run(own, bundle, "time", str(staged), "1", "0", asked='{"runs": 3}\n')
    assert code == CANNOT_RUN
    assert answers[0]["message"] == f"expected {name} as it was sent, found other bytes"


def test_golden_pictures_with_other_scores_stop_it_before_it_times(
    own: Runners, bundle: Bundle, tmp_path: Path
) -> None:
    goldens = bundle.golden_tensors()
    scores = np.frombuffer(goldens[1][1], np.int8).copy()
    scores[0] += 3 if scores[0] < 0 else -3
    goldens[1] = goldens[1][0], scores.tobytes()
    folder = tmp_path / "staged"
    folder.mkdir()
    stage(folder, [bundle.model_path], goldens)
    code, answers = run(own, bundle, "time", str(folder), "1", "2", asked='{"runs": 3}\n')
    assert (code, len(answers), answers[0]["error"]) == (REFUSED, 1, "BundleError")
    assert "golden picture 1, found others, 3 apart where 2 is allowed" in answers[0]["message"]
    assert run(own, bundle, "time", str(folder), "1", "3")[0] == 0


def test_float_scores_beyond_their_tolerance_are_timed_with_a_remark_and_what_is_no_number_is_not(
    own: Runners, tmp_path: Path
) -> None:
    bundle = bundles.lowered(tmp_path / "bundles", int8=False)
    for name, difference in (("other", 1.0), ("none", np.nan)):
        given, expected = bundle.golden_tensors()[0]
        scores = np.frombuffer(expected, np.float32).copy()
        scores[0] += difference
        (tmp_path / name).mkdir()
        stage(tmp_path / name, [bundle.model_path], [(given, scores.tobytes())])
    code, (ready, turn) = run(own, bundle, "time", str(tmp_path / "other"), "1", "0.5", asked='{"runs": 3}\n')
    assert code == 0 and len(turn["times_ms"]) == 3
    assert "golden picture 0, found others" in ready["remark"] and "where 0.5 is allowed" in ready["remark"]
    assert run(own, bundle, "time", str(tmp_path / "other"), "1", "2")[1][0]["remark"] is None
    assert run(own, bundle, "time", str(tmp_path / "none"), "1", "2")[0] == REFUSED


def test_executorchs_runner_names_its_build_of_xnnpack(own: Runners) -> None:
    for runtime, digits in (("executorch", 64), ("tflite", 0)):
        done = child_process.run([own.program(runtime), "check"])
        assert len(json.loads(done.stdout)["xnnpack_build"]) == digits


def test_a_damaged_model_is_refused(own: Runners, bundle: Bundle, tmp_path: Path) -> None:
    model = tmp_path / bundle.manifest.model
    model.write_bytes(b"not a model" + bundle.model_path.read_bytes()[11:])
    folder = tmp_path / "staged"
    folder.mkdir()
    stage(folder, [model], bundle.golden_tensors())
    code, answers = run(own, bundle, "time", str(folder), "1", "0")
    assert (code, answers[0]["error"], answers[0]["hint"]) == (REFUSED, "BundleError", "export it again")


def test_a_listing_without_the_model_is_refused(own: Runners, bundle: Bundle, staged: Path) -> None:
    (staged / LISTING).write_text("", encoding="utf-8")
    code, answers = run(own, bundle, "time", str(staged), "1", "0")
    assert code == CANNOT_RUN and "in files.sha256, found it missing" in answers[0]["message"]


def test_scores_that_do_not_fit_on_the_device_are_an_error(own: Runners, bundle: Bundle, staged: Path) -> None:
    words = ["score", str(staged), "1", str(staged / "golden/0.input.bin"), "/dev/full"]
    code, answers = run(own, bundle, *words)
    assert code == CANNOT_RUN and "found no room or no right to" in answers[0]["message"]


def test_other_processors_and_runtimes_are_refused(own: Runners) -> None:
    with pytest.raises(SettingError, match="expected a device of x86_64 or aarch64, found armv7l"):
        make_runners("armv7l", print)
    with pytest.raises(SettingError, match="expected a bundle for executorch or tflite on a device, found coreml"):
        own.program("coreml")
