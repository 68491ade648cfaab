"""The Android app: compiled against real classes, tested on a desktop's Java, its resources linked, its style held."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from mobile_sdk.benchmarking.measurements import Numbers
from mobile_sdk.benchmarking.statistics import summarize
from mobile_sdk.errors import MachineError
from mobile_sdk.system.environment import installed_versions
from tests.support.apps.android_app import (
    PROJECT,
    RUNTIME,
    SOURCES,
    AndroidApp,
    AppTests,
    expected_answers,
    golden_answers,
    namespace,
)
from tests.support.apps.kotlin_toolchain import KotlinToolchain

CATALOGUE = PROJECT / "gradle/libs.versions.toml"
PACKAGES = {
    "mobilesdk.runtime": ("json", "picture", "tensor", "task", "signing", "bundle", "model"),
    "mobilesdk.demo": ("shelf", "benchmark", "overlay", "camera", "screen"),
}
"""The packages of the library and of the app, in the order of the data's way; each imports only those before it."""

TASKS = r"\b(?:Classification|Detection|Segmentation|task\.Features)\b"
LITERALS_OF_MODELS = (
    r"(?<!SHA-)(?<!P-)\b(96|112|128|160|192|224|240|256|260|288|299|300|320|331|384|512)\b",  # sides of pictures
    r"\b0?\.(485|456|406|229|224|225|5)f\b|\b(0\.485|0\.456|0\.406|0\.229|0\.225)\b",  # ImageNet, 0..1
    r"\b(123\.\d+|116\.\d+|103\.\d+|58\.\d+|57\.\d+|127\.5)\b",  # the same in bytes
)


@pytest.mark.slow
def test_kotlins_own_tests_pass(android_tests: AppTests) -> None:
    closing = re.fullmatch(r"(\d+) passed, (\d+) failed", android_tests.output.strip().splitlines()[-1])
    assert closing is not None and int(closing[1]) >= 50 and int(closing[2]) == 0
    written = sum(file.read_text(encoding="utf-8").count("@Test") for file in PROJECT.rglob("*Test.kt"))
    assert int(closing[1]) == written, "every test that is written has run"


@pytest.mark.slow
@pytest.mark.parametrize("bundle", ["test.executorch", "test-float.tflite"])
def test_python_reads_the_apps_benchmark_as_its_own(android_tests: AppTests, bundle: str) -> None:
    numbers = Numbers.model_validate_json((android_tests.reports / f"{bundle}.bench.json").read_bytes(), strict=True)
    (measurement,) = numbers.measurements
    assert measurement.bundle == bundle and measurement.samples is not None and measurement.summary is not None
    expected = summarize(measurement.samples.rounds_ms)
    assert flat(measurement.summary.model_dump()) == pytest.approx(flat(expected.model_dump()), rel=1e-12)
    assert measurement.advice == expected.advice
    assert numbers.environment.python is None
    assert numbers.verdict is None


@pytest.mark.slow
def test_kotlin_gives_pythons_bytes_and_winners_for_every_golden_picture(
    android_app: AndroidApp, demo_fixtures: Path
) -> None:
    kinds = ("bundles", "detectors", "segmenters", "features", "inputs", "earlier/schema-1", "earlier/schema-2")
    folders = [folder for kind in kinds for folder in sorted((demo_fixtures / kind).iterdir())]
    assert golden_answers(android_app, folders) == expected_answers(folders)


@pytest.mark.slow
def test_calls_that_android_6_does_not_know_do_not_compile(kotlin: KotlinToolchain, tmp_path: Path) -> None:
    options = ["-no-jdk", "-no-stdlib"]
    (tmp_path / "Later.kt").write_text('val path = java.nio.file.Paths.get("a")\n', encoding="utf-8")  # Android 8
    with pytest.raises(MachineError, match="to succeed"):
        kotlin.compile([tmp_path], tmp_path / "out", [kotlin.standard_library, kotlin.android_jar], options=options)


@pytest.mark.slow
def test_sources_keep_to_kotlins_style(kotlin: KotlinToolchain, tmp_path: Path) -> None:
    assert kotlin.lint(PROJECT) == []
    (tmp_path / "Bad.kt").write_text("class  Bad{}\n", encoding="utf-8")
    assert any("Bad.kt:1:" in line for line in kotlin.lint(tmp_path))


def test_packages_follow_the_datas_way_and_none_is_large() -> None:
    homes = {"mobilesdk.runtime": RUNTIME / "main/kotlin", namespace(): SOURCES}
    before: list[str] = []
    for root, packages in PACKAGES.items():
        home = homes[root] / root.replace(".", "/")
        assert sorted(folder.name for folder in home.iterdir()) == sorted(packages)
        for package in packages:
            files = list((home / package).iterdir())
            text = "\n".join(file.read_text(encoding="utf-8") for file in files)
            imported = re.findall(r"^import (mobilesdk\.(?:runtime|demo)\.[a-z]+)\.", text, re.MULTILINE)
            assert set(imported) <= set(before), package
            assert len(files) <= 12, package
            before.append(f"{root}.{package}")


def test_only_the_package_of_tasks_asks_which_task_a_model_has() -> None:
    homes = {path.parent.name for path in sources() if re.search(TASKS, path.read_text(encoding="utf-8"))}
    assert homes == {"task"}


def test_no_size_mean_label_or_scale_stands_in_the_app(demo_fixtures: Path) -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in sources()}
    assert len(texts) > 20
    for path, text in texts.items():
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
        for pattern in LITERALS_OF_MODELS:
            assert not re.search(pattern, code), f"{path.name}: {re.search(pattern, code)}"
    everything = "\n".join(texts.values()) + (PROJECT / "app/src/main/res/values/strings.xml").read_text("utf-8")
    for folder in (demo_fixtures / "bundles").iterdir():
        manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        for literal in (*manifest["labels"], manifest["outputs"][0]["scale"]):
            assert literal is None or str(literal) not in everything


@pytest.mark.parametrize("literal", ["val side = 224", "resize(224, 224)", "val mean = 0.485", "127.5f", "x / 58.395"])
def test_a_literal_of_a_model_would_be_found(literal: str) -> None:
    assert any(re.search(pattern, literal) for pattern in LITERALS_OF_MODELS)


def test_the_manifests_activities_are_there_and_only_those_that_are_meant_are_open_to_others() -> None:
    manifest = (PROJECT / "app/src/main/AndroidManifest.xml").read_text(encoding="utf-8")
    activities = re.findall(r'android:name="([\w.]+Activity)"', manifest)
    assert len(activities) == manifest.count("<activity") == 2
    for name in activities:
        assert name.startswith(namespace()) and (SOURCES / f"{name.replace('.', '/')}.kt").is_file()


def test_the_benchmark_is_open_to_the_shell_alone_and_shows_itself_over_the_lock() -> None:
    manifest = ET.parse(PROJECT / "app/src/main/AndroidManifest.xml").getroot()
    android = "{http://schemas.android.com/apk/res/android}"
    found = {each.get(f"{android}name", "").split(".")[-1]: each for each in manifest.iter("activity")}
    benchmark = found["BenchmarkActivity"]
    assert benchmark.get(f"{android}permission") == "android.permission.DUMP"
    assert benchmark.get(f"{android}process") == ":benchmark"
    assert {benchmark.get(f"{android}{name}") for name in ("showWhenLocked", "turnScreenOn")} == {"true"}


def test_the_app_takes_executorch_in_the_version_that_exports() -> None:
    versions = dict(re.findall(r'^(\w+) = "([\d.]+)"$', CATALOGUE.read_text(encoding="utf-8"), re.MULTILINE))
    assert versions["executorch"] == installed_versions(["executorch"])["executorch"]


def test_the_readme_describes_every_view_and_every_string_is_used() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    layouts = [path.read_text(encoding="utf-8") for path in (PROJECT / "app/src/main/res/layout").glob("*.xml")]
    views = [name for text in layouts for name in re.findall(r"@\+id/(\w+)", text)]
    assert len(views) >= 8
    for name in views:
        assert f"`{name}`" in readme
    code = "\n".join(path.read_text(encoding="utf-8") for path in (*SOURCES.rglob("*.kt"), *PROJECT.rglob("*.xml")))
    for name in re.findall(r'<string name="(\w+)"', code):
        assert f"R.string.{name}" in code or f"@string/{name}" in code, name


def sources() -> list[Path]:
    """Kotlin's sources of the library and of the app."""
    return [*(RUNTIME / "main").rglob("*.kt"), *SOURCES.rglob("*.kt")]


def flat(summary: dict[str, Any]) -> dict[str, Any]:
    """The summary with its interval's ends beside the others."""
    return {**summary, **summary["median_interval_ms"], "median_interval_ms": 0, "advice": 0}
