"""A runtime's promises stand on the runtime alone: no other product code names one."""

import ast
import re
from pathlib import Path

import pytest

from mobile_sdk import runtimes
from mobile_sdk.errors import SettingError
from mobile_sdk.runtimes.base import Runtime
from tests.support.repository import ROOT

NAMES = (*runtimes.names(), *runtimes.readers(), "litert")
NAMED = re.compile(rf"(?<![\w.-])({'|'.join(map(re.escape, NAMES))})(?![\w-])")
EXAMPLE = "mobile-sdk "  # how the example command lines of --help begin


def product_code() -> list[Path]:
    paths = [path for package in ("mobile_sdk", "qat") for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in paths if ROOT / "mobile_sdk/runtimes" not in path.parents]


def docstrings(tree: ast.Module) -> set[int]:
    """The lone texts of a tree: docstrings, and what explains a constant."""
    return {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def test_no_runtime_is_named_in_a_string_outside_runtimes() -> None:
    found = []
    for path in product_code():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        explaining = docstrings(tree)
        found += [
            f"{path.relative_to(ROOT)}:{node.lineno}: {node.value!r}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in explaining
            if NAMED.search(node.value) and not node.value.startswith(EXAMPLE)
        ]
    assert not found, "\n".join(found)


def test_no_module_outside_runtimes_imports_one_runtime() -> None:
    own = tuple(
        f"mobile_sdk.runtimes.{path.parent.name}" for path in (ROOT / "mobile_sdk/runtimes").glob("*/export.py")
    )
    assert len(own) == len(runtimes.names())
    readers = [f"mobile_sdk.runtimes.{name}" for name in ("tflite_legacy", "litert_gpu", "qnn_htp")]
    for path in product_code():
        text = path.read_text(encoding="utf-8")
        assert not [name for name in (*own, *readers) if f"from {name}" in text], path


@pytest.mark.parametrize("name", [*runtimes.names(), *runtimes.readers()])
def test_every_runtime_keeps_its_promises(name: str) -> None:
    runtime = runtimes.get(name)
    assert isinstance(runtime, Runtime)
    assert runtime.name == name
    assert runtime.processors
    assert runtime.finding().enables
    assert runtime.not_timed(on_host=False) is None or runtime.runner is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [("LiteRT", "tflite"), ("ios", "coreml"), ("PyTorch", "executorch"), ("tflit", "tflite"), ("Core ML", "coreml")],
)
def test_a_name_that_is_none_is_answered_with_the_likeliest(said: str, meant: str) -> None:
    with pytest.raises(SettingError, match=f"did you mean {meant}"):
        runtimes.get(said)


def test_runtimes_are_listed_by_what_they_can_do() -> None:
    assert runtimes.names() == ("executorch", "tflite", "coreml", "onnx", "coreai")
    assert runtimes.usual() == ("executorch", "tflite", "coreml")
    assert runtimes.on_devices() == ("executorch", "tflite")
    assert runtimes.in_apps("android") == ("executorch", "tflite")
    assert runtimes.in_apps("ios") == ("executorch", "coreml")
    assert runtimes.readers() == ("tflite-runtime", "litert-gpu", "qnn-htp")
    assert [runtimes.read_by(name) for name in runtimes.readers()] == ["tflite", "tflite", "onnx"]
    assert runtimes.MEASURED_IN in runtimes.on_devices()
