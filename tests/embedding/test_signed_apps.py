"""An app that was given a key takes what its private key has signed and nothing else, and never forgets the key."""

import json
import shutil
from pathlib import Path

import pytest

from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.bundle.writer import copy_bundle
from mobile_sdk.embedding.embedding import KEY_FILE, embed
from mobile_sdk.embedding.signed_glue import kotlin_signed, swift_signed
from mobile_sdk.errors import BundleError, SettingError
from mobile_sdk.runtimes.base import Platform
from mobile_sdk.signing.keys import public_der
from tests.support import bundles
from tests.support.apps.android_app import AndroidApp
from tests.support.apps.swift_toolchain import BUILD, PACKAGE, STUBS, SwiftToolchain
from tests.support.child_process import run
from tests.support.command_line import mobile_sdk
from tests.support.fixtures.damage import flip
from tests.support.fixtures.signed_bundles import signed
from tests.support.repository import ROOT
from tests.support.signing import private_pem, public_pem, signer

PLACES: dict[Platform, str] = {"android": "app/src/main/assets/bundles", "ios": "Bundles"}
GLUE: dict[Platform, str] = {"android": "app/src/main/kotlin/mobilesdk/SignedBundles.kt", "ios": "SignedBundles.swift"}
JSON_OF_ANDROID = """
package org.json

import mobilesdk.runtime.json.JsonArray as Items
import mobilesdk.runtime.json.JsonObject as Fields
import mobilesdk.runtime.json.JsonText
import mobilesdk.runtime.json.parseJson

class JSONObject(private val fields: Fields) {
    constructor(text: String) : this(parseJson(text) as Fields)

    fun getString(name: String): String = (fields.fields.getValue(name) as JsonText).value

    fun getJSONArray(name: String) = JSONArray(fields.fields.getValue(name) as Items)
}

class JSONArray(private val items: Items) {
    fun length() = items.items.size

    fun getJSONObject(index: Int) = JSONObject(items.items[index] as Fields)
}
"""
OPENED = """
import java.io.File
import java.io.IOException

fun main(folders: Array<String>) {
    for (folder in folders) {
        val said =
            try {
                mobilesdk.SignedBundles.checked(File(folder)).name
            } catch (refusal: IOException) {
                "refused: ${refusal.message}"
            }
        println(said)
    }
}
"""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    (tmp_path / "signer.pub.pem").write_bytes(public_pem())
    return tmp_path / "signer.pub.pem"


@pytest.fixture
def apps(tmp_path: Path) -> dict[Platform, Path]:
    """A project of a user's own for each platform."""
    (tmp_path / "android/app/src/main/kotlin").mkdir(parents=True)
    (tmp_path / "ios/Fruit.xcodeproj").mkdir(parents=True)
    return {"android": tmp_path / "android", "ios": tmp_path / "ios"}


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> dict[Platform, Bundle]:
    folder = tmp_path_factory.mktemp("unsigned")
    return {"android": bundles.lowered(folder, "tflite"), "ios": bundles.lowered(folder, "coreml")}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, unsigned: dict[Platform, Bundle]) -> dict[Platform, Bundle]:
    """A signed bundle for each platform."""
    folder = tmp_path_factory.mktemp("signed")
    for bundle in unsigned.values():
        signed(copy_bundle(bundle, folder / bundle.path.name).path)
    return {platform: open_bundle(folder / bundle.path.name) for platform, bundle in unsigned.items()}


@pytest.mark.parametrize("platform", PLACES)
def test_the_key_goes_beside_the_bundles_and_into_the_glue(
    written: dict[Platform, Bundle], apps: dict[Platform, Path], key: Path, platform: Platform
) -> None:
    done = embed([written[platform]], platform, apps[platform], key=key)
    der = public_der(signer().public_key())
    assert (apps[platform] / PLACES[platform] / KEY_FILE).read_bytes() == der
    assert done.signed_glue == apps[platform] / GLUE[platform]
    write = {"android": kotlin_signed, "ios": swift_signed}[platform]
    assert done.signed_glue.read_text(encoding="utf-8") == write(der)
    assert done.glue is not None and "SignedBundles.checked" in done.glue.read_text(encoding="utf-8")
    assert open_bundle(done.bundles[0].path, key=key).is_signed


@pytest.mark.parametrize("platform", PLACES)
def test_a_bundle_that_is_not_signed_with_the_key_is_refused_and_nothing_is_written(
    unsigned: dict[Platform, Bundle], apps: dict[Platform, Path], key: Path, platform: Platform
) -> None:
    before = sorted(apps[platform].rglob("*"))
    name = unsigned[platform].path.name
    with pytest.raises(BundleError, match=rf"the bundle {name}: signature: .* found no bundle\.sig") as caught:
        embed([unsigned[platform]], platform, apps[platform], key=key)
    assert "--sign" in caught.value.hint
    assert sorted(apps[platform].rglob("*")) == before


def test_an_app_that_has_a_key_is_not_given_bundles_without_it(
    written: dict[Platform, Bundle], unsigned: dict[Platform, Bundle], apps: dict[Platform, Path], key: Path
) -> None:
    embed([written["android"]], "android", apps["android"], key=key)
    for bundle in (written["android"], unsigned["android"]):
        with pytest.raises(SettingError, match="expected --key, as the app takes signed bundles alone"):
            embed([bundle], "android", apps["android"])
    assert "checked" in (apps["android"] / GLUE["android"]).read_text(encoding="utf-8")


def test_a_new_key_asks_for_every_bundle_of_the_app_signed_anew(
    written: dict[Platform, Bundle], apps: dict[Platform, Path], key: Path, tmp_path: Path
) -> None:
    app = apps["android"]
    embed([written["android"]], "android", app, key=key)
    other = bundles.lowered(tmp_path / "other", "executorch", sign=_private(tmp_path, 7))
    (tmp_path / "other.pub.pem").write_bytes(public_pem(number=7))
    with pytest.raises(BundleError, match=r"the app's bundle test\.tflite: signature: .* another key"):
        embed([other], "android", app, key=tmp_path / "other.pub.pem")
    both = [other, bundles.lowered(tmp_path / "other", "tflite", sign=_private(tmp_path, 7))]
    embed(both, "android", app, key=tmp_path / "other.pub.pem")
    assert (app / PLACES["android"] / KEY_FILE).read_bytes() == public_der(signer(7).public_key())


def _private(folder: Path, number: int) -> Path:
    (folder / "other.pem").write_bytes(private_pem(number=number))
    return folder / "other.pem"


def test_the_demo_reads_the_key_itself_and_gets_no_glue(
    written: dict[Platform, Bundle], key: Path, tmp_path: Path
) -> None:
    sources = "app/src/main/kotlin/mobilesdk/demo"
    (tmp_path / sources / "shelf").mkdir(parents=True)
    done = embed([written["android"]], "android", tmp_path, key=key)
    assert done.glue is None and done.signed_glue is None
    named = f'"{KEY_FILE}"'
    assert named in (ROOT / "android_demo" / sources / "shelf/AssetFiles.kt").read_text(encoding="utf-8")
    core = ROOT / "ios_demo/MobileSDKDemoCore/Sources/MobileSDKDemoCore"
    assert named in (core / "Screen/Engine.swift").read_text(encoding="utf-8")


def test_the_command_says_which_key_is_none(
    written: dict[Platform, Bundle], apps: dict[Platform, Path], key: Path, tmp_path: Path
) -> None:
    command = ("embed", str(written["android"].path), "--android", str(apps["android"]))
    done = mobile_sdk(*command, "--key", str(_private(tmp_path, 7)))
    assert (done.code, done.err.count("\n")) == (2, 2) and "found a private key" in done.err
    done = mobile_sdk(*command, "--key", str(key))
    assert done.code == 0 and "SignedBundles.kt" in done.out, done.err
    assert mobile_sdk(*command, "--key", str(key), "--json").json["signed_glue"].endswith("SignedBundles.kt")
    assert mobile_sdk(*command).code == 2


@pytest.mark.slow
def test_kotlins_glue_takes_what_the_key_has_signed_and_nothing_else(
    written: dict[Platform, Bundle],
    apps: dict[Platform, Path],
    key: Path,
    android_app: AndroidApp,
    demo_fixtures: Path,
    tmp_path: Path,
) -> None:
    glue = embed([written["android"]], "android", apps["android"], key=key).signed_glue
    assert glue is not None
    kotlin = android_app.toolchain
    classpath = [kotlin.standard_library, kotlin.android_jar]
    kotlin.compile([glue.parent], tmp_path / "android", classpath, options=["-no-jdk", "-no-stdlib"])
    assert kotlin.lint(glue.parent) == []
    for name, text in (("Json.kt", JSON_OF_ANDROID), ("Opened.kt", OPENED)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    classpath = [android_app.runtime, kotlin.standard_library]
    sources = [glue, tmp_path / "Json.kt", tmp_path / "Opened.kt"]
    kotlin.compile(sources, tmp_path / "classes", classpath, options=["-no-stdlib"])
    cases = json.loads((demo_fixtures / "signed/cases.json").read_text(encoding="utf-8"))
    expected = {demo_fixtures / "signed" / case["folder"]: case["opens"] for case in cases}
    expected |= dict.fromkeys(_damaged(written["android"], tmp_path), False)
    said = run(kotlin.java([tmp_path / "classes", *classpath], "OpenedKt", *map(str, expected))).stdout.splitlines()
    assert [line.startswith("refused: expected what the key signed, found another ") for line in said] == [
        not opens for opens in expected.values()
    ], said


def _damaged(bundle: Bundle, folder: Path) -> list[Path]:
    """Copies that are signed rightly, with one file that is not."""
    changed, missing, extra = (copy_bundle(bundle, folder / name).path for name in ("changed", "missing", "extra"))
    flip(changed, "model.tflite")
    (missing / "labels.txt").unlink()
    (extra / "golden/extra.png").touch()
    return [changed, missing, extra, folder / "nowhere"]


@pytest.mark.slow
def test_swifts_glue_compiles_against_the_stub_of_cryptokit(
    written: dict[Platform, Bundle], apps: dict[Platform, Path], key: Path, swift: SwiftToolchain, tmp_path: Path
) -> None:
    glue = embed([written["ios"]], "ios", apps["ios"], key=key).signed_glue
    assert glue is not None
    folders = {PACKAGE: glue.parent, STUBS: ROOT / "tests/support/apps/ios_stubs", BUILD: tmp_path}
    options = ("-swift-version", "6", "-warnings-as-errors", "-module-cache-path", BUILD, "-I", BUILD)
    module = ("-emit-module", "-module-name", "CryptoKit", "-o", f"{BUILD}/CryptoKit.swiftmodule")
    app = ("-emit-sil", "-wmo", "-module-name", "App", "-o", f"{BUILD}/app.sil")
    sources = [f"{PACKAGE}/{name}.swift" for name in ("EmbeddedBundles", "SignedBundles")]
    shutil.copyfile(ROOT / "ios_demo/.swift-format", glue.parent / ".swift-format")
    for command in (
        ("swiftc", *options, "-parse-as-library", *module, f"{STUBS}/CryptoKit.swift"),
        ("swiftc", *options, "-parse-as-library", *app, *sources),
        ("swift-format", "lint", "--strict", sources[1]),
    ):
        done = swift.run(*command, folders=folders)
        assert (done.returncode, done.stdout) == (0, "")
