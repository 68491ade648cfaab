"""The iOS app: its core is built and tested for real, its adapters are held to the names of Apple's SDK."""

import ctypes
import importlib.util
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobile_sdk.benchmarking.measurements import Numbers
from mobile_sdk.benchmarking.statistics import summarize
from mobile_sdk.embedding.glue import swift_glue
from mobile_sdk.embedding.usage import swift_use
from mobile_sdk.errors import MachineError
from tests.support.apps.apple_listing import Declaration, declarations, misfit, read_listing, swiftui_words
from tests.support.apps.ios_core import APPLE, CORE, DEMO, IosCore, closing_line
from tests.support.apps.swift_toolchain import BUILD, PACKAGE, STUBS, SwiftToolchain, make_toolchain
from tests.support.repository import ROOT

STUB_FOLDER = ROOT / "tests/support/apps/ios_stubs"
STUB_ORDER = (  # each imports only those before it
    *("Darwin", "CoreGraphics", "CoreVideo", "CoreMedia", "QuartzCore", "ImageIO", "CoreML", "AVFoundation", "UIKit"),
    *("UniformTypeIdentifiers", "SwiftUI", "PhotosUI", "CryptoKit", "ExecuTorch"),
)
UNLISTED = {"SwiftUI", "CryptoKit", "ExecuTorch"}  # of which no listing is published
NOWHERE_SEEN = {  # SwiftUI names that the fetched code does not use; Xcode is the first to check them
    *("Scene", "WindowGroup", "Bindable", "LabeledContent", "onOpenURL", "accessibilityElement", "combine"),
    *("UIViewControllerRepresentable", "makeUIViewController", "updateUIViewController", "makeCoordinator"),
    *("UIViewRepresentable", "makeUIView", "updateUIView", "ShareLink", "fileImporter", "accessibilityLabel"),
}
TASKS = r"\b(?:Classification|Detection|Features|Segmentation)\b"
LITERALS_OF_MODELS = (
    r"\b(?:mean|std|size|sizePx|scale|zeroPoint|cropShare)(?:: \w+ =| =|:) \[?-?\d",
    r"(?<!P-)\b(?:96|112|160|192|224|240|256|260|299|300|320|380|512)\b",  # sides of pictures
    r"\b(?:0\.485|0\.456|0\.406|0\.229|0\.225|123\.\d+|116\.\d+|103\.\d+|127\.5)\b",  # ImageNet's
)
OPTIONS = f"-swift-version 6 -warnings-as-errors -module-cache-path {BUILD}/modules -I {BUILD}/stubs".split()

# Types alone would do with -typecheck; data races are found only on the way to SIL.
CHECK = ("swiftc", *OPTIONS, *f"-emit-sil -wmo -parse-as-library -o {BUILD}/demo.sil -module-name".split())


@pytest.fixture(scope="module")
def modules(swift: SwiftToolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stubs and the package's two products as modules that the app imports."""
    build = tmp_path_factory.mktemp("modules")
    (build / "stubs").mkdir()
    folders = {PACKAGE: DEMO, BUILD: build, STUBS: STUB_FOLDER}
    sources_of = {name: [f"{STUBS}/{name}.swift"] for name in STUB_ORDER}
    products = {home.name: mounted(home) for home in (CORE / "Sources" / CORE.name, APPLE)}
    for name, sources in (sources_of | products).items():
        made = f"{BUILD}/stubs/{name}.swiftmodule"
        module = ("-emit-module", "-parse-as-library", "-module-name", name, "-o", made)
        done = swift.run("swiftc", *OPTIONS, *module, *sources, folders=folders)
        assert done.returncode == 0, done.stdout
    return build


@pytest.fixture(scope="module")
def names(apple_names: Path) -> frozenset[str]:
    return read_listing(apple_names)


@pytest.mark.slow
def test_every_test_of_the_core_runs_and_passes(ios_tests: str) -> None:
    written = sum(source.read_text(encoding="utf-8").count("@Test") for source in (CORE / "Tests").rglob("*.swift"))
    assert closing_line(ios_tests) == f"{written} passed, 0 failed"


@pytest.mark.slow
@pytest.mark.usefixtures("ios_tests")
def test_python_reads_the_benchmark_that_the_app_writes(ios_core: IosCore) -> None:
    numbers = Numbers.model_validate_json((ios_core.build / "bench.json").read_text(encoding="utf-8"))
    measured, not_run = numbers.measurements
    assert measured.summary is not None and measured.samples is not None
    assert measured.summary == summarize(measured.samples.rounds_ms)
    assert measured.summary.median_ms == 2.0 and measured.verdict is None
    assert not_run.not_run == "this app embeds no LiteRT" and not_run.summary is None
    assert numbers.state_after is not None and numbers.state_after.thermal_status == 0
    assert len(measured.samples.end_to_end_ms) == 50 and measured.samples.peak_mib is None


def test_the_sources_are_in_swifts_format(swift: SwiftToolchain) -> None:
    done = swift.run("swift-format", "lint", "--strict", "--recursive", CORE.name, "App", folders={PACKAGE: DEMO})
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_the_app_compiles_against_the_stubs_of_apples_frameworks(swift: SwiftToolchain, modules: Path) -> None:
    for name, home in (("MobileSDKApple", APPLE), ("Demo", DEMO / "App")):
        done = swift.run(*CHECK, name, *mounted(home), folders={PACKAGE: DEMO, BUILD: modules})
        assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_the_code_that_embed_shows_compiles_in_an_app_of_ones_own(
    swift: SwiftToolchain, modules: Path, tmp_path: Path
) -> None:
    (tmp_path / "EmbeddedBundles.swift").write_text(swift_glue(["fruit.coreml"]), encoding="utf-8")
    (tmp_path / "Use.swift").write_text(swift_use("fruit.coreml") + "\n", encoding="utf-8")
    sources = [f"{PACKAGE}/{name}.swift" for name in ("EmbeddedBundles", "Use")]
    done = swift.run(*CHECK, "Fruit", *sources, folders={PACKAGE: tmp_path, BUILD: modules})
    assert (done.returncode, done.stdout) == (0, "")
    shutil.copy(DEMO / ".swift-format", tmp_path)
    done = swift.run("swift-format", "lint", "--strict", "Use.swift", folders={PACKAGE: tmp_path})
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import CoreML\nlet model = MLModel.classify()", "has no member 'classify'"),
        ("import UIKit\nfunc level() -> Float { UIDevice.current.batteryLevel }", "main actor-isolated"),
        (
            "import MobileSDKDemoCore\nfunc find(_ engine: Engine) { _ = engine.bundles(in: engine.folder) }",
            "has no member 'folder'",
        ),
        (
            "import CoreML\nfunc race(_ model: MLModel) { Task { @MainActor in print(model) } }",
            "cannot be sent",
        ),
    ],
)
def test_what_apples_frameworks_do_not_allow_does_not_compile(
    code: str, reason: str, swift: SwiftToolchain, modules: Path, tmp_path: Path
) -> None:
    (tmp_path / "Wrong.swift").write_text(code + "\n", encoding="utf-8")
    done = swift.run(*CHECK, "Demo", f"{PACKAGE}/Wrong.swift", folders={PACKAGE: tmp_path, BUILD: modules})
    assert done.returncode != 0 and reason in done.stdout, done.stdout


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
    sources = list((CORE / "Sources" / CORE.name).rglob("*.swift"))
    imported = {name for source in sources for name in re.findall(r"^import (\w+)", code_of(source), re.MULTILINE)}
    assert len(sources) > 15 and imported <= {"Foundation", "Dispatch"}


def test_only_the_folder_of_tasks_asks_which_task_a_model_has() -> None:
    sources = [*app_sources(), *(CORE / "Sources").rglob("*.swift")]
    homes = {source.parent.name for source in sources if re.search(TASKS, code_of(source))}
    assert homes == {"Task"}


def test_no_folder_is_large_and_the_readme_names_each() -> None:
    sources = [*app_sources(), *(CORE / "Sources").rglob("*.swift"), *(CORE / "Tests").rglob("*.swift")]
    readme = (DEMO / "README.md").read_text(encoding="utf-8")
    for folder in {source.parent for source in sources}:
        assert len(list(folder.iterdir())) <= 12 and f"{folder.name}/" in readme, folder.name


def test_no_size_mean_label_or_scale_stands_in_the_app(demo_fixtures: Path) -> None:
    labels = (demo_fixtures / "bundles/test.coreml/labels.txt").read_text(encoding="utf-8").splitlines()
    sources = [*app_sources(), *(CORE / "Sources").rglob("*.swift")]
    assert len(labels) > 2 and len(sources) > 25
    for source in sources:
        code = code_of(source)
        assert not any(re.search(pattern, code) for pattern in LITERALS_OF_MODELS), source.name
        assert not [label for label in labels if f'"{label}"' in code], source.name


@pytest.mark.parametrize(
    "literal", ["side = 224", "std: [0.229, 1]", "let scale: Float = 0.1", "zeroPoint = -13", "/ 127.5"]
)
def test_a_literal_of_a_model_would_be_found(literal: str) -> None:
    assert any(re.search(pattern, literal) for pattern in LITERALS_OF_MODELS)


def test_only_the_engine_computes_and_it_is_no_part_of_the_main_thread() -> None:
    for source in app_sources():
        calls = re.findall(r"\.outputs\(for:|\.predict\(|Preprocess\.|ModelBundle\.open", code_of(source))
        assert not calls, f"{source.name} computes: {calls}"
    engine = (CORE / "Sources" / CORE.name / "Screen/Engine.swift").read_text(encoding="utf-8")
    assert "public actor Engine" in engine and "MainActor" not in engine


def test_the_project_names_what_is_there() -> None:
    project = (DEMO / "project.yml").read_text(encoding="utf-8")
    version = re.search(r"^executorch==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert version and f"branch: swiftpm-{version[1]}" in project
    for path in re.findall(r"- path: (\S+)", project):
        assert (DEMO / path).exists(), path
    assert 'SWIFT_VERSION: "6.0"' in project and "SWIFT_STRICT_CONCURRENCY: complete" in project
    assert f"ExecuTorchPackage: swiftpm-{version[1]} " in project  # what bench.json says
    assert re.findall(r"- mobilesdkdemo$", project, re.MULTILINE)


def test_the_id_and_the_team_are_the_users_own_and_no_generated_project_forgets_them() -> None:
    project, committed = ((DEMO / name).read_text(encoding="utf-8") for name in ("project.yml", "Config/App.xcconfig"))
    example = (DEMO / "Config/Signing.example.xcconfig").read_text(encoding="utf-8")
    assert "PRODUCT_BUNDLE_IDENTIFIER: $(APP_BUNDLE_ID)" in project and "org.example" not in project
    for configuration in ("Debug", "Release"):
        assert f"{configuration}: Config/App.xcconfig" in project
    assert committed.rstrip().endswith('#include? "Signing.xcconfig"')  # the last assignment counts
    set_in_both = [set(re.findall(r"^(\w+) =", text, re.MULTILINE)) for text in (committed, example)]
    assert set_in_both[1] <= set_in_both[0]
    ignored = (DEMO / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "Config/Signing.xcconfig" in ignored and "Config/Signing.xcconfig" in (DEMO / "README.md").read_text("utf-8")


def test_golden_pictures_stay_as_they_are_and_every_orientation_is_named() -> None:
    project = (DEMO / "project.yml").read_text(encoding="utf-8")
    assert "COMPRESS_PNG_FILES: NO" in project
    assert len(re.findall(r"- UIInterfaceOrientation\w+", project)) == 4


def test_the_threads_are_set_by_functions_that_executorch_has() -> None:
    """The app finds them by name in its own program; here they are those of the library in the wheel."""
    source = (DEMO / "App/Runtimes/ExecuTorchThreads.swift").read_text(encoding="utf-8")
    pool, reset, count = re.findall(r'= "(_ZNK?10executorch\w+)"', source)
    spec = importlib.util.find_spec("executorch")
    assert spec is not None and spec.submodule_search_locations
    (path,) = Path(spec.submodule_search_locations[0]).rglob("libexecutorch_threadpool.so")
    library = ctypes.CDLL(str(path))
    get, asked, told = library[pool], library[reset], library[count]
    get.restype, asked.argtypes = ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_uint32)
    asked.restype, told.restype, told.argtypes = ctypes.c_bool, ctypes.c_size_t, (ctypes.c_void_p,)
    before = told(get())
    for threads in (2, 1, before):
        assert asked(get(), threads) and told(get()) == threads


def test_every_type_of_the_screen_is_in_the_readme() -> None:
    readme = (DEMO / "README.md").read_text(encoding="utf-8")
    views = {name for source in app_sources() for name in re.findall(r"struct (\w+): (?:View|UIView)", code_of(source))}
    assert len(views) >= 6 and not [name for name in views if f"`{name}`" not in readme]


def test_without_root_the_toolchain_says_why_it_is_not_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(MachineError, match=r"this is (not root|no Debian)"):
        make_toolchain(print)
    assert list(tmp_path.iterdir()) == []


def test_the_other_product_is_nothing_where_core_ml_is_not_and_the_app_takes_both() -> None:
    package = (CORE / "Package.swift").read_text(encoding="utf-8")
    project = (DEMO / "project.yml").read_text(encoding="utf-8")
    for product in (CORE.name, APPLE.name):
        assert f'.library(name: "{product}", targets: ["{product}"])' in package and f"product: {product}\n" in project
    for source in APPLE.glob("*.swift"):
        lines = source.read_text(encoding="utf-8").splitlines()
        assert (lines[0], lines[-1]) == ("#if canImport(CoreML)", "#endif"), source.name


def mounted(home: Path) -> list[str]:
    """The sources below a folder of the demo, where the toolchain sees them."""
    return [f"{PACKAGE}/{path.relative_to(DEMO)}" for path in sorted(home.rglob("*.swift"))]


def app_sources() -> list[Path]:
    return sorted((DEMO / "App").rglob("*.swift"))


def code_of(source: Path) -> str:
    """A source without its comments."""
    return "\n".join(_without_comments(source.read_text(encoding="utf-8")))


def _without_comments(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield re.sub(r"(?:^|\s)//.*", "", line)
