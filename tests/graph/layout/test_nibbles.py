"""Packing of 4-bit codes: what was packed is read back, and bytes are laid out as the runtimes' formats say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobile_sdk.graph.layout.nibbles import packed, unpacked


@given(st.lists(st.integers(-8, 7), max_size=70), st.sampled_from([0, 8]))
def test_codes_come_back_from_half_as_many_bytes(codes: list[int], zero_point: int) -> None:
    array = np.array(codes, np.int8)
    data = packed(array, zero_point=zero_point)
    assert (data.dtype, len(data)) == (np.uint8, (len(codes) + 1) // 2)
    assert unpacked(data, len(codes), zero_point=zero_point).tolist() == codes


@pytest.mark.parametrize(("zero_point", "expected"), [(0, [0xF7, 0x09]), (8, [0x7F, 0x01])])
def test_the_first_of_two_is_in_the_low_nibble(zero_point: int, expected: list[int]) -> None:
    assert packed(np.array([7, -1, -7], np.int8), zero_point=zero_point).tolist() == expected


def test_rows_follow_one_another_without_a_gap() -> None:
    codes = np.arange(-7, 8, dtype=np.int8).reshape(3, 5)
    assert packed(codes).tolist() == packed(codes.ravel()).tolist()
