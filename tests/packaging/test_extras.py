"""An extra brings what only some uses need, and one line names it where that is missing."""

import importlib.util
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from mobile_sdk import runtimes
from mobile_sdk.cli.app import call
from mobile_sdk.devices.doctor import checks
from mobile_sdk.devices.runner import build
from mobile_sdk.errors import MachineError
from mobile_sdk.latency.calibration import calibrate
from mobile_sdk.packages import check_installed, missing, needed
from tests.support.repository import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FOR_DEVELOPERS = {"dev", "bench", "coverage"}


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a package look as if it were not installed."""

    def make(package: str) -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        find = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name, *rest: None if name.split(".")[0] == package else find(name, *rest),
        )
        monkeypatch.setitem(sys.modules, package, None)

    return make


def test_code_names_every_extra_and_no_other_one() -> None:
    sources = [
        path.read_text(encoding="utf-8") for room in ("mobile_sdk", "qat") for path in (ROOT / room).rglob("*.py")
    ]
    named = {name for text in sources for name in re.findall(r"""(?:extra=|command\(|_EXTRA = )"([a-z]+)\"""", text)}
    assert named - {"forbid"} == set(PROJECT["optional-dependencies"]) - FOR_DEVELOPERS  # pydantic forbids extra fields


def test_development_installs_every_extra_but_nets_of_other_packages() -> None:
    (ours,) = [each for each in PROJECT["optional-dependencies"]["dev"] if each.startswith("mobile-sdk[")]
    extras = set(ours.removeprefix("mobile-sdk[").removesuffix("]").split(","))
    assert extras == set(PROJECT["optional-dependencies"]) - FOR_DEVELOPERS - {"timm"}


def test_a_missing_package_is_one_line_with_its_command() -> None:
    for ask in (needed, check_installed):
        with pytest.raises(MachineError, match=r"^expected the package no_such for a use, found none") as caught:
            ask("no_such", "a use", extra="latency")
        assert caught.value.hint == "pip install '.[latency]'"


def test_a_package_that_does_not_load_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_installed.py").write_text("import its_own_need", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MachineError, match="found one that does not load: No module named 'its_own_need'"):
        needed("half_installed", "a use", extra="latency")


def test_keys_need_the_extra_signing(
    absent: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent("cryptography")
    assert call(["keygen", str(tmp_path / "key.pem")]) == MachineError.exit_code
    said = capsys.readouterr().err
    assert said.startswith("error: expected the package cryptography for keys and signatures, found none\n")
    assert said.endswith("hint: pip install '.[signing]'\n") and not list(tmp_path.iterdir())


def test_a_calibration_asks_for_its_extra_before_it_measures(absent: Callable[[str], None]) -> None:
    absent("scipy")
    with pytest.raises(MachineError, match="expected the package scipy for predicted latencies, found none") as caught:
        calibrate("host", progress=lambda share, work: pytest.fail(work))
    assert caught.value.hint == "pip install '.[latency]'"


def test_devices_need_cmake_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "_find_cmake", lambda: None)
    assert next(each for each in checks() if each.name == "runner").get == "pip install '.[devices]'"
    with pytest.raises(MachineError, match="expected the package cmake for the programs that run models") as caught:
        build.make_runners("aarch64", pytest.fail)
    assert caught.value.hint == "pip install '.[devices]'"


def test_the_page_has_a_row_for_every_extra_and_shows_what_is_said() -> None:
    page = (ROOT / "docs" / "start" / "installation.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert rows == set(PROJECT["optional-dependencies"]) - FOR_DEVELOPERS
    error = missing("cryptography", "keys and signatures", extra="signing")
    assert f"error: {error.message}\nhint: {error.hint}\n" in page
    assert set(re.findall(r"3\.1\d", page)) == {"3.11", "3.12", "3.13"}


def test_without_executorch_its_bundles_are_left_out_and_named(absent: Callable[[str], None]) -> None:
    absent("executorch")
    assert runtimes.usual() == ("tflite", "coreml") and runtimes.timed_here() == ("tflite",)
    assert runtimes.left_out() == (
        "executorch is not installed, its bundles are left out: pip install '.[executorch]'",
    )
