"""Rearrangements: what composition, simplification and a limit of axes give is what numpy's own reshape gives."""

from itertools import pairwise
from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mobile_sdk.graph.layout.rearrangement import Rearrangement, channels_first, channels_last, composed

SIZES = st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=5)


def moved(values: np.ndarray, *moves: Rearrangement) -> np.ndarray:
    """Returns the values after the moves, in row-major order."""
    for move in moves:
        values = values.reshape(move.split).transpose(move.order).ravel()
    return values


@st.composite
def chains(draw: st.DrawFn) -> list[Rearrangement]:
    """Returns moves of equally many values, each of other axes."""
    factors = draw(SIZES)
    moves = []
    for _ in range(draw(st.integers(1, 4))):
        shuffled = draw(st.permutations(factors))
        cuts = sorted({0, len(factors), *draw(st.lists(st.integers(0, len(factors)), max_size=4))})
        split = [prod(shuffled[first:stop]) for first, stop in pairwise(cuts)]
        moves.append(Rearrangement(tuple(split), tuple(draw(st.permutations(range(len(split)))))))
    return moves


@given(moves=chains())
def test_composed_moves_are_the_moves_in_order(moves):
    values = np.arange(prod(moves[0].split))
    few = composed(moves)
    np.testing.assert_array_equal(moved(values, *few), moved(values, *moves))
    assert len(few) <= len(moves)
    assert not any(move.moves_nothing for move in few)


@given(moves=chains())
def test_two_moves_are_one_unless_their_axes_do_not_divide(moves):
    first, second = moves[0], moves[-1]
    one = first.then(second)
    values = np.arange(prod(first.split))
    if one is not None:
        np.testing.assert_array_equal(moved(values, one), moved(values, first, second))
    else:
        ends = {prod(shape[axis:]) for shape in (first.shape, second.split) for axis in range(len(shape))}
        assert any(larger % smaller for smaller, larger in pairwise(sorted(ends)))


@given(moves=chains())
def test_a_simplified_move_has_no_axis_that_can_be_spared(moves):
    for move in moves:
        simple = move.simplified()
        values = np.arange(prod(move.split))
        np.testing.assert_array_equal(moved(values, simple), moved(values, move))
        assert 1 not in simple.split
        assert all(after != before + 1 for before, after in pairwise(simple.order))
        assert simple.moves_nothing is bool((moved(values, move) == values).all())


@given(order=st.permutations(range(9)), most_axes=st.integers(4, 7))
def test_steps_of_few_axes_are_the_move_of_many(order, most_axes):
    move = Rearrangement((2,) * 9, tuple(order))
    values = np.arange(2**9)
    steps = move.within(most_axes)
    assert all(len(step.split) <= most_axes for step in steps)
    np.testing.assert_array_equal(moved(values, *steps), moved(values, move))


@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=5).map(tuple))
def test_a_map_is_stored_with_its_channels_last_and_others_as_they_are(shape):
    values = np.arange(prod(shape))
    stored = moved(values, channels_last(shape))
    expected = values.reshape(shape)
    expected = expected.transpose(1, 2, 0) if len(shape) == 3 else expected
    np.testing.assert_array_equal(stored, expected.ravel())
    assert composed([channels_last(shape), channels_first(shape)]) == ()


def test_pixel_shuffle_is_one_transposition_of_six_axes_at_most_and_a_flattened_row_none():
    shuffle = Rearrangement((3, 2, 2, 5, 7), (0, 3, 1, 4, 2))
    (stored,) = composed([channels_first((12, 5, 7)), shuffle, channels_last((3, 10, 14))])
    assert len(stored.split) <= 6
    doubled = Rearrangement((2, 8, 5, 7), (1, 2, 3, 0))  # (2C, H, W) to (C, H, 2W), the halves interleaved
    assert composed([channels_first((16, 5, 7)), doubled, channels_last((8, 5, 14))]) == ()
