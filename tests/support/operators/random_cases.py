"""Random grids, pictures and weights for tests of single operators."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from mobile_sdk.graph.operators import (
    Conv2d,
    Quantization,
    Tensor,
)


def grid(scale: float, zero_point: int = 0) -> Quantization:
    return Quantization(scale=float(np.float32(scale)), zero_point=zero_point)


ZERO = st.integers(-128, 127)
GRIDS = st.builds(lambda exponent, zero: grid(2.0**exponent, zero), st.floats(-8, 0), ZERO)
RATIOS = st.sampled_from([0.1, 0.4, 0.5, 1.0]) | st.floats(0.02, 20)
SEEDS = st.integers(0, 2**31)


def random_pictures(height: int, width: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (2, height, width, 3)).astype(np.uint8)


def picture(height: int, width: int, quantization: Quantization | None = None) -> Tensor:
    return Tensor(name="picture", shape=(3, height, width), quantization=quantization or grid(1 / 128))


def tensor(shape: tuple[int, ...], quantization: Quantization, name: str = "result") -> Tensor:
    return Tensor(name=name, shape=shape, quantization=quantization)


def weights(shape: tuple[int, ...], x: Quantization, y: Quantization, seed: int) -> dict[str, Any]:
    """Weights of all sizes; accumulators somewhat larger than what int8 holds."""
    random = np.random.default_rng(seed)
    reach = 127 * 127 * np.sqrt(np.prod(shape[1:]))
    spread = np.exp(random.normal(0, 1, shape[0]))
    return {
        "weight": random.integers(-127, 128, shape).astype(np.int8),
        "weight_scales": (200 * y.scale / x.scale / reach * spread).astype(np.float32),
        "bias": random.integers(-20_000, 20_000, shape[0]).astype(np.int32),
    }


def two_operands(x: Quantization, other: Quantization, shape: tuple[int, int, int]) -> tuple[Tensor, Conv2d]:
    """The picture, of all codes, and a second tensor of all codes that a convolution makes from it."""
    source = picture(16, 16, x)
    geometry: dict[str, Any] = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "groups": 1}
    kernel = 16 if shape[1:] == (1, 1) else 1
    filters = np.zeros((3, 3, kernel, kernel), np.int8)
    filters[:, :, 0, 0] = [[0, -127, 0], [0, 0, 127], [127, 0, 0]]
    numbers = {
        "weight": filters,
        "weight_scales": np.full(3, other.scale / x.scale / 127, np.float32),
        "bias": np.zeros(3, np.int32),
    }
    output = tensor(shape, other, "other")
    return source, Conv2d(output=output, path="net.other", input=source, **numbers, **geometry)
