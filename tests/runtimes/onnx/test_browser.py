"""An ONNX bundle gives in a browser what the program says."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.against.browser import Chromium
from mobile_sdk.errors import BundleError
from mobile_sdk.preprocess import to_bytes
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.runtimes.onnx import OnnxRuntime
from tests.support import bundles

pytestmark = [
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm"),
    pytest.mark.usefixtures("chromium"),
]


def test_onnxruntime_web_in_chromium_gives_the_reference_to_the_byte(tmp_path: Path) -> None:
    bundle, program = bundles.lowered(tmp_path, "onnx"), bundles.program()
    pixels = np.stack([to_bytes(picture, program.contract.input) for picture, _ in bundles.pictures()])
    with Chromium().loaded(OnnxRuntime(), bundle.model_path, bundle.interface) as run:
        found = run(pixels)
    expected = expected_scores(program, pixels)
    assert found.size == expected.size > 100 and np.array_equal(found.reshape(expected.shape), expected)


def test_what_a_browser_refuses_is_one_line(tmp_path: Path) -> None:
    bundle = bundles.lowered(tmp_path, "onnx")
    bundle.model_path.write_bytes(b"no model")
    with (
        pytest.raises(BundleError, match=r"onnxruntime-web refuses model\.onnx: .*"),
        Chromium().loaded(OnnxRuntime(), bundle.model_path, bundle.interface) as run,
    ):
        run(bundle.golden_pictures())
