"""Doctor's findings agree with this machine and come fast, and every lack says how to end it."""

import sys
from importlib import metadata
from pathlib import Path

import pytest

from mobile_sdk.devices.doctor import checks
from tests.support.child_process import cpu_s, run


def test_installed_packages_are_found_with_their_versions() -> None:
    findings = {finding.name: finding for finding in checks()}
    for name in ("torch", "torchao", "executorch", "ai-edge-litert"):
        assert (findings[name].status, findings[name].found) == ("ok", metadata.version(name))


def test_a_package_that_is_missing_comes_with_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    torch = next(finding for finding in checks() if finding.name == "torch")
    assert (torch.status, torch.get) == ("missing", "pip install torch==2.13.0")


@pytest.mark.skipif(sys.platform == "darwin", reason="on a Mac Core ML predicts")
def test_core_ml_is_limited_off_a_mac() -> None:
    coreml = next(finding for finding in checks() if finding.name == "coremltools")
    assert coreml.status == "limited"
    assert "only on macOS" in coreml.found


def test_what_is_not_in_the_cache_is_missing_and_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not" / "yet"))
    findings = {finding.name: finding for finding in checks()}
    assert findings["tflite-runtime"].get == "python -m mobile_sdk.runtimes.tflite_legacy"
    assert findings["emulated cores"].status == "missing"


def test_what_is_in_the_cache_is_ok(tflite_legacy_python: Path) -> None:
    findings = {finding.name: finding for finding in checks()}
    assert findings["tflite-runtime"].status == "ok"


def test_names_are_unique_and_nothing_ok_asks_for_a_command() -> None:
    findings = checks()
    assert len({finding.name for finding in findings}) == len(findings)
    assert not [finding for finding in findings if finding.status == "ok" and finding.get]


def test_it_imports_none_of_the_heavy_packages_and_takes_two_seconds_of_a_processor_at_most() -> None:
    program = (
        "import sys; from mobile_sdk.devices.doctor import checks; checks();"
        "print([name for name in ('torch', 'executorch', 'coremltools', 'ai_edge_litert') if name in sys.modules])"
    )
    assert run([sys.executable, "-c", program]).stdout.strip() == "[]"
    assert min(cpu_s([sys.executable, "-c", program]) for _ in range(3)) <= 2
