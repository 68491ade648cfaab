"""With probabilities a package is a classifier as Vision takes it, and gives the raw scores beside them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk.bundle.lowering import lower
from mobile_sdk.errors import CompileError
from mobile_sdk.preprocess import to_bytes
from mobile_sdk.runtimes.coreml import CoreMLRuntime
from mobile_sdk.runtimes.coreml.export import request
from mobile_sdk.runtimes.coreml.interpreter.interpreter import InterpreterSession
from mobile_sdk.runtimes.coreml.package.program_file import parse_model, read_program
from mobile_sdk.runtimes.coreml.readback import check_saved
from mobile_sdk.verification.verification import verify
from tests.support import bundles
from tests.support.nets import segmenters

CLASSIFIER = CoreMLRuntime({"output": "probabilities"})
MODEL = "Data/com.apple.CoreML/model.mlmodel"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    program = bundles.program()
    CLASSIFIER.export(program.graph, program.contract, tmp_path / CLASSIFIER.model_file)
    return tmp_path / CLASSIFIER.model_file


def test_the_description_is_a_classifier_s_and_the_scores_stay(package: Path) -> None:
    description = parse_model(package / MODEL).description
    kinds = {output.name: output.type.WhichOneof("Type") for output in description.output}
    assert kinds == {"classLabel": "stringType", "classLabel_probs": "dictionaryType", "scores": "multiArrayType"}
    assert (description.predictedFeatureName, description.predictedProbabilitiesName) == tuple(kinds)[:2]
    assert description.metadata.userDefined["com.apple.coreml.model.preview.type"] == "imageClassifier"
    assert all(output.shortDescription for output in description.output)


def test_the_labels_are_the_contract_s_and_the_probabilities_the_softmax_of_the_scores(package: Path) -> None:
    program, classifier = bundles.program(), read_program(package).classifier
    assert classifier is not None and classifier.labels == program.contract.labels
    session = InterpreterSession(package, CLASSIFIER.interface(program.graph), threads=1)
    pixels = to_bytes(bundles.pictures()[0][0], program.contract.input)
    found = session.trace(pixels)
    shares = np.exp(found["scores"] - found["scores"].max())
    np.testing.assert_allclose(found[classifier.source], shares / shares.sum(), rtol=1e-5)


@pytest.mark.parametrize("compute", ["exact", "neural-engine"])
def test_a_classifier_s_bundle_passes_by_its_scores(compute: str, tmp_path: Path) -> None:
    choices = {"output": "probabilities", "compute": compute}
    (bundle,) = lower(bundles.program(), tmp_path, runtimes="coreml", pictures=bundles.pictures(), choices=choices)
    twin = bundles.program(int8=False)
    assert verify(bundle, bundles.program(), bundles.pictures(), twin=twin, progress=False).status == "pass"


def swapped(model: Any) -> None:
    """The first two labels change places."""
    function = model.mlProgram.functions["main"]
    item = function.block_specializations[function.opset].operations[-1]
    first, second, *_ = item.inputs["classes"].arguments[0].value.immediateValue.list.values
    texts = [value.immediateValue.tensor.strings.values for value in (first, second)]
    texts[0][0], texts[1][0] = texts[1][0], texts[0][0]


def other_output(model: Any) -> None:
    """Vision is told to take the probabilities from the scores."""
    model.description.predictedProbabilitiesName = "scores"


@pytest.mark.parametrize("damage", [swapped, other_output])
def test_other_labels_or_names_are_found(package: Path, damage: Callable[[Any], None], tmp_path: Path) -> None:
    program = bundles.program()
    fresh = tmp_path / "fresh" / CLASSIFIER.model_file
    fresh.parent.mkdir()
    CLASSIFIER.export(program.graph, program.contract, fresh)
    model = parse_model(package / MODEL)
    damage(model)
    (package / MODEL).write_bytes(model.SerializeToString(deterministic=True))
    assert CLASSIFIER.differences(package, fresh, program.graph)
    asked = request(program.graph, "iOS17", labels=program.contract.labels)
    with pytest.raises(CompileError, match="classifier"):
        check_saved(asked, read_program(package))


def test_a_segmenter_has_a_preview_and_no_probabilities_of_labels(tmp_path: Path) -> None:
    program = segmenters.program()
    CoreMLRuntime().export(program.graph, program.contract, tmp_path / CLASSIFIER.model_file)
    metadata = read_program(tmp_path / CLASSIFIER.model_file).metadata
    assert metadata["com.apple.coreml.model.preview.type"] == "imageSegmenter"
    assert metadata["com.apple.coreml.model.preview.params"].count("#") == len(program.contract.labels)
    with pytest.raises(CompileError, match="expected a classifier"):
        CLASSIFIER.export(program.graph, program.contract, tmp_path / "other.mlpackage")
