"""An accelerator is judged by its distance from the float net: as good as the reference passes, worse never does."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.preprocess import to_bytes
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.requirement import near_float
from mobile_sdk.runtimes.tflite import TfliteRuntime
from mobile_sdk.verification.scores.float_checks import float_checks, not_judged
from mobile_sdk.verification.scores.float_distance import FloatDistance, float_distance, most_by_chance
from mobile_sdk.verification.verdict import Check, Verdict, status_of
from mobile_sdk.verification.verification import verify
from tests.support import bundles

REQUIREMENT = near_float("is a test's")
Scores = NDArray[Any]


@pytest.fixture(scope="module")
def scores() -> tuple[Scores, Scores]:
    """The reference's codes and the float net's scores of the forty pictures."""
    program, twin = bundles.program(), bundles.program(int8=False)
    pixels = np.stack([to_bytes(picture, program.contract.input) for picture, _ in bundles.pictures()])
    return expected_scores(program, pixels), expected_scores(twin, pixels)


def with_noise(scores: tuple[Scores, Scores], power: float, seed: int = 0) -> Scores:
    """Float32 scores as far from the float net as the reference, but otherwise: its noise's power times `power`."""
    program = bundles.program()
    assert program.graph.output.quantization is not None
    reference, wanted = (in_steps(each, program.graph) for each in scores)
    noise = np.random.default_rng(seed).standard_normal(wanted.shape)
    noise *= math.sqrt(power * np.square(reference - wanted).sum() / np.square(noise).sum())
    found: Scores = ((wanted + noise) * program.graph.output.quantization.scale).astype(np.float32)
    return found


def judged(found: Scores, scores: tuple[Scores, Scores]) -> list[Check]:
    return float_checks([float_distance(found, *scores, bundles.program())], REQUIREMENT)


def test_the_reference_itself_loses_nothing(scores: tuple[Scores, Scores]) -> None:
    distance = float_distance(scores[0], *scores, bundles.program())
    assert distance.loss_db == 0
    assert distance.one_sided == 0
    assert distance.winners == distance.reference_winners
    assert distance.sqnr_db is not None and distance.sqnr_db > 6
    assert {check.outcome for check in judged(scores[0], scores)} == {"pass"}


def test_other_noise_of_the_same_power_passes_though_nearly_every_score_differs(scores: tuple[Scores, Scores]) -> None:
    found = with_noise(scores, 1.0)
    assert (in_steps(found, bundles.program().graph) != in_steps(scores[0], bundles.program().graph)).mean() > 0.9
    assert {check.outcome for check in judged(found, scores)} == {"pass"}


def test_the_bound_is_one_decibel(scores: tuple[Scores, Scores]) -> None:
    for power, outcome in ((1.25, "pass"), (1.27, "fail")):  # 0.97 and 1.04 dB
        distance_check, _ = judged(with_noise(scores, power), scores)
        assert distance_check.outcome == outcome


def test_the_worst_of_several_arithmetics_is_judged_and_the_best_is_told(scores: tuple[Scores, Scores]) -> None:
    program = bundles.program()
    near, far = (float_distance(with_noise(scores, power), *scores, program) for power in (0.5, 1.6))
    check, _ = float_checks([near, far], REQUIREMENT)
    assert check.outcome == "fail"
    assert check.measured == round(far.sqnr_db or 0, 2)
    assert f"the best is {near.sqnr_db:.2f} dB" in check.reason


def test_scores_that_are_no_numbers_fail(scores: tuple[Scores, Scores]) -> None:
    found = with_noise(scores, 0.01)
    found[3, 1] = np.nan
    assert judged(found, scores)[0].outcome == "fail"


def test_a_reference_that_is_nowhere_near_the_float_net_excuses_nothing(scores: tuple[Scores, Scores]) -> None:
    reference, wanted = scores
    stranger = np.random.default_rng(1).permutation(wanted.reshape(-1)).reshape(wanted.shape)
    check, _ = judged(reference, (reference, stranger))
    assert check.outcome == "fail"
    assert "is this its twin?" in check.reason


def test_lost_winners_fail_where_chance_does_not_explain_them() -> None:
    fine = {"pictures": 100, "sqnr_db": 20.0, "reference_sqnr_db": 20.0, "reference_winners": 95, "not_finite": 0}
    for winners, one_sided, outcome in ((95, 0, "pass"), (94, 1, "pass"), (83, 20, "pass"), (75, 20, "fail")):
        distance = FloatDistance(**fine, winners=winners, one_sided=one_sided)
        assert float_checks([distance], REQUIREMENT)[1].outcome == outcome


@given(st.integers(0, 10_000))
def test_chance_explains_a_few_standard_deviations_of_tosses(differing: int) -> None:
    allowed = most_by_chance(differing)
    assert allowed >= 1
    assert allowed == 1 or (allowed / 3) ** 2 <= differing


# The whole of verify, with LiteRT as an accelerator


@pytest.fixture
def accelerated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TfliteRuntime, "requirement", lambda self, graph: REQUIREMENT)


def verdict(bundle: Bundle, twin: Program | None) -> Verdict:
    return verify(bundle, bundles.program(), bundles.pictures(), twin=twin, progress=False)


@pytest.mark.usefixtures("accelerated")
def test_a_bundle_beside_its_twin_passes_and_says_the_decibels(tmp_path: Path) -> None:
    found = verdict(bundles.lowered(tmp_path), bundles.program(int8=False))
    assert found.status == "pass"
    (check,) = (check for check in found.checks if check.name == "distance from float")
    assert "the reference's" in check.required
    assert not {"steps apart", "sqnr"} & {check.name for check in found.checks}


@pytest.mark.usefixtures("accelerated")
def test_without_its_twin_a_bundle_is_not_judged_and_not_green(tmp_path: Path) -> None:
    found = verdict(bundles.lowered(tmp_path), None)
    assert found.status == "not_run"
    assert "float.pt2" in next(check.reason for check in found.checks if check.name == "distance from float")
    assert status_of(not_judged(REQUIREMENT)) == "not_run"


@pytest.mark.usefixtures("accelerated")
def test_a_twin_of_other_ends_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"float\.pt2"):
        verdict(bundles.lowered(tmp_path), bundles.program())
