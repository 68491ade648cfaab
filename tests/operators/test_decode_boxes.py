"""DecodeBoxes: every runtime, and both on Arm, give the reference's boxes to the bit; the twin's are near."""

from pathlib import Path

import numpy as np
import pytest

from mobile_sdk import runtimes
from mobile_sdk.devices import EmulatedCore
from mobile_sdk.graph.reference import Reference
from tests.support.nets import detectors
from tests.support.written_here import WRITTEN_HERE

BACKBONES = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small")


@pytest.mark.parametrize("name", BACKBONES)
def test_boxes_and_scores_are_the_references_in_every_runtime(name: str, tmp_path: Path) -> None:
    program = detectors.program(name)
    pixels = detectors.pictures().bytes(program.contract.image)
    expected = Reference(program.graph).run(pixels)
    assert expected.dtype == np.float32 and np.ptp(expected, axis=0).max() > 1
    for runtime in map(runtimes.get, WRITTEN_HERE):
        model = tmp_path / runtime.model_file
        interface = runtime.export(program.graph, program.contract, model)
        assert runtime.structure(model).partitions == 1
        session = runtime.load(model, interface, threads=1)
        found = np.stack([session.run(picture) for picture in pixels])
        session.close()
        np.testing.assert_array_equal(found, expected, err_msg=runtime.name)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["tflite", "executorch"])
def test_boxes_on_arm_are_the_references_to_the_bit(runtime: str, cortex_a76: EmulatedCore, tmp_path: Path) -> None:
    program, chosen = detectors.program(), runtimes.get(runtime)
    model = tmp_path / chosen.model_file
    pixels = detectors.pictures(3).bytes(program.contract.image)
    interface = chosen.export(program.graph, program.contract, model)
    with cortex_a76.loaded(chosen, model, interface) as run:
        found = run(pixels)
    expected = Reference(program.graph).run(pixels)
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)


def test_six_maps_are_joined_in_turns(tmp_path: Path) -> None:
    """Six maps, at 320 px, are more than XNNPACK joins at once."""
    program = detectors.program("mobilenet_v3_small", size_px=320)
    assert len(program.graph.operators[-1].inputs) == 12
    pixels = detectors.pictures(2).bytes(program.contract.image)
    expected = Reference(program.graph).run(pixels)
    assert expected.shape == (2, 2034, 4 + 1 + 3)
    for name in ("tflite", "executorch"):
        runtime = runtimes.get(name)
        model = tmp_path / runtime.model_file
        session = runtime.load(model, runtime.export(program.graph, program.contract, model), threads=1)
        np.testing.assert_array_equal(np.stack([session.run(picture) for picture in pixels]), expected)
