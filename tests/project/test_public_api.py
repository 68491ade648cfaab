"""The public names of both packages: found by Tab and help, typed, short when printed, strict about arguments."""

import importlib.resources
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mobile_sdk as sdk
import qat
from mobile_sdk.errors import CaptureError, SettingError
from mobile_sdk.verification.verdict import Check, Verdict, status_of
from tests.support.repository import ROOT
from tests.support.training.small_task import CONTRACT, pictures, tiny_net

THOUSAND = tuple(f"label {index}" for index in range(1000))
JUNK: dict[str, Any] = {
    "an object": object(),
    "a number": -3,
    "a fraction": 0.5,
    "a string": "nothing of this name",
    "a list": [1, 2],
    "a dictionary": {"a": 1},
    "None": None,
    "an array": np.zeros((3, 2), np.float32),
    "a picture": Image.new("RGB", (8, 8)),
    "paths": [Path("a.jpg"), Path("b.jpg")],
}


@dataclass(frozen=True, kw_only=True)
class Made:
    """One of everything that the calls take."""

    program: sdk.Program
    twin: sdk.Program
    bundle: sdk.Bundle
    verdict: Verdict
    folder: Path

    def arguments(self) -> dict[str, dict[str, Any]]:
        """Arguments of every function that takes some, with which it does its work."""
        net, data = tiny_net, pictures()
        pixels = data.validation[:4].bytes(CONTRACT.image)
        plan = qat.TrainPlan(epochs=1, batch=8)
        detection = sdk.Contract(
            name="boxes",
            task="detection",
            labels=("a",),
            image=sdk.ImageSpec(size_px=64),
            detection=sdk.DetectionSpec(),
        )
        calibration = qat.CalibrationPlan.extremes()
        return {
            "sdk.benchmark": {"bundles": [self.bundle], "quick": True, "device": "host", "threads": 1, "min_runs": 1},
            "sdk.bisect": {"bundle": self.bundle, "program": self.program, "picture": Image.new("RGB", (20, 20))},
            "sdk.detect": {"output": np.zeros((4, 6), np.float32), "spec": sdk.DetectionSpec(), "size_px": 64},
            "sdk.detect_anchor_free": {
                "maps": [np.zeros((2, 2, 10), np.float32)],
                "labels": 2,
                "spec": sdk.DetectionSpec(),
                "size_px": 64,
            },
            "sdk.layer_distances": {"int8": self.program, "twin": self.twin, "pictures": pixels},
            "sdk.layer_sensitivity": {"program": self.program, "twin": self.twin, "pictures": pixels},
            "sdk.lower": {
                "program": self.program,
                "out": self.folder / "out",
                "runtimes": ("tflite",),
                "pictures": data.validation,
                "activation_limit_kib": None,
            },
            "sdk.masks_of": {"outputs": np.zeros((4, 4, 2), np.int8)},
            "sdk.open_bundle": {"path": self.bundle.path},
            "sdk.Bundle.predict": {"self": self.bundle, "picture": Image.new("RGB", (20, 20))},
            "sdk.Program.predict": {"self": self.program, "picture": Image.new("RGB", (20, 20))},
            "sdk.profile": {"bundle": self.bundle, "program": self.program, "device": "host", "threads": 1, "runs": 1},
            "sdk.run": {"settings": sdk.RunSettings(task="none"), "command": None},
            "sdk.RunSettings": {"data": "digits", "net": None, "width": None, "epochs": 1, "seed": 0, "out": "runs"},
            "sdk.to_bytes": {"sample": Image.new("RGB", (20, 20)), "spec": sdk.ImageSpec(size_px=8)},
            "sdk.verify": {
                "bundle": self.bundle,
                "program": self.program,
                "pictures": data.validation,
                "min_accuracy": 0.1,
                "threads": 1,
                "device": "host",
                "runtime": None,
            },
            "sdk.write_report": {
                "path": self.folder / "page.html",
                "verdicts": [self.verdict],
                "numbers": None,
                "program": self.program,
                "bundles": [self.bundle],
                "commands": ["a"],
                "pictures": data.validation,
                "baseline": None,
            },
            "sdk.Contract": {"name": "n", "labels": ["a", "b"], "image": sdk.ImageSpec(), "task": "classification"},
            "sdk.ImageSpec": {"size_px": 32, "fit": "crop", "crop_share": 1.0, "mean_byte": (0, 0, 0)},
            "sdk.DetectionSpec": {"score_threshold": 0.5, "iou_threshold": 0.5, "max_detections": 3},
            "sdk.Record": {"net": "n", "quantized": "qat", "settings": {}},
            "sdk.Quality": {"measure": "top-1 accuracy", "value": 0.5, "images": 3},
            "sdk.Program.load": {"path": self.folder / "program.pt2"},
            "qat.build_net": {"name": "mobilenet_v3_small", "contract": CONTRACT_32, "width": 0.25},
            "qat.build_detector": {"name": "mobilenet_v3_small", "contract": detection, "width": 0.25},
            "qat.build_segmenter": {
                "name": "mobilenet_v3_small",
                "contract": CONTRACT_32,
                "width": 0.25,
                "output_stride": 16,
            },
            "qat.calibrate": {"net": qat.prepare(net(), CONTRACT), "pictures": data, "plan": calibration},
            "qat.evaluate": {"net": net(), "pictures": data, "contract": CONTRACT},
            "qat.fit": {"net": net(), "pictures": data, "plan": plan, "contract": CONTRACT, "out": self.folder / "fit"},
            "qat.float_twin": {"net": net(), "contract": CONTRACT, "record": None},
            "qat.freeze": {"net": calibrated(), "contract": CONTRACT, "record": None},
            "qat.log_to_tensorboard": {"folder": self.folder / "tensorboard"},
            "qat.prepare": {"net": net(), "contract": CONTRACT, "keep_float": (), "weight_bits": 8},
            "qat.quantize": {"net": net().eval(), "contract": CONTRACT, "pictures": data, "plan": calibration},
            "qat.split_blocks": {"net": net(), "parts": {}},
            "qat.Distillation": {"scores": 1.0, "temperature": 4.0},
            "qat.Augmentation": {},
            "qat.DetectionAugmentation": {},
            "qat.SegmentationAugmentation": {},
            "qat.TrainPlan": {"epochs": 1, "batch": 2, "learning_rate": 0.1, "phases": qat.TrainPlan().phases},
        }


CONTRACT_32 = sdk.Contract(name="n", labels=("a", "b"), image=sdk.ImageSpec(size_px=32))
CALLS = {
    "sdk.benchmark": ("bundles", "device", "threads", "min_runs"),
    "sdk.Bundle.predict": ("picture",),
    "sdk.Program.predict": ("picture",),
    "sdk.profile": ("bundle", "program", "device", "threads", "runs"),
    "sdk.bisect": ("bundle", "program", "picture"),
    "sdk.detect": ("output", "spec", "size_px"),
    "sdk.detect_anchor_free": ("maps", "labels", "spec", "size_px"),
    "sdk.layer_distances": ("int8", "twin", "pictures"),
    "sdk.layer_sensitivity": ("program", "twin", "pictures"),
    "sdk.lower": ("program", "runtimes", "pictures", "activation_limit_kib"),
    "sdk.masks_of": ("outputs",),
    "sdk.open_bundle": ("path",),
    "sdk.run": ("settings", "command"),
    "sdk.RunSettings": ("data", "net", "width", "epochs", "seed", "out"),
    "sdk.to_bytes": ("sample", "spec"),
    "sdk.verify": ("bundle", "program", "pictures", "min_accuracy", "threads", "device", "runtime"),
    "sdk.write_report": ("verdicts", "numbers", "program", "bundles", "commands", "pictures", "baseline"),
    "sdk.Contract": ("name", "labels", "image", "task"),
    "sdk.ImageSpec": ("size_px", "fit", "crop_share", "mean_byte"),
    "sdk.DetectionSpec": ("score_threshold", "iou_threshold", "max_detections"),
    "sdk.Record": ("net", "quantized", "settings"),
    "sdk.Quality": ("measure", "value", "images"),
    "sdk.Program.load": ("path",),
    "qat.build_net": ("name", "contract", "width"),
    "qat.build_detector": ("name", "contract", "width"),
    "qat.build_segmenter": ("name", "contract", "width", "output_stride"),
    "qat.calibrate": ("net", "pictures", "plan"),
    "qat.evaluate": ("net", "pictures", "contract"),
    "qat.fit": ("net", "pictures", "plan", "contract"),
    "qat.float_twin": ("net", "contract", "record"),
    "qat.freeze": ("net", "contract", "record"),
    "qat.log_to_tensorboard": ("folder",),
    "qat.prepare": ("net", "contract", "keep_float", "weight_bits"),
    "qat.quantize": ("net", "contract", "pictures", "plan"),
    "qat.split_blocks": ("net", "parts"),
    "qat.Distillation": ("scores", "temperature"),
    "qat.Augmentation": ("crop_area_share", "aspect_ratio", "rotation_deg", "shift_share"),
    "qat.DetectionAugmentation": ("largest_expansion", "crop_area_share", "aspect_ratio", "least_overlaps"),
    "qat.SegmentationAugmentation": ("scale", "contrast_jitter_share"),
    "qat.TrainPlan": ("epochs", "batch", "learning_rate", "phases"),
}


def calibrated() -> qat.FakeQuantNet:
    net = qat.prepare(tiny_net(), CONTRACT)
    qat.calibrate(net, pictures(), qat.CalibrationPlan.extremes())
    return net


def called(name: str) -> Callable[..., Any]:
    package, *parts = name.split(".")
    found: Any = {"sdk": sdk, "qat": qat}[package]
    for part in parts:
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder, net, data = tmp_path_factory.mktemp("api"), tiny_net().eval(), pictures()
    program = qat.quantize(net, CONTRACT, data, qat.CalibrationPlan.extremes())
    twin = qat.float_twin(net, CONTRACT)
    (bundle,) = sdk.lower(program, folder / "bundles", runtimes="tflite", pictures=data)
    return Made(program=program, twin=twin, bundle=bundle, verdict=sdk.verify(bundle, program, data), folder=folder)


@pytest.fixture(scope="module")
def arguments(made: Made) -> dict[str, dict[str, Any]]:
    return made.arguments()


@pytest.mark.parametrize(("name", "argument"), [(name, each) for name, all_ in CALLS.items() for each in all_])
def test_an_argument_of_another_kind_is_one_line_of_the_sdks_own(
    arguments: dict[str, dict[str, Any]], name: str, argument: str
) -> None:
    call, right = called(name), arguments[name]
    for what, junk in JUNK.items():
        error = raised(lambda junk=junk: call(**{**right, argument: junk}))
        if error is not None:
            assert isinstance(error, sdk.SdkError), f"{name}({argument}={what}): {type(error).__name__}: {error}"
            assert "\n" not in error.message and len(error.message) < 400 and error.hint, what


def raised(call: Callable[[], object]) -> Exception | None:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is judged
        return error
    return None


@pytest.mark.parametrize(
    "name",
    ["load_folder", "load_unlabelled", "load_box_folder", "load_coco_folder", "load_mask_folder", "load_shards"],
)
def test_loaders_take_paths_alone(name: str) -> None:
    for junk in JUNK.values():
        assert isinstance(raised(lambda junk=junk: getattr(qat, name)(junk)), sdk.SdkError)
    for junk in JUNK.values():
        assert isinstance(raised(lambda junk=junk: qat.load_weights(tiny_net(), junk)), sdk.SdkError)
        assert isinstance(raised(lambda junk=junk: qat.write_shards(junk, "shards")), sdk.SdkError)


def test_every_public_function_is_among_the_calls_that_are_tried() -> None:
    takes_arguments = {
        f"{short}.{name}"
        for short, package in (("sdk", sdk), ("qat", qat))
        for name in package.__all__
        if inspect.isfunction(found := getattr(package, name)) and inspect.signature(found).parameters
    }
    loaders = {f"qat.{name}" for name in qat.__all__ if name.startswith(("load_", "composed_", "write_"))}
    of_other_tasks = {f"qat.{verb}_{net}" for verb in ("fit", "evaluate") for net in ("detector", "segmenter")}
    assert takes_arguments - CALLS.keys() - loaders - of_other_tasks <= {"qat.synthesise"}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda made: qat.freeze(tiny_net(), CONTRACT), r"from qat.prepare, found TinyNet \(prepare it: qat.prepare"),
        (lambda made: qat.calibrate(tiny_net(), pictures()), "from qat.prepare, found TinyNet"),
        (lambda made: qat.prepare(calibrated(), CONTRACT), "expected a float net, found a FakeQuantNet"),
        (lambda made: qat.float_twin(calibrated(), CONTRACT), "expected a float net, found a FakeQuantNet"),
        (lambda made: qat.quantize(calibrated(), CONTRACT, pictures()), "expected a float net, found a FakeQuantNet"),
        (lambda made: qat.fit(tiny_net(), pictures().train, contract=CONTRACT), "found PictureSet .give qat.load_f"),
        (lambda made: qat.fit(pictures(), tiny_net()), "as net, found Pictures"),
        (lambda made: qat.quantize(tiny_net(), pictures(), CONTRACT), "found Contract"),
        (lambda made: qat.evaluate(tiny_net(), [Path("a.jpg")], CONTRACT), "found list of 1 .give qat.load_folder"),
        (lambda made: sdk.lower("program.pt2", made.folder), r"found str 'program.pt2' \(load it: Program.load"),
        (lambda made: sdk.benchmark(["x.tflite"]), r"bundles\[0\], found str 'x.tflite' \(open it: open_bundle"),
        (lambda made: sdk.benchmark(made.bundle), "sequence of BundleLike as bundles, found Bundle"),
        (lambda made: sdk.verify(made.bundle.path, made.program, pictures()), "open it: open_bundle"),
        (lambda made: sdk.verify(made.bundle, "program.pt2", pictures()), "load it: Program.load"),
        (
            lambda made: sdk.verify(made.bundle, made.program, [Image.new("RGB", (8, 8))]),
            "with labels, found list of 1 that begins with Image .give qat.load_folder",
        ),
        (
            lambda made: sdk.layer_sensitivity(made.program.graph, made.twin.graph, pictures().validation),
            "expected bytes beside a graph, found PictureSet .give the program itself",
        ),
        (lambda made: sdk.Contract(name="grün", labels=("a", "b")), "letters A-Z and a-z.*found 'grün'"),
        (lambda made: sdk.Contract(name="x", labels={"a", "b"}), "in an order for Contract.labels, found a set"),
        (lambda made: sdk.Contract(name="x", labels="ab"), "each a string, .* found 'ab'"),
        (lambda made: sdk.Contract(name="x", label=("a", "b")), "Contract.label"),
        (lambda made: sdk.ImageSpec(size_px=2), "a number greater than or equal to 8 for ImageSpec.size_px, found 2"),
        (lambda made: qat.TrainPlan(epochs=0), "in the training plan, found epochs=0 .correct epochs"),
        (lambda made: qat.TrainPlan(epochs=2, warm_up_epochs=2), "found warm_up_epochs=2, epochs=2 "),
    ],
)
def test_a_likely_mistake_is_answered_with_the_right_call(
    made: Made, call: Callable[[Made], object], said: str
) -> None:
    with pytest.raises(SettingError, match=said) as caught:
        call(made)
    assert "http" not in str(caught.value) and len(str(caught.value)) < 300


def test_pictures_in_two_parts_give_what_their_part_gives(made: Made) -> None:
    data, plan, net = pictures(), qat.CalibrationPlan.extremes(), tiny_net().eval()
    of_part = qat.quantize(net, CONTRACT, data.train, plan)
    assert qat.quantize(net, CONTRACT, data, plan).digest() == of_part.digest()
    assert qat.evaluate(net, data, CONTRACT) == qat.evaluate(net, data.validation, CONTRACT)
    assert sdk.verify(made.bundle, made.program, data) == sdk.verify(made.bundle, made.program, data.validation)
    whole = sdk.layer_sensitivity(made.program, made.twin, data)
    assert whole == sdk.layer_sensitivity(made.program.graph, made.twin.graph, data.validation.bytes(CONTRACT.image))
    assert sdk.layer_distances(made.program, made.twin, data) == sdk.layer_distances(
        made.program, made.twin, data.validation
    )


@pytest.mark.parametrize("epochs", [1, 2, 3])
@pytest.mark.parametrize(
    "make",
    [
        qat.TrainPlan,
        qat.TrainPlan.digits,
        qat.TrainPlan.detector,
        qat.TrainPlan.segmenter,
        qat.TrainPlan.finetune,
        qat.TrainPlan.distil,
        qat.TrainPlan.mobilenet_v1_paper,
        qat.TrainPlan.mobilenet_v2_paper,
        qat.TrainPlan.mobilenet_v3_paper,
    ],
)
def test_every_plan_can_be_as_short_as_one_epoch(make: Callable[..., qat.TrainPlan], epochs: int) -> None:
    plan = make(epochs=epochs)
    assert plan.epochs == epochs and plan.warm_up <= epochs / 2
    assert plan.over(1).warm_up <= 0.5


def test_progress_is_shown_silenced_or_handed_over_by_every_long_call(
    made: Made, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data, extremes, plan = pictures(), qat.CalibrationPlan.extremes(), qat.TrainPlan(epochs=1, batch=8)
    calls: dict[str, Callable[[Any], object]] = {
        "quantize": lambda progress: qat.quantize(tiny_net().eval(), CONTRACT, data, extremes, progress=progress),
        "calibrate": lambda progress: qat.calibrate(
            qat.prepare(tiny_net(), CONTRACT), data, extremes, progress=progress
        ),
        "fit": lambda progress: qat.fit(tiny_net(), data, plan, contract=CONTRACT, progress=progress),
        "lower": lambda progress: sdk.lower(made.program, tmp_path, runtimes="tflite", progress=progress),
        "verify": lambda progress: sdk.verify(made.bundle, made.program, data, progress=progress),
        "benchmark": lambda progress: sdk.benchmark([made.bundle], quick=True, progress=progress),
        "profile": lambda progress: sdk.profile(made.bundle, made.program, runs=3, progress=progress),
        "layer_sensitivity": lambda progress: sdk.layer_sensitivity(made.program, made.twin, data, progress=progress),
    }
    for name, call in calls.items():
        capfd.readouterr()
        call(False)
        assert capfd.readouterr().err == "", name
        told: list[tuple[float, str]] = []
        call(lambda share, text, told=told: told.append((share, text)))
        assert told and all(0 <= share <= 1 and text for share, text in told), name
        assert capfd.readouterr().err == "", name
        with pytest.raises(SettingError, match="progress as a bool or a function, found str"):
            call("yes")
    for name in ("quantize", "calibrate", "fit"):
        calls[name](True)
        assert capfd.readouterr().err, name


def test_a_verdict_is_true_only_where_its_status_is_pass(made: Made) -> None:
    model = Check.judged("model file", True, measured="equal", required="equal")
    ran = Check.judged("steps apart", True, measured=0, required="0")
    skipped = Check.skipped("apple's own runtime", required="…", reason="no Mac")
    assert made.verdict and made.verdict.status == "pass"
    assert made.verdict.model_copy(update={"status": status_of([model, ran, skipped])})
    for status in ("fail", "not_run"):
        assert not made.verdict.model_copy(update={"status": status})


def test_a_verdict_of_another_program_cannot_be_asserted(made: Made) -> None:
    other = qat.quantize(tiny_net(seed=1).eval(), CONTRACT, pictures(), qat.CalibrationPlan.extremes())
    with pytest.raises(AssertionError):
        assert sdk.verify(made.bundle, other, pictures())


def test_whatever_is_printed_is_one_short_line(made: Made) -> None:
    many = sdk.Contract(name="imagenet", labels=THOUSAND)
    data = pictures()
    wide = qat.Pictures(train=data.train, validation=data.validation, labels=THOUSAND)
    history = qat.fit(tiny_net(), data, qat.TrainPlan(epochs=1, batch=8), contract=CONTRACT, progress=False)
    numbers = sdk.benchmark([made.bundle], quick=True)
    sensitivity = sdk.layer_sensitivity(made.program, made.twin, data)
    report = sdk.write_report(made.folder / "short.html", [made.verdict], numbers, program=made.program)
    shown = [many, wide, data.train, made.program, made.program.graph, made.program.record, made.bundle]
    shown += [made.bundle.manifest, made.verdict, numbers, history, calibrated(), sensitivity, report]
    shown += [made.bundle.predict(Image.new("RGB", (20, 20)))]
    shown += [qat.composed_digits(2, 2), qat.composed_masks(2, 2), qat.composed_digits(2, 2).train]
    for each in shown:
        for text in (repr(each), str(each)):
            assert len(text) <= 200 and "\n" not in text, f"{type(each).__name__}: {text[:300]}"
            assert text.startswith(f"{type(each).__name__}("), text
    assert "60 pictures, 3 labels" in repr(data.train)
    assert "FAIL" in repr(made.verdict.model_copy(update={"status": "fail"}))


def test_notebooks_show_tables_of_verdict_numbers_and_program(made: Made) -> None:
    numbers = sdk.benchmark([made.bundle], quick=True)
    hostile = made.verdict.model_copy(update={"bundle": "<script>"})
    for each, told in (
        (made.verdict, made.verdict.checks[0].name),
        (hostile, "&lt;script&gt;"),
        (made.program, made.program.record.net),
        (numbers, made.bundle.path.name),
        (numbers.measurements[0], made.bundle.path.name),
    ):
        html = each._repr_html_()
        assert html.count("<table>") == html.count("</table>") == 1 and told in html and "<script>" not in html
        assert len(html) < 20_000
    assert repr(numbers.measurements[0]).startswith(f"Measurement({made.bundle.path.name}, ")
    failed = made.verdict.model_copy(
        update={"checks": (*made.verdict.checks, made.verdict.checks[0].model_copy(update={"outcome": "fail"}))}
    )
    assert failed._repr_html_().partition("<tbody>")[2].startswith("<tr><td>✗ FAIL")


@pytest.mark.parametrize("labels", [2, 4, 1000])
def test_a_label_count_that_is_not_the_nets_is_refused_before_anything_begins(labels: int) -> None:
    contract = sdk.Contract(name="n", labels=THOUSAND[:labels], image=CONTRACT.image)
    for call in (
        lambda: qat.prepare(tiny_net(), contract),
        lambda: qat.float_twin(tiny_net(), contract),
        lambda: qat.quantize(tiny_net(), contract, pictures()),
    ):
        with pytest.raises(SettingError, match=f"{labels} scores, as many as the contract has labels, found 3"):
            call()


def test_the_counts_of_detectors_and_segmenters_are_held_to_their_contracts() -> None:
    image = sdk.ImageSpec(size_px=64, fit="stretch")

    def boxes(labels: int) -> sdk.Contract:
        spec = sdk.DetectionSpec()
        return sdk.Contract(name="n", task="detection", labels=THOUSAND[:labels], image=image, detection=spec)

    def masks(labels: int) -> sdk.Contract:
        return sdk.Contract(name="n", task="segmentation", labels=THOUSAND[:labels], image=image)

    detector = qat.build_detector("mobilenet_v3_small", boxes(3), width=0.25).eval()
    segmenter = qat.build_segmenter("mobilenet_v3_small", masks(3), width=0.25).eval()
    assert qat.prepare(detector, boxes(3)) and qat.prepare(segmenter, masks(3))
    with pytest.raises(SettingError, match="9 numbers an anchor: 4 of a box, one of nothing, 4 of the labels, found 8"):
        qat.prepare(detector, boxes(4))
    with pytest.raises(SettingError, match="4 scores, as many as the contract has labels, found 3"):
        qat.prepare(segmenter, masks(4))
    with pytest.raises(SettingError, match="expected a net for classification, found a detector"):
        qat.prepare(detector, sdk.Contract(name="n", labels=THOUSAND[:8], image=image))


@pytest.mark.parametrize("package", [sdk, qat])
def test_tab_and_help_show_the_public_names_and_nothing_else(package: Any) -> None:
    shown = [name for name in dir(package) if not name.startswith("__")]
    assert shown == sorted(package.__all__)
    assert re.fullmatch(r"\d+\.\d+.*", package.__version__) and "__version__" in dir(package)
    missing = [name for name in package.__all__ if name not in package.__doc__]
    assert not missing, f"the docstring of {package.__name__} lacks {missing}"


@pytest.mark.parametrize("package", ["mobile_sdk", "qat"])
def test_the_packages_say_that_they_are_typed(package: str) -> None:
    assert importlib.resources.files(package).joinpath("py.typed").is_file()


@pytest.mark.slow
def test_readmes_python_passes_mypys_strict_checks(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert blocks
    script = tmp_path / "readme_block.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(script)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_importing_torchao_says_nothing_and_leaves_the_users_logging_alone() -> None:
    program = (
        "import logging, warnings; logging.basicConfig(level=logging.INFO); log = logging.getLogger('torchao');"
        "import torch; before = list(warnings.filters);"
        "import qat; qat.prepare, qat.freeze;"
        "assert log.level == logging.NOTSET and log.isEnabledFor(logging.INFO);"
        "assert warnings.filters == before;"
        "logging.getLogger('mine').info('heard')"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines() == ["INFO:mine:heard"] and not ran.stdout


def test_a_net_that_has_seen_nothing_is_told_what_to_do() -> None:
    with pytest.raises(CaptureError, match="have seen no picture"):
        qat.freeze(qat.prepare(tiny_net(), CONTRACT), CONTRACT)
