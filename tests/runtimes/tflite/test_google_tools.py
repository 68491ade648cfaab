"""MediaPipe's tasks open what `--output probabilities` writes, and Arm's compiler takes `--input int8` as a whole."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mobile_sdk.contract import DetectionSpec
from mobile_sdk.graph.operators import Quantization
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.tflite import TfliteRuntime
from mobile_sdk.tasks.boxes import detect
from tests.support import bundles
from tests.support.google.google_tools import GoogleTools
from tests.support.graphs import contract_for, int8_graph
from tests.support.nets import detectors, segmenters

MOST_APART = 1e-6  # MediaPipe's LiteRT and ours need not have the same exponential


def written(program: Program, folder: Path, **form: str) -> Path:
    TfliteRuntime(form).export(program.graph, program.contract, folder / "model.tflite")
    return folder / "model.tflite"


def shown(program: Program, count: int) -> NDArray[np.uint8]:
    image = program.contract.image
    shape = (count, image.height_px, image.width_px, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def softmax(codes: NDArray[np.int8], grid: Quantization | None) -> NDArray[np.float64]:
    """The shares of codes, labels last, in double precision."""
    assert grid is not None
    powers = np.exp((codes - codes.max(-1, keepdims=True).astype(np.float64)) * grid.scale)
    return powers / powers.sum(-1, keepdims=True)


def test_image_classifier_gives_the_labels_and_the_shares_of_the_reference_s_scores(
    google: GoogleTools, tmp_path: Path
) -> None:
    program = bundles.program()
    pictures, model = shown(program, 3), written(program, tmp_path, output="probabilities")
    codes = Reference(program.graph).run(pictures)
    for found, expected in zip(
        google.answers("classify", model, pictures, tmp_path),
        softmax(codes, program.graph.output.quantization),
        strict=True,
    ):
        names, places, shares = zip(*found, strict=True)
        assert sorted(places) == list(range(len(expected))) and places[0] == expected.argmax()
        assert list(names) == [program.contract.labels[place] for place in places]
        np.testing.assert_allclose(shares, expected[list(places)], rtol=0, atol=MOST_APART)


def test_image_classifier_refuses_codes_which_is_why_there_is_another_form(google: GoogleTools, tmp_path: Path) -> None:
    program = bundles.program()
    (found,) = google.answers("classify", written(program, tmp_path), shown(program, 1), tmp_path)
    assert "to have type UINT8 or FLOAT32 or BOOL, found INT8" in found


@pytest.mark.slow
def test_object_detector_finds_what_the_reference_s_boxes_and_shares_say(google: GoogleTools, tmp_path: Path) -> None:
    program = detectors.program()
    pictures, model = shown(program, 2), written(program, tmp_path, output="probabilities")
    labels = program.contract.labels
    everything = DetectionSpec(score_threshold=1e-6, iou_threshold=0.999, max_detections=1000)
    for found, rows in zip(
        google.answers("detect", model, pictures, tmp_path), Reference(program.graph).run(pictures), strict=True
    ):
        ours = detect(rows, everything, 64)
        assert len(found) > 3 and found[0][1] == pytest.approx(ours.scores[0], abs=MOST_APART)
        for name, share, (left, top, _, _) in found:
            (same,) = np.flatnonzero(np.abs(ours.scores - share) < MOST_APART)[:1]
            assert labels[ours.labels[same]] == name
            np.testing.assert_allclose([left, top], np.floor(ours.boxes[same][:2]), atol=1)


@pytest.mark.slow
def test_image_segmenter_gives_every_label_s_shares_and_the_winners(google: GoogleTools, tmp_path: Path) -> None:
    program = segmenters.program()
    pictures, model = shown(program, 2), written(program, tmp_path, output="probabilities")
    codes = Reference(program.graph).run(pictures)
    for (labels, shares, winners), scores in zip(
        google.answers("segment", model, pictures, tmp_path), codes, strict=True
    ):
        expected = softmax(scores, program.graph.output.quantization)
        assert tuple(labels) == program.contract.labels
        np.testing.assert_allclose(np.moveaxis(shares, 0, -1), expected, rtol=0, atol=MOST_APART)
        np.testing.assert_array_equal(winners, scores.argmax(-1))


@pytest.mark.parametrize("name", ["mobile block", "squeeze excite", "hard swish"])
def test_arm_s_compiler_puts_a_net_that_reads_codes_on_the_npu_as_a_whole(
    google: GoogleTools, name: str, tmp_path: Path
) -> None:
    graph = int8_graph(name)
    program = replace(bundles.program(), graph=graph, contract=contract_for(graph))
    found = google.operators_on(written(program, tmp_path, input="int8"), tmp_path)
    assert found["CPU"] == 0 and found["NPU"] > 5
    usual = google.operators_on(written(program, tmp_path), tmp_path)
    assert usual["CPU"] == 2, "a picture's bytes go through float32, which XNNPACK is fast with and an NPU has not"
