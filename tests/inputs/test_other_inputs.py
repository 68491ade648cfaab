"""Nets that do not read square RGB pictures, from PyTorch to the bundles of all runtimes."""

import base64
import io
import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import mobile_sdk as sdk
import qat
from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import BundleRefusalError, open_bundle
from mobile_sdk.contract import Contract, ContractError, ImageSpec, TensorSpec
from mobile_sdk.errors import BundleError, DataError, SettingError
from mobile_sdk.program.program import Program
from mobile_sdk.report.collect import collect
from mobile_sdk.report.plots.heat_map import heat_map
from qat.data.arrays import load_arrays, spanning
from qat.data.pictures import load_folder
from tests.support import bundles
from tests.support.nets.other_inputs import INPUTS, LABELS, net_for, program_for, samples_for
from tests.support.written_here import WRITTEN_HERE

RUNTIMES = WRITTEN_HERE
each_input = pytest.mark.parametrize("name", INPUTS)


@each_input
def test_every_runtime_gives_the_references_codes_and_verifies(name: str, tmp_path: Path) -> None:
    program, samples = program_for(name), samples_for(INPUTS[name])
    for bundle in sdk.lower(program, tmp_path, pictures=samples, progress=False):
        verdict = sdk.verify(bundle, program, samples, progress=False)
        assert verdict.comparison is not None and verdict.comparison.max_steps == 0
        assert not [check for check in verdict.checks if check.outcome == "fail"]
        assert bundle.manifest.contract == program.contract


@pytest.mark.parametrize("name", ["four channels", "spectrogram", "numbers"])
def test_made_up_goldens_use_most_codes_and_are_known_as_made_up(name: str, tmp_path: Path) -> None:
    program = program_for(name)
    (bundle,) = sdk.lower(program, tmp_path, runtimes="tflite", progress=False)
    assert bundle.manifest.golden.source == "generated"
    assert np.ptp(bundle.golden_pictures().astype(int)) > (60 if name == "numbers" else 150)
    verdict = sdk.verify(bundle, program, samples_for(INPUTS[name]), progress=False)
    assert {check.name: check.outcome for check in verdict.checks}["golden pictures"] == "pass"


@each_input
def test_a_program_file_holds_its_input(name: str, tmp_path: Path) -> None:
    program = program_for(name)
    program.save(tmp_path / "program.pt2")
    again = Program.load(tmp_path / "program.pt2")
    assert (again.digest(), again.contract) == (program.digest(), program.contract)


def test_a_float_twin_reads_an_arrays_numbers(tmp_path: Path) -> None:
    spec, samples = INPUTS["spectrogram"], samples_for(INPUTS["spectrogram"])
    net = net_for(spec)
    twin = qat.float_twin(net, Contract(name="other", labels=LABELS, inputs=(spec,)))
    for bundle in sdk.lower(twin, tmp_path, pictures=samples, progress=False):
        assert not [
            check for check in sdk.verify(bundle, twin, samples, progress=False).checks if check.outcome == "fail"
        ]
        with torch.inference_mode():
            wanted = net(samples.tensors(spec)).numpy()
        loaded = runtimes.get(bundle.manifest.runtime).load(bundle.model_path, bundle.interface, threads=1)
        with closing(loaded) as session:
            found = np.stack([session.run(row) for row in samples.bytes(spec)])
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_squares_and_rgb_are_spelled_as_before_and_others_say_what_differs() -> None:
    assert "channels" not in ImageSpec().model_dump_json() and ImageSpec(size_px=(32, 32)).size_px == 32
    written = json.loads(ImageSpec(size_px=(96, 64), channels=1).model_dump_json())
    assert (written["size_px"], written["channels"], written["mean_byte"]) == ([96, 64], 1, [128.0])
    with pytest.raises(ContractError, match="mean_byte must have a number for each of 1 channels"):
        ImageSpec(channels=1, mean_byte=(1.0, 2.0, 3.0))


def test_tasks_whose_answers_are_places_in_pictures_take_no_arrays() -> None:
    spec = TensorSpec.of_range((1, 49, 10), -1, 1)
    with pytest.raises(ContractError, match="a segmentation reads pictures, not an array"):
        Contract(name="a", labels=("a", "b"), task="segmentation", tensor=spec)
    with pytest.raises(ContractError, match="expected a net that reads pictures"):
        _ = Contract(name="a", labels=("a", "b"), tensor=spec).image


def test_a_range_has_zero_among_its_codes() -> None:
    spec = TensorSpec.of_range((3,), 2.0, 8.0)
    assert (spec.zero_point, spec.scale) == (-128, float(np.float32(8 / 255)))
    assert TensorSpec.of_range((3,), 0.0, 0.0).scale == 1.0


def test_a_program_whose_contract_names_another_grid_is_refused(tmp_path: Path) -> None:
    program = program_for("spectrogram")
    spec = program.contract.input
    assert isinstance(spec, TensorSpec)
    other = spec.model_copy(update={"zero_point": spec.zero_point + 1})
    forged = Program(
        graph=program.graph, contract=Contract(name="other", labels=LABELS, tensor=other), record=program.record
    )
    forged.save(tmp_path / "forged.pt2")
    with pytest.raises(BundleError, match="expected a graph of the contract's"):
        Program.load(tmp_path / "forged.pt2")


def test_a_golden_array_that_was_changed_is_refused(tmp_path: Path) -> None:
    (bundle,) = sdk.lower(program_for("numbers"), tmp_path, runtimes="tflite", progress=False)
    file = bundle.path / "golden/0.values.bin"
    values = np.frombuffer(file.read_bytes(), "<f4") + np.float32(1)
    bundles.forge(bundle.path, bundles.nothing, **{"golden/0.values.bin": values.tobytes()})
    with pytest.raises(BundleRefusalError, match=r"expected golden/0.values.bin to give the input of input_sha256"):
        open_bundle(bundle.path)


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for label in ("down", "up"):
        (tmp_path / label).mkdir()
        for index in range(5):
            np.save(tmp_path / label / f"{index}.npy", random.normal(0, 1, (1, 4, 6)).astype(np.float32))
    return tmp_path


def test_a_folder_of_arrays_is_read_by_its_labels(commands: Path) -> None:
    arrays = load_folder(commands)
    assert arrays.labels == ("down", "up") and (len(arrays.train), len(arrays.validation)) == (8, 2)
    spec = spanning(arrays.train, (1, 4, 6))
    assert arrays.train.bytes(spec).shape == (8, 4, 6, 1) and len(np.unique(arrays.train.bytes(spec))) > 100
    with pytest.raises(DataError, match=r"expected arrays of shape \(4, 6\), found \(1, 4, 6\)"):
        spanning(arrays.train, (4, 6))


def test_arrays_beside_pictures_are_other_files(commands: Path) -> None:
    for label in ("down", "up"):
        for index in range(2):
            bundles.pictures()[index][0].save(commands / label / f"{index}.png")
    assert all(source.suffix == ".png" for source in load_folder(commands).train.sources)


def test_one_file_holds_inputs_and_labels(tmp_path: Path) -> None:
    inputs = np.random.default_rng(0).integers(0, 255, (10, 1, 4, 6), np.uint8)
    np.savez(tmp_path / "commands.npz", inputs=inputs, labels=np.array([10, 9] * 5))
    arrays = load_arrays(tmp_path / "commands.npz")
    assert arrays.labels == ("9", "10") and (len(arrays.train), len(arrays.validation)) == (8, 2)
    assert isinstance(arrays.train[0][0], np.ndarray) and arrays.train[0][0].dtype == np.int16
    np.savez(tmp_path / "other.npz", inputs=inputs)
    with pytest.raises(DataError, match=r"expected an array 'labels' in .*other\.npz, found inputs"):
        load_arrays(tmp_path / "other.npz")


def test_a_pickle_in_an_array_file_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / "odd.npz", inputs=np.array([{}, {}], object), labels=np.array([0, 1]))
    with pytest.raises(DataError, match="expected an array of numbers"):
        load_arrays(tmp_path / "odd.npz")


def test_a_picture_in_place_of_an_array_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"expected an array \(1, 49, 10\), found"):
        sdk.lower(program_for("spectrogram"), tmp_path, runtimes="tflite", pictures=bundles.pictures(), progress=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "said"), [("spectrogram", "array of 1 × 49 × 10"), ("grey", "28 × 20 px, grey")])
def test_the_report_says_what_the_net_reads_and_shows_it(name: str, said: str, tmp_path: Path) -> None:
    program = program_for(name)
    found = sdk.lower(
        program, tmp_path / "bundles", runtimes="tflite", pictures=samples_for(INPUTS[name]), progress=False
    )
    report = collect((), None, program=program, bundles=found, layers=(), commands=())
    assert report.input is not None and report.input.startswith(said)
    assert [each.title for each in report.golden] == [
        f"golden/{index}.{'values.bin' if name == 'spectrogram' else 'png'}" for index in range(3)
    ]
    for each in report.golden:
        assert Image.open(io.BytesIO(base64.b64decode(each.png_base64))).format == "PNG"


def test_a_heat_map_is_red_above_zero_blue_below_and_pale_at_it() -> None:
    drawn = Image.open(io.BytesIO(heat_map(np.array([[-2.0, 0.0, 2.0]], np.float32)))).convert("RGB")
    (cold, middle, hot) = (drawn.getpixel((x, 0)) for x in (0, drawn.width // 2, drawn.width - 1))
    assert (cold, middle, hot) == ((33, 60, 130), (245, 245, 240), (178, 36, 36))
