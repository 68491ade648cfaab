"""Each runtime has its own choices of the model file; a bundle remembers them, and verify exports by them."""

import json
from pathlib import Path

import pytest

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.bundle.manifest_file import BundleRefusalError
from mobile_sdk.errors import SettingError
from mobile_sdk.verification.verification import verify
from tests.support import bundles


@pytest.fixture(scope="module")
def for_ios_18(tmp_path_factory: pytest.TempPathFactory) -> Path:
    choices = {"deployment_target": "iOS18"}
    out = tmp_path_factory.mktemp("choices")
    folders = lower(bundles.program(), out, runtimes=["tflite", "coreml"], choices=choices, progress=False)
    assert [each.path.name for each in folders] == ["test.tflite", "test-iOS18.coreml"]
    return folders[1].path


def test_the_usual_values_are_not_in_the_manifest(tmp_path: Path) -> None:
    usual = lower(bundles.program(), tmp_path, runtimes="coreml", choices={"deployment_target": "iOS17"})[0]
    assert usual.path.name == "test.coreml" and "form" not in json.loads((usual.path / "bundle.json").read_text())


def test_a_bundle_remembers_what_was_chosen_and_verifies_by_it(for_ios_18: Path) -> None:
    bundle = open_bundle(for_ios_18)
    assert bundle.manifest.form == bundle.runtime.form == {"deployment_target": "iOS18"}
    verdict = verify(bundle, bundles.program(), bundles.pictures())
    assert {check.name for check in verdict.checks if check.outcome != "pass"} == {"apple's own runtime"}


def test_a_manifest_that_says_another_choice_is_found(for_ios_18: Path) -> None:
    bundles.forge(for_ios_18, lambda content: content.pop("form"))
    verdict = verify(open_bundle(for_ios_18), bundles.program(), bundles.pictures())
    assert "model file" in {check.name for check in verdict.checks if check.outcome == "fail"}
    bundles.forge(for_ios_18, lambda content: content.update(form={"deployment_target": "iOS99"}))
    with pytest.raises(BundleRefusalError, match="runtime: expected deployment_target iOS17 or iOS18, found 'iOS99'"):
        open_bundle(for_ios_18)


@pytest.mark.parametrize(
    ("names", "choices", "said"),
    [
        (["tflite"], {"deployment_target": "iOS18"}, "expected a choice of tflite, found 'deployment_target'"),
        (["coreml"], {"deployment_target": "iOS16"}, "expected deployment_target iOS17 or iOS18, found 'iOS16'"),
        (["tflite", "coreml"], {"colour": "red"}, "expected a choice of tflite, coreml, found 'colour'"),
    ],
)
def test_a_choice_that_no_runtime_has_is_refused(
    names: list[str], choices: dict[str, str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingError) as refusal:
        lower(bundles.program(), tmp_path / "out", runtimes=names, choices=choices)
    assert refusal.value.message == said and not (tmp_path / "out").exists()


def test_a_runtime_without_choices_says_so() -> None:
    with pytest.raises(SettingError, match="expected no choices of executorch, found 'compute'"):
        runtimes.get("executorch", {"compute": "fast"})
