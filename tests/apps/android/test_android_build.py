"""Checks what Gradle, a phone's system and Play read of the Android app, as far as it can be done without them."""

import hashlib
import os
import re
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from mobile_sdk.embedding.glue import gradle_advice
from mobile_sdk.embedding.usage import gradle_use
from tests.support.apps.android_app import PROJECT, AndroidApp
from tests.support.apps.android_listing import LEVEL, ListedClass, fetch_listing, misfits, read_listing
from tests.support.apps.class_file import ClassFile, Reference, read_classes

GRADLE = "9.4.1"
WRAPPER_SHA256 = "55243ef57851f12b070ad14f7f5bb8302daceeebc5bce5ece5fa6edb23e1145c"
DISTRIBUTION_SHA256 = "2ab2958f2a1e51120c326cad6f385153bb11ee93b3c216c5fccebfdfbb7ec6cb"
"""Both as Gradle publishes them for this version."""

LEAST_GRADLE = {"9.0": "9.1.0", "9.1": "9.3.1", "9.2": "9.4.1", "9.3": "9.5.0", "9.4": "9.6.0"}
"""It maps a version of Android's Gradle plugin to the oldest Gradle that its release notes allow."""

LIBRARIES_PERMISSIONS = {"FOREGROUND_SERVICE", "FOREGROUND_SERVICE_DATA_SYNC"}
"""The manifests of LiteRT's AARs ask for these; ExecuTorch's asks for nothing."""

SOURCE = "Landroid/graphics/ImageDecoder$Source;"
ANDROID, TOOLS = "{http://schemas.android.com/apk/res/android}", "{http://schemas.android.com/tools}"
MAIN = PROJECT / "app/src/main"


def properties(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def app_script() -> str:
    return (PROJECT / "app/build.gradle.kts").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def manifest() -> ET.Element:
    return ET.parse(MAIN / "AndroidManifest.xml").getroot()


def test_the_wrapper_is_gradles_own_and_asks_for_the_distribution_by_its_digest() -> None:
    home = PROJECT / "gradle/wrapper"
    assert hashlib.sha256((home / "gradle-wrapper.jar").read_bytes()).hexdigest() == WRAPPER_SHA256
    wanted = properties(home / "gradle-wrapper.properties")
    assert wanted["distributionUrl"].endswith(f"/gradle-{GRADLE}-bin.zip")
    assert wanted["distributionSha256Sum"] == DISTRIBUTION_SHA256
    assert os.access(PROJECT / "gradlew", os.X_OK)
    assert b"\r\n" in (PROJECT / "gradlew.bat").read_bytes(), "Windows' shell needs its own ends of lines"


@pytest.mark.skipif(shutil.which("java") is None, reason="java is missing: apt-get install openjdk-17-jre-headless")
@pytest.mark.parametrize("whole", [True, False])
def test_the_wrapper_unpacks_the_distribution_and_refuses_another_one(tmp_path: Path, whole: bool) -> None:
    """A played Gradle without a program: the wrapper unpacks it and looks for one, or has refused it before."""
    shutil.copytree(PROJECT / "gradle/wrapper", tmp_path / "gradle/wrapper")
    shutil.copy(PROJECT / "gradlew", tmp_path)
    played = tmp_path / f"gradle-{GRADLE}-bin.zip"
    with zipfile.ZipFile(played, "w") as archive:
        for folder in ("", "bin/", "lib/"):
            archive.mkdir(f"gradle-{GRADLE}/{folder}")
        archive.writestr(f"gradle-{GRADLE}/bin/gradle", "")
        archive.writestr(f"gradle-{GRADLE}/lib/played.jar", "")
    path = tmp_path / "gradle/wrapper/gradle-wrapper.properties"
    wanted = {**properties(path), "distributionUrl": played.as_uri().replace(":", r"\:"), "validateDistributionUrl": ""}
    wanted["distributionSha256Sum"] = hashlib.sha256(played.read_bytes()).hexdigest() if whole else DISTRIBUTION_SHA256
    path.write_text("".join(f"{name}={value}\n" for name, value in wanted.items()), encoding="utf-8")
    environment = {**os.environ, "GRADLE_USER_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [tmp_path / "gradlew", "--version"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert ("Verification of Gradle distribution failed" in said) is not whole, said[-2000:]
    assert ("does not appear to contain a Gradle distribution" in said) is whole, said[-2000:]


def test_the_plugin_has_the_gradle_that_it_needs_and_compiles_kotlin_itself() -> None:
    catalogue = (PROJECT / "gradle/libs.versions.toml").read_text(encoding="utf-8")
    plugin = re.search(r'^androidGradlePlugin = "(\d+\.\d+)\.\d+"$', catalogue, re.MULTILINE)
    assert plugin is not None
    assert numbers(GRADLE) >= numbers(LEAST_GRADLE[plugin[1]])
    scripts = "".join(path.read_text(encoding="utf-8") for path in PROJECT.rglob("*.kts"))
    assert "kotlin.android" not in scripts + catalogue and "kotlin-android" not in scripts + catalogue
    assert properties(PROJECT / "gradle.properties")["android.uniquePackageNames"] == "false", "LiteRT's AARs share one"


def test_the_library_is_a_module_that_needs_nothing_of_the_project_around_it() -> None:
    script = (PROJECT / "runtime/build.gradle.kts").read_text(encoding="utf-8")
    assert 'include(":app", ":runtime")' in (PROJECT / "settings.gradle.kts").read_text(encoding="utf-8")
    assert 'implementation(project(":runtime"))' in app_script()
    assert "libs." not in script and "project(" not in script and 'id("com.android.library")' in script
    assert namespace_of("runtime") == "mobilesdk.runtime" != namespace_of("app")
    catalogue = (PROJECT / "gradle/libs.versions.toml").read_text(encoding="utf-8")
    versions = dict(re.findall(r'^(\w+) = "([\d.]+)"$', catalogue, re.MULTILINE))
    modules = re.findall(r'^(\w+) = \{ module = "([\w.:-]+)"', catalogue, re.MULTILINE)
    for name, module in modules:
        assert f'"{module}:{versions[name]}"' in script, name
    assert script.count("JavaVersion.VERSION_17") == 2 and "jvmTarget = JvmTarget.JVM_17" in script
    for module in ("app", "runtime"):
        text = (PROJECT / module / "build.gradle.kts").read_text(encoding="utf-8")
        (shared,) = re.findall(r'kotlin\.srcDir\("([\w./]+)"\)', text)
        assert (PROJECT / module / shared / "mobilesdk/runtime/Fixtures.kt").is_file()


def namespace_of(module: str) -> str:
    found = re.search(r'namespace = "([\w.]+)"', (PROJECT / module / "build.gradle.kts").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def test_java_and_kotlin_are_compiled_for_one_version_whatever_java_runs_gradle() -> None:
    assert app_script().count("JavaVersion.VERSION_17") == 2
    assert "kotlin {" in app_script() and "compilerOptions { jvmTarget = JvmTarget.JVM_17 }" in app_script()


def test_the_app_installs_only_where_its_native_libraries_load() -> None:
    assert min_level() >= 26, "ExecuTorch's library is built for android-26"
    assert 'abiFilters += listOf("arm64-v8a", "x86_64")' in app_script()
    target = re.search(r"targetSdk = (\d+)", app_script())
    assert target is not None and min_level() < int(target[1]) <= LEVEL


def test_what_is_measured_can_be_built_as_a_release_without_a_key_of_its_own() -> None:
    block = re.search(r'create\("benchmark"\) \{(.*?)\n        \}', app_script(), re.DOTALL)
    assert block is not None
    for setting in ('initWith(getByName("release"))', 'signingConfigs.getByName("debug")', "isProfileable = true"):
        assert setting in block[1]


def test_the_merged_manifest_asks_for_the_camera_alone(manifest: ET.Element) -> None:
    asked, removed = set(), set()
    for element in manifest.findall("uses-permission"):
        name = element.attrib[f"{ANDROID}name"].removeprefix("android.permission.")
        (removed if element.get(f"{TOOLS}node") == "remove" else asked).add(name)
    assert (asked | LIBRARIES_PERMISSIONS) - removed == {"CAMERA"}


def test_a_phone_without_a_camera_or_autofocus_may_install_the_app(manifest: ET.Element) -> None:
    required = {
        element.attrib[f"{ANDROID}name"].removeprefix("android.hardware."): element.get(f"{ANDROID}required")
        for element in manifest.findall("uses-feature")
    }
    assert required == dict.fromkeys(("camera.any", "camera", "camera.autofocus"), "false")


@pytest.mark.parametrize(("folder", "light"), [("values", "true"), ("values-night", "false")])
def test_the_status_bar_is_read_on_the_themes_background(folder: str, light: str) -> None:
    style = ET.parse(MAIN / f"res/{folder}/themes.xml").getroot().find("style")
    assert style is not None
    items = {item.attrib["name"]: item.text for item in style.findall("item")}
    assert items["android:windowLightStatusBar"] == light
    assert items["android:statusBarColor"] == "@android:color/transparent"
    assert str(style.get("parent")).endswith(".Light") is (light == "true")


def test_no_part_of_the_live_screen_is_read_out_without_end() -> None:
    view = (MAIN / "kotlin/mobilesdk/demo/screen/ScreenView.kt").read_text(encoding="utf-8")
    regions = set(re.findall(r'android:id="@\+id/(\w+)"[^>]*accessibilityLiveRegion', layout("main")))
    assert regions == {"notice", "predictions"}
    assert "if (isQuiet) View.ACCESSIBILITY_LIVE_REGION_NONE" in view


@pytest.mark.parametrize("name", ["main", "benchmark"])
def test_a_view_that_takes_the_systems_insets_has_no_padding_of_its_own(name: str) -> None:
    """Android puts the insets in the place of the padding."""
    for tag in re.findall(r"<\w[^>]*fitsSystemWindows[^>]*>", layout(name)):
        assert "android:padding" not in tag
    assert "fitsSystemWindows" in layout(name)


def test_the_readmes_first_commands_are_there() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert "gradle wrapper" not in readme
    for command in ("./gradlew installDebug", "./gradlew installBenchmark", "./gradlew assembleDebug lint"):
        assert command in readme


@pytest.fixture(scope="module")
def listing() -> dict[str, ListedClass]:
    return read_listing(fetch_listing(print))


@pytest.mark.slow
def test_all_that_the_app_uses_of_android_is_in_the_newest_api_and_in_the_oldest_phone(
    android_app: AndroidApp, listing: dict[str, ListedClass]
) -> None:
    found, looked_up = misfits(read_classes(android_app.folder / "app"), listing, min_level())
    of_runtime, looked_up_there = misfits(read_classes(android_app.runtime), listing, level_of("runtime"))
    found, looked_up = [*found, *of_runtime], [*looked_up, *looked_up_there]
    assert found == []
    assert len(looked_up) > 400 and any(each.owner == "android.hardware.camera2.CameraManager" for each in looked_up)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        (Reference("android.view.View", "setSystemGestureExclusionRects", "(Ljava/util/List;)V"), "came with API 29"),
        (
            Reference("android.graphics.ImageDecoder", "decodeBitmap", f"({SOURCE})Landroid/graphics/Bitmap;"),
            "came with API 28",
        ),
        (Reference("android.view.View", "setKeepScreenOn", "(I)V"), "listed as"),
        (Reference("android.view.View", "setKeepScreenOn", "(Z)I"), "listed as"),
        (Reference("android.view.View", "keepScreenAwake", "(Z)V"), "no such member"),
        (Reference("android.view.Viewer", "setKeepScreenOn", "(Z)V"), "no such class"),
        (Reference("own.Screen", "setContentPicture", "(I)V"), "no such member"),
    ],
)
def test_what_android_has_not_or_only_later_is_found(
    listing: dict[str, ListedClass], reference: Reference, complaint: str
) -> None:
    right = Reference("own.Screen", "setContentView", "(I)V")
    screen = ClassFile(
        name="own.Screen",
        parents=("android.app.Activity",),
        declared=frozenset(),
        references=frozenset({reference, right}),
    )
    ((found,), looked_up) = misfits([screen], listing, 26)
    assert complaint in found and reference.name in found
    assert len(looked_up) == 2


def test_embed_names_the_demos_own_level_and_libraries() -> None:
    advice = "\n".join(gradle_advice(["tflite", "executorch"]))
    versions = tomllib.loads((PROJECT / "gradle/libs.versions.toml").read_text(encoding="utf-8"))["versions"]
    assert all(f"with minSdk {min_level()} or more" in said for said in (advice, gradle_use("fruit.tflite")))
    assert f'litert:litert:{versions["litert"]}"' in advice
    assert f'executorch-android:{versions["executorch"]}"' in advice


def layout(name: str) -> str:
    return (MAIN / f"res/layout/{name}.xml").read_text(encoding="utf-8")


def min_level() -> int:
    return level_of("app")


def level_of(module: str) -> int:
    script = (PROJECT / module / "build.gradle.kts").read_text(encoding="utf-8")
    found = re.search(r"minSdk = (\d+)", script)
    assert found is not None
    return int(found[1])


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
