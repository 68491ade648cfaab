"""The iOS app: its core is built and tested for real, its adapters are held to the names of Apple's SDK."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from apple_listing import Declaration, declarations, misfit, read_listing, swiftui_words
from demo_fixtures import write_fixtures
from swift_toolchain import BUILD, FIXTURES, PACKAGE, STUBS, SwiftToolchain

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "ios_demo"
CORE = DEMO / "MobileSDKDemoCore"
STUB_FOLDER = Path(__file__).with_name("ios_stubs")
STUB_ORDER = (
    "CoreGraphics",
    "CoreVideo",
    "ImageIO",
    "CoreML",
    "AVFoundation",
    "UIKit",
    "SwiftUI",
    "PhotosUI",
    "ExecuTorch",
)
UNLISTED = {"SwiftUI", "ExecuTorch"}  # of which no listing is published
NOWHERE_SEEN = {  # SwiftUI names that the fetched code does not use; Xcode is the first to check them
    *("Scene", "WindowGroup", "Bindable", "LabeledContent", "onOpenURL", "accessibilityElement", "combine"),
    *("UIViewControllerRepresentable", "makeUIViewController", "updateUIViewController", "makeCoordinator"),
}
OPTIONS = (
    "-swift-version",
    "6",
    "-warnings-as-errors",
    "-module-cache-path",
    f"{BUILD}/modules",
    "-I",
    f"{BUILD}/stubs",
)


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fixtures")
    write_fixtures(folder)
    return folder


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    (folder / "stubs").mkdir()
    return folder


@pytest.fixture(scope="module")
def said(swift: SwiftToolchain, fixtures: Path, build: Path) -> str:
    """What `swift test` says of the core package; every warning of the compiler is an error."""
    done = swift.run(
        *("swift", "test", "--package-path", f"{PACKAGE}/{CORE.name}", "--scratch-path", BUILD, "-c", "release"),
        *("-Xswiftc", "-enable-testing", "-Xswiftc", "-warnings-as-errors", "--no-parallel"),
        folders={PACKAGE: DEMO, FIXTURES: fixtures, BUILD: build},
        environment={"DEMO_FIXTURES": FIXTURES, "DEMO_REPORTS": BUILD},
    )
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


@pytest.fixture(scope="module")
def names(apple_names: Path) -> frozenset[str]:
    return read_listing(apple_names)


def test_every_test_of_the_core_runs_and_passes(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = re.search(r"Test run with (\d+) tests passed", said)
    assert found, said[-2000:]
    closing = f"{found[1]} passed, 0 failed"
    with capsys.disabled():
        print(f"\nSwift: {closing}")
    written = sum(source.read_text(encoding="utf-8").count("@Test") for source in (CORE / "Tests").rglob("*.swift"))
    assert closing == f"{written} passed, 0 failed"


def test_the_sources_are_in_swifts_format(swift: SwiftToolchain) -> None:
    done = swift.run("swift-format", "lint", "--strict", "--recursive", CORE.name, "App", folders={PACKAGE: DEMO})
    assert (done.returncode, done.stdout) == (0, "")


def test_the_app_compiles_against_the_stubs_of_apples_frameworks(swift: SwiftToolchain, build: Path) -> None:
    folders = {PACKAGE: DEMO, BUILD: build, STUBS: STUB_FOLDER}
    modules = [(name, [f"{STUBS}/{name}.swift"]) for name in STUB_ORDER]
    modules.append((CORE.name, [f"{PACKAGE}/{path.relative_to(DEMO)}" for path in (CORE / "Sources").rglob("*.swift")]))
    for name, sources in modules:
        made = f"{BUILD}/stubs/{name}.swiftmodule"
        module = ("-emit-module", "-parse-as-library", "-module-name", name, "-o", made)
        done = swift.run("swiftc", *OPTIONS, *module, *sources, folders=folders)
        assert done.returncode == 0, done.stdout
    app = [f"{PACKAGE}/App/{path.name}" for path in app_sources()]
    done = swift.run(
        "swiftc", *OPTIONS, "-typecheck", "-parse-as-library", "-module-name", "Demo", *app, folders=folders
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_name_of_the_stubs_is_one_of_apples_sdk(names: frozenset[str]) -> None:
    stubs = [stub for stub in STUB_FOLDER.glob("*.swift") if stub.stem not in UNLISTED]
    declared = [declaration for stub in stubs for declaration in declarations(stub)]
    assert len(declared) > 100 and len(names) > 100_000
    assert [reason for declaration in declared if (reason := misfit(declaration, names))] == []


@pytest.mark.parametrize(
    ("words", "comment", "reason"),
    [
        (("classify",), "= MLModel.classifyPicture", "expected a name of the SDK, found MLModel.classifyPicture"),
        (("classify",), "= MLModel.predictionFromFeaturesError", "expected the words of MLModel.prediction"),
        (("from", "prediction"), "= MLModel.predictionFromFeaturesError", "expected the words of MLModel.prediction"),
        (("prediction",), "", "expected a comment that names the real declaration"),
    ],
)
def test_a_name_that_is_not_in_the_sdk_is_found(
    words: tuple[str, ...], comment: str, reason: str, names: frozenset[str]
) -> None:
    found = misfit(Declaration(place="CoreML:1", words=words, comment=comment), names)
    assert found is not None and reason in found


def test_swiftui_names_are_those_of_code_that_apples_sdk_compiles(apple_names: Path) -> None:
    seen = swiftui_words(apple_names)
    stub = (STUB_FOLDER / "SwiftUI.swift").read_text(encoding="utf-8")
    declared = set(re.findall(r"(?:func|struct|protocol|static let|init|case) (\w+)", stub))
    used = declared & set(re.findall(r"\w+", "\n".join(map(code_of, app_sources()))))
    assert len(used) > 30
    assert used - seen == NOWHERE_SEEN


def test_the_core_imports_no_framework_of_apples() -> None:
    sources = list((CORE / "Sources").rglob("*.swift"))
    imported = {name for source in sources for name in re.findall(r"^import (\w+)", code_of(source), re.MULTILINE)}
    assert len(sources) > 15 and imported <= {"Foundation", "Dispatch"}


def test_no_size_mean_label_or_scale_stands_in_the_app(fixtures: Path) -> None:
    labels = (fixtures / "bundles/test.coreml/labels.txt").read_text(encoding="utf-8").split()
    forbidden = re.compile(
        r"\b(?:mean|std|size_?px|sizePx|scale|zeroPoint|crop_?share)\w*\s*[:=]\s*[-\d.]", re.IGNORECASE
    )
    sizes = re.compile(r"\b(?:160|192|224|240|256|299|380|0\.485|0\.456|0\.406|123\.\d+|127\.5)\b")
    for source in app_sources():
        code = code_of(source)
        assert not forbidden.search(code) and not sizes.search(code), source.name
        assert not [label for label in labels if f'"{label}"' in code], source.name


def test_only_the_engine_computes_and_it_is_no_part_of_the_main_thread() -> None:
    for source in app_sources():
        calls = re.findall(r"\.scores\(for:|Preprocess\.|ModelBundle\.open", code_of(source))
        assert not calls, f"{source.name} computes: {calls}"
    engine = (CORE / "Sources" / CORE.name / "Engine.swift").read_text(encoding="utf-8")
    assert "public actor Engine" in engine and "MainActor" not in engine


def test_the_project_names_what_is_there() -> None:
    project = (DEMO / "project.yml").read_text(encoding="utf-8")
    version = re.search(r"^executorch==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert version and f"branch: swiftpm-{version[1]}" in project
    for path in re.findall(r"- path: (\S+)", project):
        assert (DEMO / path).exists(), path
    assert "SWIFT_VERSION: 6.0" in project and "SWIFT_STRICT_CONCURRENCY: complete" in project
    assert re.findall(r"- mobilesdkdemo$", project, re.MULTILINE)


def test_every_type_of_the_screen_is_in_the_readme() -> None:
    readme = (DEMO / "README.md").read_text(encoding="utf-8")
    views = {name for source in app_sources() for name in re.findall(r"struct (\w+): (?:View|UIView)", code_of(source))}
    assert len(views) >= 6 and not [name for name in views if f"`{name}`" not in readme]


def app_sources() -> list[Path]:
    return sorted((DEMO / "App").glob("*.swift"))


def code_of(source: Path) -> str:
    """A source without its comments."""
    return "\n".join(_without_comments(source.read_text(encoding="utf-8")))


def _without_comments(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield re.sub(r"(?:^|\s)//.*", "", line)
