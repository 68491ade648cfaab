"""`embed` puts bundles into an app unchanged, and whatever is in the way is told before anything is written."""

import filecmp
import re
import string
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.bundle.writer import copy_bundle
from mobile_sdk.embedding.embedding import Embedding, embed
from mobile_sdk.embedding.glue import EMBEDDABLE, kotlin_glue, swift_glue
from mobile_sdk.embedding.usage import kotlin_use
from mobile_sdk.errors import SettingError
from mobile_sdk.runtimes.base import Platform
from tests.support import bundles
from tests.support.apps.android_app import AndroidApp
from tests.support.command_line import mobile_sdk
from tests.support.fixtures import features_bundles
from tests.support.nets import detectors
from tests.support.repository import ROOT

DEMO = ROOT / "android_demo"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """A bundle of every runtime."""
    folder = tmp_path_factory.mktemp("bundles")
    return {runtime: bundles.lowered(folder, runtime) for runtime in ("tflite", "executorch", "coreml")}


@pytest.fixture
def android(tmp_path: Path) -> Path:
    """A Gradle project of a user's own."""
    (tmp_path / "android/app/src/main/kotlin").mkdir(parents=True)
    return tmp_path / "android"


@pytest.fixture
def ios(tmp_path: Path) -> Path:
    """An Xcode project of a user's own."""
    (tmp_path / "ios/Fruit.xcodeproj").mkdir(parents=True)
    return tmp_path / "ios"


def same(first: Path, second: Path) -> bool:
    """Tells whether two folders hold equal files with equal bytes."""
    files = [sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file()) for root in (first, second)]
    return files[0] == files[1] and all(filecmp.cmp(first / path, second / path, shallow=False) for path in files[0])


def text_of(done: Embedding) -> str:
    return "\n".join(done.advice)


def test_bundles_go_to_an_android_apps_assets_unchanged(written: dict[str, Bundle], android: Path) -> None:
    chosen = [written["tflite"], written["executorch"]]
    done = embed(chosen, "android", android)
    assert [copy.path for copy in done.bundles] == [
        android / "app/src/main/assets/bundles" / bundle.path.name for bundle in chosen
    ]
    assert all(same(bundle.path, copy.path) for bundle, copy in zip(chosen, done.bundles, strict=True))
    assert "org.pytorch:executorch-android:" in text_of(done) and "com.google.ai.edge.litert:litert:" in text_of(done)
    assert done.glue == android / "app/src/main/kotlin/mobilesdk/EmbeddedBundles.kt"
    assert {"test.tflite", "test.executorch"} <= set(done.glue.read_text(encoding="utf-8").split('"'))


def test_bundles_go_to_an_ios_apps_folder_reference_unchanged(written: dict[str, Bundle], ios: Path) -> None:
    done = embed([written["coreml"]], "ios", ios)
    assert same(written["coreml"].path, ios / "Bundles/test.coreml")
    assert "folder reference" in text_of(done) and "executorch" not in text_of(done)
    assert done.glue is not None and '"test.coreml"' in done.glue.read_text(encoding="utf-8")


def test_the_demo_reads_bundles_itself_and_gets_no_glue(written: dict[str, Bundle], tmp_path: Path) -> None:
    (tmp_path / "app/src/main/kotlin/mobilesdk/demo/shelf").mkdir(parents=True)
    assert (DEMO / "app/src/main/kotlin/mobilesdk/demo/shelf/EmbeddedBundles.kt").is_file()
    assert embed([written["tflite"]], "android", tmp_path).glue is None


def test_a_detectors_bundle_goes_into_both_apps_with_its_golden_detections(
    android: Path, ios: Path, tmp_path: Path
) -> None:
    written = lower(
        detectors.program(), tmp_path, runtimes=["tflite", "executorch", "coreml"], pictures=detectors.pictures()
    )
    by_runtime = {bundle.manifest.runtime: bundle for bundle in written}
    for app, platform, runtime in ((android, "android", "tflite"), (ios, "ios", "coreml")):
        (copy,) = embed([by_runtime[runtime]], platform, app).bundles
        assert same(by_runtime[runtime].path, copy.path) and copy.manifest.detection is not None
        assert (copy.path / "golden/2.detections.json").is_file()


def test_a_second_call_replaces_its_bundle_keeps_the_others_and_names_all(
    written: dict[str, Bundle], android: Path
) -> None:
    embed([written["tflite"]], "android", android)
    (android / "app/src/main/assets/bundles/test.tflite/model.tflite").write_bytes(b"old")
    done = embed([written["tflite"]], "android", android)
    assert same(written["tflite"].path, done.bundles[0].path)
    done = embed([written["executorch"]], "android", android)
    open_bundle(android / "app/src/main/assets/bundles/test.tflite")
    assert done.glue is not None and {"test.tflite", "test.executorch"} <= set(done.glue.read_text("utf-8").split('"'))


@pytest.mark.parametrize(("platform", "runtime"), [("android", "coreml"), ("ios", "tflite")])
def test_a_bundle_that_the_platform_cannot_run_is_refused(
    written: dict[str, Bundle], android: Path, ios: Path, platform: Platform, runtime: str
) -> None:
    app = android if platform == "android" else ios
    with pytest.raises(SettingError, match=f"found {runtime} in test.{runtime}") as caught:
        embed([written["executorch"], written[runtime]], platform, app)
    assert "--to" in caught.value.hint
    assert not any(path.name == "bundle.json" for path in app.rglob("*")), "nothing was written"


@pytest.mark.parametrize(("platform", "expected"), [("android", "Gradle project"), ("ios", "Xcode project")])
def test_a_folder_that_is_no_app_is_refused(
    written: dict[str, Bundle], tmp_path: Path, platform: Platform, expected: str
) -> None:
    with pytest.raises(SettingError, match=expected):
        embed([written["executorch"]], platform, tmp_path)


def test_what_is_no_bundle_and_no_glue_of_ours_is_never_overwritten(written: dict[str, Bundle], android: Path) -> None:
    with pytest.raises(SettingError, match="different names"):
        embed([written["tflite"], written["tflite"]], "android", android)
    foreign = android / "app/src/main/assets/bundles/test.tflite/notes.txt"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("mine", encoding="utf-8")
    with pytest.raises(SettingError, match=r"notes\.txt"):
        embed([written["tflite"]], "android", android)
    glue = android / "app/src/main/kotlin/mobilesdk/EmbeddedBundles.kt"
    glue.parent.mkdir()
    glue.write_text("object EmbeddedBundles", encoding="utf-8")
    with pytest.raises(SettingError, match="found another"):
        embed([written["executorch"]], "android", android)
    assert foreign.read_text("utf-8") == "mine" and glue.read_text("utf-8") == "object EmbeddedBundles"


def test_the_command_says_where_bundles_went_and_what_to_add(written: dict[str, Bundle], android: Path) -> None:
    bundle = str(written["tflite"].path)
    done = mobile_sdk("embed", bundle, "--android", str(android))
    assert done.code == 0, done.err
    assert "assets/bundles/test.tflite" in done.out and "build.gradle.kts" in done.out and "written: " in done.out
    done = mobile_sdk("embed", bundle, "--android", str(android), "--json")
    assert done.json["bundles"][0]["runtime"] == "tflite" and done.json["glue"].endswith(".kt")


@pytest.mark.parametrize(("options", "found"), [((), "neither"), (("--android", "a", "--ios", "b"), "both")])
def test_the_command_takes_one_app(written: dict[str, Bundle], options: tuple[str, ...], found: str) -> None:
    done = mobile_sdk("embed", str(written["tflite"].path), *options)
    assert done.code == 2
    assert f"found {found}" in done.err and "name one app" in done.err


NASTY = (
    'a"b',
    "a$b",
    "a${b}",
    "a%s",
    r"a\(exit(0))",
    "a\\",
    "a\nb",
    "früchte",
    "a b",
    ".hidden",
    "_aapt_ignores",
    "a" + chr(0x2028),
)


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize(("platform", "runtime"), [("android", "tflite"), ("ios", "coreml")])
def test_a_folder_whose_name_would_mean_something_in_source_code_is_refused_and_nothing_is_written(
    written: dict[str, Bundle], android: Path, ios: Path, tmp_path: Path, name: str, platform: Platform, runtime: str
) -> None:
    app = {"android": android, "ios": ios}[platform]
    before = sorted(app.rglob("*"))
    bundle = copy_bundle(written[runtime], tmp_path / f"{name}.{runtime}")
    with pytest.raises(SettingError, match="expected folders named by letters, digits") as error:
        embed([bundle], platform, app)
    assert error.value.message.isascii() and "\n" not in error.value.message
    assert sorted(app.rglob("*")) == before
    copy_bundle(written[runtime], tmp_path / app / "App/Bundles" / name)  # there already, from whomever
    copy_bundle(written[runtime], tmp_path / app / "app/src/main/assets/bundles" / name)
    with pytest.raises(SettingError, match="expected folders named by letters, digits"):
        embed([written[runtime]], platform, app)


@given(name=st.text(max_size=20) | st.from_regex(EMBEDDABLE, fullmatch=True))
@pytest.mark.parametrize("glue", [kotlin_glue, swift_glue])
def test_whatever_a_folder_is_called_the_glue_holds_its_name_or_is_refused(
    glue: Callable[[Sequence[str]], str], name: str
) -> None:
    try:
        source = glue([name])
    except SettingError:
        assert not EMBEDDABLE.fullmatch(name)
        return
    assert source.count(f'"{name}",\n') == 1
    assert set(name) <= set(string.ascii_letters + string.digits + "_.-")


def test_two_folders_whose_names_differ_in_case_alone_are_refused(written: dict[str, Bundle], ios: Path) -> None:
    """The file systems of a Mac and of an iPhone may take them for one."""
    other = copy_bundle(written["coreml"], ios / "elsewhere" / written["coreml"].path.name.upper())
    with pytest.raises(SettingError, match="bundles of different names"):
        embed([written["coreml"], other], "ios", ios)


@pytest.mark.slow
def test_the_glue_for_android_compiles_and_keeps_to_the_style(
    written: dict[str, Bundle], android_app: AndroidApp, android: Path, tmp_path: Path
) -> None:
    glue = embed([written["tflite"]], "android", android).glue
    assert glue is not None
    kotlin = android_app.toolchain
    classpath = [kotlin.standard_library, kotlin.android_jar]
    kotlin.compile([glue], tmp_path / "classes", classpath, options=["-no-jdk", "-no-stdlib"])
    assert (tmp_path / "classes/mobilesdk/EmbeddedBundles.class").is_file()
    assert kotlin.lint(glue.parent) == []


@pytest.mark.slow
def test_the_code_that_embed_shows_compiles_in_an_app_that_has_the_module(
    written: dict[str, Bundle], android_app: AndroidApp, android: Path, tmp_path: Path
) -> None:
    done = embed([written["tflite"]], "android", android)
    assert done.glue is not None and done.usage is not None
    code = done.usage.partition("\n\n")[2]
    assert code == kotlin_use("test.tflite")
    (done.glue.parent / "Recognize.kt").write_text(f"package own.app\n\n{code}\n", encoding="utf-8")
    kotlin = android_app.toolchain
    classpath = [android_app.runtime, *android_app.classpath, kotlin.android_jar]
    kotlin.compile([done.glue.parent], tmp_path / "classes", classpath, options=["-no-jdk", "-no-stdlib"])
    assert (tmp_path / "classes/own/app/RecognizeKt.class").is_file()
    assert kotlin.lint(done.glue.parent) == []


def test_an_app_of_ones_own_is_shown_how_to_ask_the_bundle_and_the_demo_is_not(
    written: dict[str, Bundle], android: Path, ios: Path, tmp_path: Path
) -> None:
    for app, platform, runtime in ((android, "android", "executorch"), (ios, "ios", "coreml")):
        usage = embed([written[runtime]], platform, app).usage
        assert usage is not None and f'"test.{runtime}"' in usage
        for path in re.findall(r"(?:android|ios)_demo/\w+", usage):
            assert (ROOT / path).is_dir(), path
    (tmp_path / "demo/app/src/main/kotlin/mobilesdk/demo/shelf").mkdir(parents=True)
    assert embed([written["tflite"]], "android", tmp_path / "demo").usage is None


def test_a_model_of_arrays_is_shown_no_function_of_pictures(android: Path, tmp_path: Path) -> None:
    features_bundles.write_features(tmp_path, ["tflite"])
    assert embed([open_bundle(tmp_path / "spectrum.tflite")], "android", android).usage is None
