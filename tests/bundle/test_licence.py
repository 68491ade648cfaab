"""A model's licence is in its contract, its manifest, and the model files that have a place for it."""

from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.contract import Contract, ContractError
from mobile_sdk.errors import SettingError
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.coreml.package.manifest import MODEL_PATH
from mobile_sdk.runtimes.coreml.toolbox import coremltools_quietly
from mobile_sdk.verification.verification import verify
from mobile_sdk.workflow.contracts import licensed
from tests.support import bundles

LICENCE = "CC-BY-4.0 (photographs), Apache-2.0"


@pytest.fixture(scope="module")
def program() -> Program:
    whole = bundles.program()
    return replace(whole, contract=licensed(whole.contract, LICENCE))


@pytest.fixture(scope="module")
def written(program: Program, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    names = ["tflite", "coreml", "onnx"]
    folder = tmp_path_factory.mktemp("licensed")
    return dict(zip(names, lower(program, folder, runtimes=names, progress=False), strict=True))


def test_a_program_keeps_its_licence(program: Program, tmp_path: Path) -> None:
    program.save(tmp_path / "program.pt2")
    assert Program.load(tmp_path / "program.pt2").contract.licence == LICENCE
    assert "licence" not in bundles.program().contract.model_dump()


def test_model_files_carry_it(written: dict[str, Bundle]) -> None:
    assert {bundle.manifest.licence for bundle in written.values()} == {LICENCE}
    (props,) = onnx.load(written["onnx"].model_path).metadata_props
    assert (props.key, props.value) == ("licence", LICENCE)
    with coremltools_quietly() as tools:
        spec = tools.utils.load_spec(str(written["coreml"].model_path / "Data" / MODEL_PATH))
    assert spec.description.metadata.license == LICENCE
    assert LICENCE.encode() in written["tflite"].model_path.read_bytes()


def test_another_licence_than_the_programs_is_found(written: dict[str, Bundle], program: Program) -> None:
    folder = written["tflite"].path
    bundles.forge(folder, lambda content: content.update(licence="public domain"))
    failed = {check.name for check in verify(open_bundle(folder), program).checks if check.outcome == "fail"}
    assert failed == {"contract"}


@pytest.mark.parametrize("text", ["", " MIT", "MIT\n", "ß", "x" * 201])
def test_a_licence_that_is_no_line_of_ascii_is_refused(text: str) -> None:
    with pytest.raises(ContractError):
        Contract(name="n", labels=("a", "b"), licence=text)
    with pytest.raises(SettingError, match="expected a --licence of up to 200 letters of ASCII"):
        licensed(bundles.program().contract, text)
