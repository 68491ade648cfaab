"""Simulated accelerators read the bundles of other runtimes, and are judged by their distance from the float net."""

from pathlib import Path

import pytest

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.runtimes.reader import Taken
from mobile_sdk.verification.scores.taken_checks import taken_checks
from mobile_sdk.verification.verdict import Verdict
from mobile_sdk.verification.verification import verify
from tests.support import bundles

ACCELERATORS = {"litert-gpu": "tflite", "qnn-htp": "onnx"}


@pytest.fixture(scope="module", params=ACCELERATORS)
def read(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Bundle]:
    """The accelerator's name, and a bundle that it reads."""
    if request.param == "litert-gpu":
        request.getfixturevalue("swiftshader")
    return request.param, bundles.lowered(tmp_path_factory.mktemp("read"), ACCELERATORS[request.param])


def test_an_accelerator_is_as_near_to_the_float_net_as_the_reference_and_takes_the_net(
    read: tuple[str, Bundle],
) -> None:
    name, bundle = read
    verdict = judged(bundle, name)
    checks = {check.name: check for check in verdict.checks}
    assert (verdict.runtime, verdict.status) == (name, "pass"), list(verdict.checks)
    assert "steps apart" not in checks
    assert checks["distance from float"].outcome == checks["golden"].outcome == "pass"
    share = checks["share taken"].measured
    assert isinstance(share, float) and 0.9 <= share <= 1


def test_scores_of_another_net_are_not_near_it(read: tuple[str, Bundle]) -> None:
    name, bundle = read
    other = bundles.program(int8=False, name="squeeze excite")
    checks = {check.name: check.outcome for check in judged(bundle, name, twin=other).checks}
    assert checks["distance from float"] == "fail"


def test_a_float_bundle_is_refused(tmp_path: Path) -> None:
    bundle = bundles.lowered(tmp_path, int8=False)
    with pytest.raises(SettingError, match="expected an int8 bundle for litert-gpu, found float32"):
        verify(bundle, bundles.program(int8=False), bundles.pictures(), runtime="litert-gpu", progress=False)


@pytest.mark.parametrize("name", ACCELERATORS)
def test_an_accelerator_that_was_not_fetched_is_not_run_and_says_how_to_get_it(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = bundles.lowered(tmp_path, ACCELERATORS[name])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    monkeypatch.setattr("mobile_sdk.runtimes.qnn_htp._MODULE", "no_such_module")
    runtime = runtimes.get(name)
    reason = runtime.unavailable()
    assert reason is not None
    assert runtime.finding().status == "missing" and runtime.finding().get
    with pytest.raises(MachineError, match="here: "):
        runtime.load(bundle.model_path, bundle.interface, threads=1)
    verdict = judged(bundle, name)
    assert verdict.status == "not_run"
    assert reason in next(check.reason for check in verdict.checks if check.name == "steps apart")


@pytest.mark.parametrize(
    ("left", "outcome", "measured"),
    [
        ((), "pass", 1.0),
        (("Gemm",), "pass", 0.95),
        (("Conv",) * 3, "fail", 0.85),
        (None, "fail", "a part, of unknown size"),
    ],
)
def test_what_an_accelerator_leaves_is_named_and_too_much_fails(
    left: tuple[str, ...] | None, outcome: str, measured: object
) -> None:
    (check,) = taken_checks(Taken(by="the HTP", operators=20, left=left))
    assert (check.outcome, check.measured) == (outcome, measured)
    assert not left or f"{len(left)} x {left[0]}".removeprefix("1 x ") in check.reason


def judged(bundle: Bundle, runtime: str, twin: object = None) -> Verdict:
    """The verdict on twelve pictures."""
    float_net = twin or bundles.program(int8=False)
    given = bundles.pictures()[:12]
    return verify(bundle, bundles.program(), given, runtime=runtime, twin=float_net, progress=False)  # type: ignore[arg-type]
