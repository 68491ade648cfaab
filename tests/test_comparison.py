"""A Comparison's measures hold by properties and by numbers worked out by hand."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mobile_sdk.comparison import compare, share, top1

CODES = hnp.arrays(np.int8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8))
ANY_FLOATS = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.floats())


def test_the_numbers_are_those_worked_out_by_hand() -> None:
    comparison = compare([[3.0, 4.0], [0.0, 1.0]], [[3.0, 5.0], [2.0, 1.0]])
    assert (comparison.elements, comparison.differing) == (4, 2)
    assert comparison.max_steps == 2.0
    assert comparison.mean_abs_steps == 0.75
    assert comparison.sqnr_db == pytest.approx(10 * np.log10((9 + 25 + 4 + 1) / (1 + 4)))
    assert comparison.top1_agreement == 0.5


@given(CODES)
def test_equal_codes_are_exact_and_reach_any_bound(codes: np.ndarray) -> None:
    comparison = compare(codes, codes)
    assert comparison.is_exact
    assert comparison.reaches_db(1e9)
    assert comparison.top1_agreement == 1.0


@given(CODES, st.data())
def test_one_changed_code_is_counted_once_and_in_steps(codes: np.ndarray, data: st.DataObject) -> None:
    changed = codes.astype(np.int16)
    at = data.draw(st.tuples(*(st.integers(0, side - 1) for side in codes.shape)))
    steps = data.draw(st.integers(-255, 255).filter(bool))
    changed[at] += steps
    comparison = compare(changed, codes)
    assert (comparison.differing, comparison.max_steps) == (1, abs(steps))
    assert comparison.mean_abs_steps == pytest.approx(abs(steps) / codes.size)
    assert not comparison.is_exact


@given(ANY_FLOATS, st.data())
def test_pictures_compared_some_at_a_time_give_what_all_at_once_give(actual: np.ndarray, data: st.DataObject) -> None:
    expected = data.draw(hnp.arrays(np.float64, actual.shape, elements=st.floats()))
    whole = asdict(compare(actual, expected))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("mobile_sdk.comparison._ELEMENTS", actual.shape[1])
        parted = asdict(compare(actual, expected))
    for name in ("sqnr_db", "mean_abs_steps", "top1_agreement"):
        ours, theirs = parted.pop(name), whole.pop(name)
        assert (ours is None) == (theirs is None) and (
            ours is None or ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)
        )
    assert parted == whole


def test_the_unit_is_applied_to_both() -> None:
    comparison = compare(np.array([[3, 1]], np.int8), np.array([[1, 1]], np.int8), in_unit=lambda codes: codes * 0.5)
    assert comparison.max_steps == 1.0 and comparison.differing == 1


def test_the_largest_differences_there_are_still_give_numbers() -> None:
    largest = np.finfo(np.float64).max
    comparison = compare(np.zeros((1, 3)), np.full((1, 3), largest))
    assert comparison.max_steps == comparison.mean_abs_steps == largest


@given(ANY_FLOATS, st.data())
def test_any_floats_give_a_comparison_that_is_json(actual: np.ndarray, data: st.DataObject) -> None:
    expected = data.draw(hnp.arrays(np.float64, actual.shape, elements=st.floats()))
    comparison = compare(actual, expected)
    assert json.loads(json.dumps(asdict(comparison), allow_nan=False)) == asdict(comparison)
    assert 0 <= comparison.top1_agreement <= 1


def test_a_score_that_is_not_a_number_differs_and_reaches_no_bound() -> None:
    comparison = compare([[np.nan, 1.0]], [[0.0, 1.0]])
    assert (comparison.differing, comparison.not_finite) == (1, 1)
    assert not comparison.reaches_db(-100.0)
    assert comparison.top1_agreement == 0.0
    assert compare([[np.nan, 1.0]], [[np.nan, 1.0]]).top1_agreement == 0.0


def test_noise_on_silence_reaches_no_bound() -> None:
    comparison = compare([[0.0, 1.0]], [[0.0, 0.0]])
    assert comparison.sqnr_db is None
    assert not comparison.reaches_db(-100.0)


def test_no_pictures_are_never_exact() -> None:
    comparison = compare(np.zeros((0, 4)), np.zeros((0, 4)))
    assert not comparison.is_exact
    assert not comparison.reaches_db(0.0)
    assert comparison.top1_agreement == 0.0


def test_shapes_that_differ_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"found \(1, 2\) and \(1, 3\)"):
        compare(np.zeros((1, 2)), np.zeros((1, 3)))


def test_ties_go_to_the_lower_index() -> None:
    assert top1(np.array([[1, 5, 5], [7, 7, 0]], np.int8)).tolist() == [1, 0]


def test_a_share_of_nothing_is_zero() -> None:
    assert share(np.zeros(0, np.bool_)) == 0.0
