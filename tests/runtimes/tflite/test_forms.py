"""A `.tflite` has forms: probabilities in place of scores, codes in place of bytes. Bundles of each verify as usual."""

from pathlib import Path

import numpy as np
import pytest

from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.bundle.manifest_file import BundleRefusalError
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Graph, Softmax
from mobile_sdk.graph.outputs import separated
from mobile_sdk.graph.reference import Reference
from mobile_sdk.memory.strips import Stretch, in_strips
from mobile_sdk.runtimes.requirement import MOST_APART
from mobile_sdk.runtimes.tflite import TfliteRuntime
from mobile_sdk.runtimes.tflite.probabilities import PATH, with_probabilities
from mobile_sdk.tasks.boxes import label_shares
from mobile_sdk.tasks.detection import Detection
from mobile_sdk.verification.verification import verify
from tests.support import bundles
from tests.support.graphs import GRAPHS, contract_for, int8_graph, pictures
from tests.support.nets import detectors, segmenters
from tests.support.operators import several_outputs

SHARES = TfliteRuntime({"output": "probabilities"})
CODES = TfliteRuntime({"input": "int8"})


def scores(runtime: TfliteRuntime, graph: Graph, folder: Path, images: np.ndarray) -> np.ndarray:
    path = folder / "model.tflite"
    session = runtime.load(path, runtime.export(graph, contract_for(graph), path), threads=1)
    return np.stack([session.run(image) for image in images])


@pytest.mark.parametrize("name", GRAPHS)
def test_codes_in_give_the_scores_that_bytes_in_give(name: str, tmp_path: Path) -> None:
    graph = int8_graph(name)
    images = pictures(graph, 3)
    np.testing.assert_array_equal(scores(CODES, graph, tmp_path, images), Reference(graph).run(images))
    found = CODES.structure(tmp_path / "model.tflite")
    assert (found.partitions, found.not_delegated) == (1, ())
    assert not {"QUANTIZE", "DEQUANTIZE"} & found.operators.keys(), "integers alone, for processors of integers alone"


def test_codes_in_can_be_cut_into_strips(tmp_path: Path) -> None:
    graph = int8_graph("conv chain")
    cut = in_strips(graph, [Stretch(first=0, stop=3, strips=2)])
    assert len(cut.operators) > len(graph.operators)
    images = pictures(graph, 3)
    np.testing.assert_array_equal(scores(CODES, cut, tmp_path, images), Reference(graph).run(images))


@pytest.mark.parametrize("name", GRAPHS)
def test_shares_are_the_softmax_of_the_reference_s_scores_and_winners_are_equal(name: str, tmp_path: Path) -> None:
    graph = int8_graph(name)
    images = pictures(graph, 8)
    codes, grid = Reference(graph).run(images), graph.output.quantization
    assert grid is not None
    powers = np.exp((codes - codes.max(axis=1, keepdims=True).astype(np.float64)) * grid.scale)
    found = scores(SHARES, graph, tmp_path, images)
    np.testing.assert_allclose(found, powers / powers.sum(axis=1, keepdims=True), rtol=0, atol=MOST_APART / 10)
    np.testing.assert_array_equal(found.argmax(axis=1), codes.argmax(axis=1))
    structure = SHARES.structure(tmp_path / "model.tflite")
    assert (structure.partitions, structure.operators["SOFTMAX"], structure.int8_weight_share) == (1, 1, 1.0)


def test_a_file_of_another_form_differs(tmp_path: Path) -> None:
    graph = int8_graph("linear head")
    for name, runtime in (("usual", TfliteRuntime()), ("shares", SHARES), ("codes", CODES)):
        runtime.export(graph, contract_for(graph), tmp_path / name)
    for name in ("usual", "codes"):
        assert SHARES.differences(tmp_path / name, tmp_path / "shares", graph)
    assert CODES.differences(tmp_path / "usual", tmp_path / "codes", graph)


def test_a_difference_of_the_softmax_is_named(tmp_path: Path) -> None:
    """It belongs to no module of the net, and is read back all the same."""
    graph = int8_graph("linear head")
    SHARES.export(graph, contract_for(graph), tmp_path / "fresh")
    data = bytearray((tmp_path / "fresh").read_bytes())
    one = np.float32(1).tobytes()
    places = [place for place in range(len(data) - 4) if data[place : place + 4] == one]
    found = []
    for place in places:
        forged = bytearray(data)
        forged[place : place + 4] = np.float32(2).tobytes()
        (tmp_path / "forged").write_bytes(forged)
        found += SHARES.differences(tmp_path / "forged", tmp_path / "fresh", graph)
    assert any(f"at {PATH} " in each for each in found)


def test_a_net_without_labels_has_no_probabilities() -> None:
    with pytest.raises(SettingError, match="expected a net with labels to give probabilities of"):
        with_probabilities(several_outputs.several_outputs())


@pytest.mark.parametrize(
    "form", [{"output": "probabilities"}, {"input": "int8"}, {"output": "probabilities", "input": "int8"}]
)
def test_a_classifier_s_bundle_verifies(form: dict[str, str], tmp_path: Path) -> None:
    (bundle,) = lower(bundles.program(), tmp_path, runtimes="tflite", choices=form, pictures=bundles.pictures())
    assert bundle.manifest.form == form and bundle.path.name == f"test-{'-'.join(bundle.manifest.form.values())}.tflite"
    verdict = verify(bundle, bundles.program(), bundles.pictures(), min_accuracy=0.5)
    assert verdict and {check.outcome for check in verdict.checks} == {"pass"}
    assert verdict.comparison is not None and verdict.comparison.max_steps <= MOST_APART
    quality = verify(
        lower(bundles.program(), tmp_path, runtimes="tflite")[0], bundles.program(), bundles.pictures()
    ).quality
    assert verdict.quality == quality


def test_shares_that_are_too_far_from_the_reference_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    form = {"output": "probabilities"}
    (bundle,) = lower(bundles.program(), tmp_path, runtimes="tflite", choices=form, pictures=bundles.pictures())
    monkeypatch.setattr(
        "mobile_sdk.verification.scores.computed.expected_outputs",
        lambda graph, pixels: Reference(graph).run(pixels) + np.float32(2 * MOST_APART),
    )
    failed = {
        check.name for check in verify(bundle, bundles.program(), bundles.pictures()).checks if check.outcome == "fail"
    }
    assert failed == {"shares apart", "sqnr"}


def test_a_golden_tolerance_that_is_wider_is_found(tmp_path: Path) -> None:
    form = {"output": "probabilities"}
    (bundle,) = lower(bundles.program(), tmp_path, runtimes="tflite", choices=form, pictures=bundles.pictures())
    assert bundle.manifest.golden.tolerance == MOST_APART and bundle.manifest.outputs[0].activation == "softmax"
    bundles.forge(bundle.path, lambda content: content["golden"].update(tolerance=9e-4))
    checks = verify(open_bundle(bundle.path), bundles.program(), bundles.pictures()).checks
    assert "golden tolerance" in {check.name for check in checks if check.outcome == "fail"}
    bundles.forge(bundle.path, lambda content: content["golden"].update(tolerance=2e-3))
    with pytest.raises(BundleRefusalError, match="expected a tolerance of at most"):
        open_bundle(bundle.path)


# -- boxes and masks


def test_boxes_and_shares_together_say_what_the_rows_of_anchors_say() -> None:
    program = detectors.program()
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    rows = Reference(program.graph).run(images).astype(np.float64)
    found = Reference(with_probabilities(program.graph)).run(images)
    assert found.dtype.names == ("location", "score")
    joined = Detection().as_one(found, program.contract)
    np.testing.assert_allclose(joined[..., :4], rows[..., :4], atol=1e-4)
    np.testing.assert_allclose(label_shares(joined), label_shares(rows), atol=1e-6)
    np.testing.assert_allclose(separated(found)[1], label_shares(rows), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("support", [detectors, segmenters], ids=["detector", "segmenter"])
def test_a_detector_s_and_a_segmenter_s_bundles_verify(support: object, tmp_path: Path) -> None:
    program, shown = support.program(), support.pictures()  # type: ignore[attr-defined]
    form = {"output": "probabilities"}
    (bundle,) = lower(program, tmp_path, runtimes="tflite", choices=form, pictures=shown.pictures)
    verdict = verify(bundle, program, shown)
    assert {check.name for check in verdict.checks if check.outcome == "fail"} == set()
    usual = verify(lower(program, tmp_path, runtimes="tflite")[0], program, shown)
    assert verdict.quality is not None and usual.quality is not None
    assert verdict.quality.value == pytest.approx(usual.quality.value, abs=1e-6)


def test_two_outputs_that_do_not_fit_together_are_no_detector(tmp_path: Path) -> None:
    program, form = detectors.program(), {"output": "probabilities"}
    (bundle,) = lower(program, tmp_path, runtimes="tflite", choices=form)
    bundles.forge(bundle.path, lambda content: content["outputs"][1].update(shape=[1, 3, 3]))
    with pytest.raises(BundleRefusalError, match="expected one output for detection, found 2"):
        open_bundle(bundle.path)


def test_a_float_twin_gives_probabilities_too(tmp_path: Path) -> None:
    program = bundles.program(int8=False)
    (bundle,) = lower(program, tmp_path, runtimes="tflite", choices={"output": "probabilities"})
    verdict = verify(bundle, program, bundles.pictures())
    assert {check.name for check in verdict.checks if check.outcome == "fail"} == set()
    assert isinstance(with_probabilities(program.graph).operators[-1], Softmax)
