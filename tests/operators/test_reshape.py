"""Reshape: every runtime gives the codes, and the float32 values, that went in."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.graph_builder import Builder, Wire
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.random_cases import random_pictures
from tests.support.operators.runtimes import RUNTIMES, assert_exact, assert_near_float, float32, int8


def flattened(build: Builder) -> Wire:
    return build.reshape(build.mean(build.conv(build.input, 12, 3)))


def test_the_reference_is_the_integer_model() -> None:
    assert_modelled(int8(flattened), random_pictures(16, 16))


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_every_runtime_is_exact_in_int8_and_near_in_float32(runtime: Any, tmp_path: Path) -> None:
    assert_exact(runtime, int8(flattened), tmp_path)
    assert_near_float(runtime, float32(flattened), tmp_path)
