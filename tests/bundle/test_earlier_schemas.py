"""Files that the SDK wrote in earlier schemas are read with their content: programs, bundles, verdicts and reports.

`schemas/schema_1.zip` holds files that the code of 28 November 2026 wrote, of a task each. Schema 2 of a bundle differs
in the manifest alone: `schemas/<task>-2.json` belongs to the same files, and so does schema 3's.
"""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import mobile_sdk
from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.bundle.manifest import Manifest
from mobile_sdk.bundle.manifest_file import MANIFEST_FILE, BundleRefusalError
from mobile_sdk.contract import Contract, ContractError, DetectionSpec, ImageSpec
from mobile_sdk.errors import BundleError, DataError
from mobile_sdk.program.agreement import Agreement
from mobile_sdk.program.earlier_documents import EarlierContract
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from mobile_sdk.report.write import redraw_report
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.tasks.registry import TASKS
from mobile_sdk.verification.verdict import read_verdicts
from mobile_sdk.verification.verification import verify
from qat.nets.saved_net import SavedNet
from tests.support import bundles
from tests.support.fixtures import damage
from tests.support.fixtures.damage import Content

SCHEMAS = Path(damage.__file__).parent / "schemas"
EARLIER = [name for name, task in TASKS.items() if task.is_judged]  # features came with schema 3
each_task = pytest.mark.parametrize("task", EARLIER)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("earlier")
    with zipfile.ZipFile(SCHEMAS / "schema_1.zip") as file:
        file.extractall(folder)
    for task in EARLIER:
        for number in (2, 3):
            written = Path(shutil.copytree(folder / f"{task}.tflite", folder / f"schema-{number}" / f"{task}.tflite"))
            shutil.copyfile(SCHEMAS / f"{task}-{number}.json", written / MANIFEST_FILE)
    return folder


def bundle_of(earlier: Path, task: str, number: int) -> Bundle:
    return open_bundle(earlier / ("" if number == 1 else f"schema-{number}") / f"{task}.tflite")


def true_labels(task: str) -> list[int | None]:
    """The golden pictures' labels, which schema 1 told."""
    content = json.loads((SCHEMAS / f"{task}-1.json").read_text("utf-8"))
    return [each["label_index"] for each in content["golden"]["pictures"]]


def pictures(bundle: Bundle) -> list[tuple[Image.Image, int]]:
    """The golden pictures, as those to verify with."""
    labels = enumerate(true_labels(bundle.manifest.task))
    files = [(bundle.path / f"golden/{index}.png", label) for index, label in labels]
    return [(Image.open(path), -1 if label is None else label) for path, label in files]


@each_task
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_bundle_of_every_schema_opens_and_verifies_against_its_program(earlier: Path, task: str, number: int) -> None:
    bundle, program = bundle_of(earlier, task, number), Program.load(earlier / f"{task}.pt2")
    assert bundle.manifest.schema_number == number and bundle.manifest.contract == program.contract
    assert bundle.manifest.program_sha256 == program.digest()
    assert bundle.manifest.quality.measure == TASKS[program.contract.task].measure
    assert bundle.manifest.quality.int8_reference is not None
    verdict = verify(bundle, program, pictures(bundle), progress=False)
    outcomes = {check.name: check.outcome for check in verdict.checks}
    assert verdict and outcomes["golden"] == outcomes["golden pictures"] == outcomes["golden tolerance"] == "pass"
    assert [each.label_index for each in verdict.golden] == true_labels(task)


@each_task
def test_an_earlier_program_written_again_is_the_same_and_gives_the_same_model(
    earlier: Path, tmp_path: Path, task: str
) -> None:
    program = Program.load(earlier / f"{task}.pt2")
    program.save(tmp_path / "again.pt2")
    again = Program.load(tmp_path / "again.pt2")
    assert (again.digest(), again.contract, again.record) == (program.digest(), program.contract, program.record)
    written = lower(again, tmp_path, runtimes="tflite", pictures=pictures(open_bundle(earlier / f"{task}.tflite")))[0]
    assert written.manifest.schema_number == 3
    of_old = bundle_of(earlier, task, 3)
    assert portable(written.manifest) == portable(of_old.manifest)
    for index, expected in enumerate(written.manifest.golden.pictures):
        given = (of_old.path / f"golden/{index}.input.bin").read_bytes()
        assert hashlib.sha256(given).hexdigest() == expected.input_sha256
    before = earlier / f"{task}.tflite/model.tflite"
    assert written.runtime.differences(before, written.model_path, program.graph) == []


def portable(manifest: Manifest) -> dict[str, Any]:
    """All but golden inputs, which bundles of today hold as hashes, the files of golden detections, and the model's.

    The exponentials of those scores differ by processor in the last bit. Model files of November held nothing beside
    the graph, whose output had another name, and equal vectors twice. The last golden picture has a colour profile now.
    """
    content = manifest.model_dump(exclude={"manifest_sha256"})
    left_out = (".detections.json", ".input.bin", "model.tflite", "golden/2.png")
    content["files"] = [each for each in content["files"] if not each["path"].endswith(left_out)]
    content["structure"].pop("bytes_by_part")
    content["outputs"][0].pop("name")
    for picture in content["golden"]["pictures"]:
        picture.pop("input_sha256", None)
    return content


@each_task
def test_the_example_manifests_of_all_schemas_say_the_same(earlier: Path, task: str) -> None:
    first, second, third = (json.loads((SCHEMAS / f"{task}-{number}.json").read_text("utf-8")) for number in (1, 2, 3))
    assert first == json.loads((earlier / f"{task}.tflite" / MANIFEST_FILE).read_text("utf-8"))
    moved = {"kind": "image", "resize": first["resize"], "tensor": first["interface"]["input"]}
    assert second["inputs"] == [{**first["image"], **moved}]
    assert second["outputs"] == [first["interface"]["output"]]
    same = ("name", "task", "labels", "runtime", "precision", "model", "structure", "program_sha256", "graph_sha256")
    assert {name: first[name] for name in same} == {name: second[name] for name in same}
    assert second.pop("versions") and [each.pop("label_index", "none") for each in second["golden"]["pictures"]]
    changed = {"schema_number": 3, "manifest_sha256": third["manifest_sha256"]}
    assert third == {**second, **changed}


@pytest.mark.parametrize("number", [1, 2])
def test_what_nobody_can_check_is_read_over_in_earlier_bundles(earlier: Path, tmp_path: Path, number: int) -> None:
    """Versions, true labels and arithmetic are neither shown nor believed."""
    pristine = bundle_of(earlier, "classification", number)
    folder = Path(shutil.copytree(pristine.path, tmp_path / pristine.path.name))

    def forged(content: Content) -> None:
        content["versions"] = {"anything": "at all"}
        content["golden"]["expected_by"] = "reference (an abacus)"
        content["golden"]["pictures"][0]["label_index"] = 4711

    damage.resealed(folder, forged)
    same = {"manifest_sha256": pristine.manifest.manifest_sha256}
    assert open_bundle(folder).manifest.model_copy(update=same) == pristine.manifest


@each_task
def test_what_is_hashed_of_a_contract_is_spelled_as_it_was(earlier: Path, task: str) -> None:
    with zipfile.ZipFile(earlier / f"{task}.pt2") as file:
        name = next(name for name in file.namelist() if name.endswith("contract.json"))
        text = file.read(name).decode()
    contract = Program.load(earlier / f"{task}.pt2").contract
    assert EarlierContract.of(contract).model_dump_json(indent=1) == text
    header = json.dumps({"net": "mobilenet_v2", "contract": json.loads(text)})
    assert SavedNet.model_validate_json(header).contract == contract, "nets of that time are loaded"
    again = SavedNet.model_validate_json(header).model_dump_json()
    assert SavedNet.model_validate_json(again).contract == contract


@each_task
def test_earlier_verdicts_and_reports_are_read(earlier: Path, tmp_path: Path, task: str) -> None:
    verdict = read_verdicts(earlier / f"{task}-verify.json")[0]
    assert verdict.quality is not None and verdict.quality == verdict.reference_quality
    assert verdict.quality.measure == TASKS[task].measure  # type: ignore[index]  # a task's name
    assert verdict.comparison is not None and verdict.comparison.top1_agreement == 1
    report = redraw_report(earlier / f"{task}-report.json", tmp_path / "page.html")
    assert report.task == task and report.golden and all(picture.answers for picture in report.golden)
    assert {line.quality.measure for line in report.qualities} == {verdict.quality.measure}
    assert report.record == Program.load(earlier / f"{task}.pt2").record


def test_a_newer_file_is_refused_by_its_number(earlier: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.json"
    newer.write_text('{"schema_number": 3, "everything": "is otherwise"}', encoding="utf-8")
    with pytest.raises(BundleError, match="schema_number 2 or lower, found 3: a newer SDK"):
        read_verdicts(newer)
    with pytest.raises(DataError, match="schema_number 2 or lower, found 3: a newer SDK"):
        redraw_report(newer, tmp_path / "page.html")
    folder = earlier / "classification.tflite"
    content = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    (folder / MANIFEST_FILE).rename(tmp_path / MANIFEST_FILE)
    bundles.reseal(folder, {**content, "schema_number": 4})
    with pytest.raises(BundleRefusalError, match="schema_number 3 or lower, found 4: a newer SDK"):
        open_bundle(folder)
    (tmp_path / MANIFEST_FILE).replace(folder / MANIFEST_FILE)
    open_bundle(folder)


def test_other_inputs_and_outputs_than_one_image_and_one_output_are_refused_in_one_line(
    tmp_path: Path,
) -> None:
    pristine = bundles.lowered(tmp_path)
    content = json.loads((pristine.path / MANIFEST_FILE).read_text(encoding="utf-8"))
    image, output = content["inputs"][0], content["outputs"][0]
    for changes, said in (
        ({"inputs": [{"kind": "sound", "shape": [3]}]}, "expected one image or tensor as input, found sound"),
        ({"inputs": [image, image]}, "expected one image or tensor as input, found image, image"),
        ({"inputs": []}, "expected one image or tensor as input, found none"),
        ({"outputs": [output] * 65}, "expected 1 to 64 outputs, found 65"),
        ({"outputs": []}, "expected 1 to 64 outputs, found none"),
    ):
        damage.resealed(pristine.path, lambda manifest, changes=changes: manifest.update(changes))
        with pytest.raises(BundleRefusalError, match=f"^fields: {said} \\(update") as refused:
            open_bundle(pristine.path)
        assert refused.value.check == "fields" and "\n" not in str(refused.value)
        bundles.reseal(pristine.path, content)


def test_a_contract_takes_one_image_and_names_what_was_renamed() -> None:
    image = ImageSpec(size_px=32)
    by_image, by_inputs = (
        Contract(name="n", labels=("a", "b"), image=image),
        Contract(name="n", labels=("a", "b"), inputs=(image,)),
    )
    assert by_image == by_inputs and by_image.image == image
    with pytest.raises(ContractError, match="expected one image or tensor as input, found none"):
        Contract(name="n", labels=("a", "b"), inputs=())
    for name, now in (("least_score_share", "score_threshold"), ("most", "max_detections")):
        with pytest.raises(ContractError, match=f"it is called {now} now"):
            DetectionSpec(**{name: 0.5})
    with pytest.raises(ContractError, match="it is called reference_quality now"):
        Record(net="n", quantized="qat", reference_accuracy=None)  # type: ignore[call-arg]


def test_an_earlier_name_is_told_the_new_one_before_it_is_missed() -> None:
    for part, fields, now in (
        (Agreement, {"top1_share": 1.0, "sqnr_db": 30.0, "pictures": 4}, "top1_agreement"),
        (Agreement, {"top1_agreement": 1.0, "sqnr_db": 30.0, "pictures": 4}, "images"),
        (Quality, {"measure": "top-1 accuracy", "share": 0.5, "images": 4}, "value"),
        (Quality, {"measure": "top-1 accuracy", "value": 0.5, "images": 4, "by_label": (0.5, 0.5)}, "by_class"),
    ):
        with pytest.raises(ContractError, match=f"it is called {now} now"):
            part(**fields)
    with pytest.raises(ContractError, match="check its spelling"):
        Quality(measure="top-1 accuracy", value=0.5, images=4, most=3)  # type: ignore[call-arg]  # DetectionSpec's
    with pytest.raises(AttributeError, match="it is called Quality now"):
        mobile_sdk.Accuracy  # noqa: B018
