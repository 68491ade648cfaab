"""The wheel and the sdist are whole: a default installation does the main job, an sdist passes its own tests.

An environment of its own holds the wheel and, by links, what a default installation brings: nothing is fetched.
"""

import json
import os
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import child_process
from tests.support.command_line import ENVIRONMENT, Done, save_pictures
from tests.support.repository import ROOT

pytestmark = pytest.mark.slow

SETTINGS = ("--net", "mobilenet_v1", "--width", "0.25", "--size", "32", "--epochs", "1", "--name", "sides")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a wheel and an sdist, built from this checkout."""
    folder = tmp_path_factory.mktemp("built")
    done = child_process.run([sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def about(wheel: Path) -> metadata.PackageMetadata:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        archive.extract(name, wheel.parent / "unpacked")
    return metadata.PathDistribution((wheel.parent / "unpacked" / name).parent).metadata


def environment(folder: Path) -> dict[str, str]:
    """The variables of a user who has activated the environment, and nothing of this checkout."""
    kept = {name: value for name, value in ENVIRONMENT.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return {**kept, "VIRTUAL_ENV": str(folder), "PATH": f"{folder / 'bin'}{os.pathsep}{kept['PATH']}"}


def installed(wheel: Path, folder: Path) -> Path:
    """Makes an environment that holds the wheel alone, and returns its site-packages."""
    done = child_process.run([sys.executable, "-m", "venv", "--without-pip", folder])
    assert done.returncode == 0, done.stderr
    install(wheel, folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    return packages


def install(wheel: Path, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet"]
    done = child_process.run(
        [*pip, "--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check", wheel],
        env=environment(folder),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr


def brought(requirements: list[str]) -> dict[str, metadata.Distribution]:
    """Returns what pip would install for these requirements, as it is installed here."""
    found: dict[str, metadata.Distribution] = {}
    waiting = list(requirements)
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found[name] = metadata.distribution(name)
        waiting += found[name].requires or []
    return found


def link(distributions: Iterator[metadata.Distribution], packages: Path) -> None:
    """Links every file or folder at the top of each distribution into `packages`."""
    for each in distributions:
        for top in {file.parts[0] for file in each.files or ()} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(each.locate_file(top))


@pytest.fixture(scope="module")
def default(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment as `pip install` of the wheel alone makes it."""
    folder = tmp_path_factory.mktemp("default") / "environment"
    packages = installed(wheel, folder)
    link(iter(brought(about(wheel).get_all("Requires-Dist") or []).values()), packages)
    return folder


def ran(folder: Path, *arguments: str, program: str = "mobile-sdk") -> Done:
    """Runs a program of an environment, somewhere else than in this checkout."""
    done = child_process.run([folder / "bin" / program, *arguments], cwd=folder, env=environment(folder))
    return Done(code=done.returncode, out=done.stdout, err=done.stderr)


def test_the_wheel_holds_what_runs_and_no_test(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"mobile_sdk/py.typed", "qat/py.typed", "qat/data/mnist/digits.png"} <= names
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"mobile_sdk", "qat"}
    for package in ("mobile_sdk", "qat"):
        there = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*") if path.is_file()}
        assert {name for name in there if "__pycache__" not in name} <= names


def test_its_metadata_say_who_may_use_it_and_where_more_is(wheel: Path) -> None:
    said = about(wheel)
    classifiers = said.get_all("Classifier") or []
    assert said["Name"] == "mobile-sdk" and said["Requires-Python"] == "<3.14,>=3.11"
    assert [each.rpartition(" ")[2] for each in classifiers if re.search(r":: 3\.\d+$", each)] == [
        "3.11",
        "3.12",
        "3.13",
    ]
    for beginning in ("Development Status", "Operating System", "Intended Audience", "Typing :: Typed"):
        assert any(each.startswith(beginning) for each in classifiers)
    assert said["License-Expression"] == "Apache-2.0 AND CC-BY-SA-3.0"
    assert set(said.get_all("License-File") or []) == {"LICENSE", "qat/data/mnist/LICENSE"}
    assert {"Changelog", "Documentation", "Issues", "Source"} <= {
        line.partition(",")[0] for line in said.get_all("Project-URL") or []
    }


def test_a_default_installation_holds_nothing_that_one_verb_needs(wheel: Path) -> None:
    names = set(brought(about(wheel).get_all("Requires-Dist") or []))
    assert not names & {"cmake", "cryptography", "executorch", "mlxtend", "pandas", "ray", "scikit-learn", "scipy"}


def test_a_default_installation_does_the_main_job(default: Path, tmp_path: Path) -> None:
    save_pictures(tmp_path / "pictures")
    out = tmp_path / "out"
    done = ran(default, "run", "--data", str(tmp_path / "pictures"), *SETTINGS, "--out", str(out))
    assert done.code == 0, done.err
    assert "executorch is not installed, its bundles are left out: pip install '.[executorch]'" in done.err
    assert {path.name for path in (out / "bundles").iterdir()} == {"sides.tflite", "sides-float.tflite", "sides.coreml"}
    verdicts = json.loads((out / "verify.json").read_text(encoding="utf-8"))["verdicts"]
    assert {each["status"] for each in verdicts} == {"pass"} and (out / "report.html").exists()
    assert not re.search("Traceback|Failed to load|KernelPreference", done.err)


def test_it_knows_its_version_lies_where_it_was_installed_and_is_silent(default: Path, wheel: Path) -> None:
    version = about(wheel)["Version"]
    assert ran(default, "--version").out == f"mobile-sdk {version}\n"
    program = (
        "import mobile_sdk as sdk, qat; [getattr(each, name) for each in (sdk, qat) for name in each.__all__];"
        "import sys; assert 'torchao' in sys.modules; print(len(qat.load_mnist().train), file=sys.stderr);"
        "print(sdk.__version__, qat.__version__, sdk.__file__, qat.__file__)"
    )
    done = ran(default, "-c", program, program="python")
    assert done.err == "4000\n"  # torchao's warnings of its own parts stay away
    first, second, *files = done.out.split()
    assert (first, second) == (version, version)
    assert all(Path(file).is_relative_to(default) for file in files)


@pytest.mark.parametrize(
    ("arguments", "package", "extra"),
    [
        (("keygen", "key.pem"), "cryptography", "signing"),
        (("predict", "mobilenet_v2", "--device", "pixel-6"), "scipy", "latency"),
        (("search", "--target-share", "0.5"), "ray", "search"),
        (("quantize", "--net", "timm:mobilenetv3_small_050", "--data", "none"), "timm", "timm"),
    ],
)
def test_a_verb_without_its_extra_names_it(default: Path, arguments: tuple[str, ...], package: str, extra: str) -> None:
    done = ran(default, *arguments)
    assert done.code == 7, done.err
    assert f"error: expected the package {package} for " in done.err
    assert done.err.endswith(f", found none\nhint: pip install '.[{extra}]'\n")


def test_the_sdist_holds_the_repository_and_passes_its_own_tests(built: Path, tmp_path: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    for name in ("tests", "benchmarks", "docs", "android_demo", "ios_demo", ".ci", "Makefile", "constraints-bench.txt"):
        assert (source / name).exists(), name
    rooms = [path for path in ROOT.iterdir() if (path / "__init__.py").exists()]
    for room in rooms:
        modules = {path.relative_to(ROOT) for path in room.rglob("*.py")}
        assert modules == {path.relative_to(source) for path in (source / room.name).rglob("*.py")}
    pytest_in_sdist = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0"]
    outside = {**ENVIRONMENT, "PYTHONPATH": str(source)}
    slow = ("--deselect", "tests/project/test_readme.py::test_its_python_runs_as_it_stands")
    names = ("test_layout.py", "test_docs.py", "test_readme.py", "test_architecture.py")
    for chosen in ([f"tests/project/{name}" for name in names], ["--collect-only"]):
        done = child_process.run([*pytest_in_sdist, *slow, *chosen], cwd=source, env=outside)
        assert done.returncode == 0, done.stdout[-3000:]


def foreign(folder: Path, project: str) -> Path:
    """Writes the wheel of another project whose package is called qat too."""
    name = f"{project.replace('-', '_')}-1.8.1"
    files = {
        "qat/__init__.py": "",
        f"{name}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.8.1\n",
        f"{name}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{name}.dist-info/RECORD"] = "".join(f"{file},,\n" for file in files)
    path = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return path


@pytest.mark.parametrize("project", ["qat", "qat-core"])
@pytest.mark.parametrize("last", ["the other one", "this SDK"])
def test_another_project_of_the_name_qat_beside_it_is_named(
    project: str, last: str, wheel: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "environment"
    packages = installed(wheel, folder)
    install(foreign(tmp_path, project), folder)
    first_uses = ["import mobile_sdk; mobile_sdk.lower"]
    if last == "this SDK":
        zipfile.ZipFile(wheel).extract("qat/__init__.py", packages)
        first_uses.append("import qat; qat.fit")
    expected = (
        f"expected mobile-sdk's package qat alone in this environment, found {project} 1.8.1, another project whose "
        "package is called qat too"
    )
    done = ran(folder, "--version")
    assert (done.code, done.out) == (7, "")
    assert done.err.startswith(f"error: {expected}\nhint: use an environment of its own for each")
    if project == "qat":
        assert done.err in (ROOT / "docs" / "start" / "installation.md").read_text(encoding="utf-8")
    for use in first_uses:
        assert f"MachineError: {expected}" in ran(folder, "-c", use, program="python").err


def test_another_package_qat_before_it_on_the_path_is_named(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    installed(wheel, folder)
    (tmp_path / "elsewhere" / "qat").mkdir(parents=True)
    (tmp_path / "elsewhere" / "qat" / "__init__.py").write_text("", encoding="utf-8")
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'elsewhere')!r}); import mobile_sdk; mobile_sdk.lower"
    done = ran(folder, "-c", program, program="python")
    assert f"expected mobile-sdk's package qat at {folder}" in done.err and str(tmp_path / "elsewhere") in done.err
