"""Exponentials and softmax: as near as any library's, and the same bits in every language."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mobile_sdk.tasks.softmax import LEAST, MOST, exponential, softmax

EXPECTED = [
    "0x1.78b56362cef38p-2",
    "0x1.1aec7b35a00d4p+0",
    "0x1.a61298e1e069cp+0",
    "0x1.d8e64b8d4ddaep+2",
    "0x1.14f49dbc5078cp-25",
    "0x1.8232558201159p+60",
    "0x1.d945df4f8ec8ep+1009",
    "0x1.14f2b0fb9307fp-1010",
]


def digits(values: np.ndarray) -> list[str]:
    return [value.hex() for value in values.tolist()]


@given(st.lists(st.floats(LEAST, MOST), min_size=1, max_size=50))
def test_an_exponential_is_a_unit_in_the_last_place_off_at_most(values: list[float]) -> None:
    expected = np.array([math.exp(value) for value in values])
    assert (np.abs(exponential(np.array(values)) - expected) <= np.spacing(expected)).all()


def test_ends_are_zero_infinity_and_nan() -> None:
    ends = np.array([0.0, -0.0, LEAST, np.nextafter(LEAST, -np.inf), -np.inf, MOST, np.nextafter(MOST, np.inf), np.inf])
    found = exponential(ends)
    assert found[:2].tolist() == [1, 1] and found[2] > 0 and found[3:5].tolist() == [0, 0]
    assert math.isfinite(found[5]) and np.isposinf(found[6:]).all()
    assert np.isnan(exponential(np.array([np.nan, 1.0]))).tolist() == [True, False]
    assert exponential(np.zeros((3, 0))).shape == (3, 0)


def test_the_bits_are_these_on_every_machine() -> None:
    """Kotlin's and Swift's own tests hold them to answers that this computes."""
    values = np.array([-1.0, 0.1, 0.5, 2.0, -17.25, 42.0, 700.0, -700.0])
    assert digits(exponential(values)) == EXPECTED


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40))
def test_shares_are_added_from_the_first_to_the_last(logits: list[float]) -> None:
    powers = exponential(np.array(logits) - max(logits))
    total = 0.0
    for power in powers.tolist():
        total += power
    assert softmax(np.array(logits)).tolist() == [power / total for power in powers.tolist()]


def test_numbers_are_the_same_however_many_are_computed_together() -> None:
    values = np.random.default_rng(1).normal(0, 30, 40_000)
    assert np.array_equal(exponential(values)[30_000:], exponential(values[30_000:].copy()))
    rows = values.reshape(-1, 8)
    assert np.array_equal(softmax(rows)[-1], softmax(rows[-1]))
