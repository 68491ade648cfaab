"""The Android app as it is checked here: resources linked, sources and tests compiled, without Gradle and a phone."""

import hashlib
import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.runtimes.input_array import input_array
from mobile_sdk.tasks.registry import task_of
from tests.support import child_process
from tests.support.apps.kotlin_toolchain import KotlinToolchain
from tests.support.repository import ROOT

PROJECT = ROOT / "android_demo"
RUNTIME = PROJECT / "runtime/src"
SOURCES = PROJECT / "app/src/main/kotlin"
TESTS = PROJECT / "app/src/test/kotlin"
_ONLY_ANDROID = ("-no-jdk", "-no-stdlib")  # Java's own classes are then those of Android 6


@dataclass(frozen=True, kw_only=True)
class AndroidApp:
    """The folders of classes: the library's, the app's, the tests of both, and what Gradle would make or fetch."""

    toolchain: KotlinToolchain
    folder: Path

    @property
    def generated(self) -> Path:
        """`R.java`, of the real resources."""
        return self.folder / "generated"

    @property
    def runtime(self) -> Path:
        """The library's classes, which any app may depend on."""
        return self.folder / "runtime"

    @property
    def tests(self) -> list[Path]:
        """The classes of the library's tests and of the app's."""
        return [self.folder / "runtime-tests", self.folder / "tests"]

    @property
    def classpath(self) -> list[Path]:
        """Returns the libraries that the modules are compiled against, without Android itself."""
        return [self.folder / "litert", self.toolchain.standard_library, self.toolchain.executorch_jar]

    def run(self, main: str, *arguments: str, properties: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Runs a class of the tests on this machine's Java."""
        return child_process.run(self.command(main, *arguments, properties=properties))

    def command(self, main: str, *arguments: str, properties: Sequence[str] = ()) -> list[str]:
        """The command that does so."""
        classes = [*self.tests, self.folder / "app", self.runtime, *self.classpath, *self.toolchain.junit_jars]
        return self.toolchain.java(classes, *properties, main, *arguments)


@dataclass(frozen=True, kw_only=True)
class AppTests:
    """The folder of what the app's own tests said, and of the reports that they wrote."""

    reports: Path

    @property
    def output(self) -> str:
        """A line a test, and at last how many passed and failed."""
        return (self.reports / "said.txt").read_text(encoding="utf-8")


def run_tests(app: AndroidApp, fixtures: Path, reports: Path) -> AppTests:
    """Runs the library's and the app's own tests over Python's fixtures; all must pass."""
    properties = [f"-Dfixtures={fixtures}", f"-Dreports={reports}"]
    done = app.run("mobilesdk.runtime.TestRunKt", *map(str, app.tests), properties=properties)
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert done.returncode == 0, "\n".join([*failed, done.stdout[-2000:], done.stderr[-2000:]])
    (reports / "said.txt").write_text(done.stdout, encoding="utf-8")
    return AppTests(reports=reports)


@dataclass(frozen=True, kw_only=True)
class GoldenAnswer:
    """Holds a language's result for one golden picture: the digest of the model's input, and the label that wins."""

    bundle: str
    index: int
    input_sha256: str
    label: str | None  # of a task with labels


def golden_answers(app: AndroidApp, folders: Sequence[Path]) -> list[GoldenAnswer]:
    """Kotlin's answers for all golden pictures of these bundles."""
    done = app.run("mobilesdk.demo.GoldenRunKt", *map(str, folders))
    assert done.returncode == 0, done.stderr
    return [GoldenAnswer(**json.loads(line)) for line in done.stdout.splitlines()]


def expected_answers(folders: Sequence[Path]) -> list[GoldenAnswer]:
    """Python's answers for them."""
    answers = []
    for bundle in map(open_bundle, folders):
        for index in range(len(bundle.manifest.golden.pictures)):
            given = input_array(bundle.golden_picture(index), bundle.interface.input).tobytes()
            answers.append(
                GoldenAnswer(
                    bundle=bundle.path.name,
                    index=index,
                    input_sha256=hashlib.sha256(given).hexdigest(),
                    label=_winner(bundle, index),
                )
            )
    return answers


def _winner(bundle: Bundle, index: int) -> str | None:
    contract = bundle.manifest.contract
    if not contract.has_labels:
        return None
    return contract.labels[int(task_of(contract).top_classes(bundle.golden_output(index)[np.newaxis], contract)[0])]


def build_app(toolchain: KotlinToolchain, folder: Path) -> AndroidApp:
    """Compiles everything with warnings as errors; MachineError with the compiler's last words where one is there."""
    app = AndroidApp(toolchain=toolchain, folder=folder)
    link_resources(app)
    android = [toolchain.standard_library, toolchain.android_jar]
    toolchain.compile([PROJECT / "checks/litert"], folder / "litert", android, options=_ONLY_ANDROID)
    libraries = [*app.classpath, toolchain.android_jar]
    toolchain.compile([RUNTIME / "main/kotlin"], app.runtime, libraries, options=_ONLY_ANDROID)
    sources = [SOURCES, PROJECT / "checks/buildconfig", app.generated]
    toolchain.compile(sources, folder / "app", [app.runtime, *libraries], options=_ONLY_ANDROID)
    shared, own = RUNTIME / "sharedTest/kotlin", [app.runtime, *app.classpath, *toolchain.junit_jars]
    pairs = ((RUNTIME / "test/kotlin", app.runtime), (TESTS, folder / "app"))
    for (tests, tested), out in zip(pairs, app.tests, strict=True):
        friends = f"-Xfriend-paths={tested}"  # tests see what is internal to what they test, and to nothing else
        toolchain.compile([shared, tests], out, [tested, *own], options=["-no-stdlib", friends])
    return app


def link_resources(app: AndroidApp) -> str:
    """Compiles and links the resources with the manifest against Android's own; what aapt2 has to say of them."""
    compiled, manifest = app.folder / "resources.zip", app.folder / "AndroidManifest.xml"
    source = (PROJECT / "app/src/main/AndroidManifest.xml").read_text(encoding="utf-8")
    package = f'<manifest package="{namespace()}" '  # which Gradle puts there
    manifest.write_text(source.replace("<manifest ", package), encoding="utf-8")
    app.generated.mkdir(exist_ok=True)
    said = app.toolchain.aapt2("compile", "--dir", str(PROJECT / "app/src/main/res"), "-o", str(compiled))
    return said + app.toolchain.link(
        *("--manifest", str(manifest), "--min-sdk-version", "26", "--target-sdk-version", "29"),
        *("--java", str(app.generated), "-o", str(app.folder / "app.apk"), str(compiled)),
    )


def namespace() -> str:
    """The app's package, as Gradle is told it."""
    found = re.search(r'namespace = "([\w.]+)"', (PROJECT / "app/build.gradle.kts").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]
