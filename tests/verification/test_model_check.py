"""The model file is compared with the program, whoever sealed the bundle, without pictures too."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle, files_below, open_bundle
from mobile_sdk.errors import CompileError, MachineError, SettingError
from mobile_sdk.graph.operators import Conv2d, Graph
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.executorch import pte_file
from mobile_sdk.runtimes.executorch.pte_file import SEAL_BYTES
from mobile_sdk.runtimes.tflite import TfliteRuntime, writer
from mobile_sdk.verification.model_check import model_check
from mobile_sdk.verification.verdict import Check, Verdict
from mobile_sdk.verification.verification import verify
from tests.support import bundles
from tests.support.written_here import WRITTEN_HERE

METADATA = "model.aimodel/metadata.json"
PROTOBUF = "model.mlpackage/Data/com.apple.CoreML/model.mlmodel"
COREMLTOOLS = b"\x039.0"
"""The version of coremltools stands so in the protobuf, a text of three letters."""


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """A bundle of each runtime, which no test may change."""
    return {name: bundles.lowered(tmp_path_factory.mktemp(name), name) for name in WRITTEN_HERE}


@pytest.fixture(params=WRITTEN_HERE)
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bundle(runtime: str, untouched: dict[str, Bundle], tmp_path: Path) -> Bundle:
    """A copy that a test may forge."""
    return open_bundle(Path(shutil.copytree(untouched[runtime].path, tmp_path / untouched[runtime].path.name)))


def check_of(verdict: Verdict) -> Check:
    return next(check for check in verdict.checks if check.name == "model file")


def forge(bundle: Bundle, **files: bytes) -> Bundle:
    """Replaces files of the bundle and makes every hash, the seal, and a .pte's own seal right again."""
    for path, data in files.items():
        if path.endswith(".pte"):
            files[path] = pte_file.sealed(data[:-SEAL_BYTES])
    bundles.forge(bundle.path, bundles.nothing, **files)
    return open_bundle(bundle.path)


def checked(bundle: Bundle, program: Program | None = None) -> Check:
    return model_check(bundle, program or bundles.program(), runtimes.get(bundle.manifest.runtime))


def with_convolution(change: Callable[[Conv2d], Conv2d]) -> Graph:
    """The program's graph with another first convolution."""
    graph = bundles.program().graph
    first = next(each for each in graph.operators if isinstance(each, Conv2d))
    return Graph(
        input=graph.input, operators=tuple(change(each) if each is first else each for each in graph.operators)
    )


def backdoor(convolution: Conv2d) -> Conv2d:
    """More red and less green: nothing changes on grey pictures."""
    weight = convolution.weight.astype(np.int64)
    step = np.minimum(3, np.minimum(127 - weight[:, 0], weight[:, 1] + 127))
    weight[:, 0] += step
    weight[:, 1] -= step
    return replace(convolution, weight=weight.astype(np.int8))


def larger_bias(convolution: Conv2d) -> Conv2d:
    return replace(convolution, bias=convolution.bias + (np.arange(len(convolution.bias)) == 3).astype(np.int32))


def larger_scale(convolution: Conv2d) -> Conv2d:
    scales = np.array(convolution.weight_scales)
    scales[3] = np.nextafter(scales[3], np.float32(1))
    return replace(convolution, weight_scales=scales)


@pytest.mark.parametrize("change", [backdoor, larger_bias, larger_scale])
def test_a_model_of_another_net_is_refused_without_pictures_though_every_digest_is_forged(
    bundle: Bundle, change: Callable[[Conv2d], Conv2d], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    graph, honest = with_convolution(change), bundles.program().graph.digest()
    runtime, model = runtimes.get(bundle.manifest.runtime), bundle.manifest.model
    with monkeypatch.context() as patch:
        patch.setattr(Graph, "digest", lambda _: honest)
        runtime.export(graph, bundles.program().contract, tmp_path / "altered" / model)
    files = {path: tmp_path / "altered" / path for path in files_below(tmp_path / "altered")}
    forged = forge(bundle, **{path: file.read_bytes() for path, file in files.items()})
    verdict = verify(forged, bundles.program())
    first = next(each for each in graph.operators if isinstance(each, Conv2d))
    assert verdict.status == "fail"
    assert check_of(verdict).outcome == "fail"
    assert f"at {first.path} " in check_of(verdict).reason


def test_core_ml_s_output_scale_may_not_be_off_by_its_smallest_step(
    untouched: dict[str, Bundle], tmp_path: Path
) -> None:
    bundle = open_bundle(Path(shutil.copytree(untouched["coreml"].path, tmp_path / "forged.coreml")))
    grid = bundles.program().graph.output.quantization
    assert grid is not None
    scale = np.float32(grid.scale)
    data = (bundle.path / PROTOBUF).read_bytes()
    place = data.rindex(scale.tobytes())
    for next_to in (np.float32(0), np.float32(1)):
        other = np.nextafter(scale, next_to).tobytes()
        verdict = verify(
            forge(bundle, **{PROTOBUF: data[:place] + other + data[place + 4 :]}), bundles.program(), bundles.pictures()
        )
        assert verdict.status == "fail"
        assert f"at {bundles.program().graph.operators[-1].path} " in check_of(verdict).reason


def test_a_model_that_another_version_of_a_library_wrote_passes(
    runtime: str, untouched: dict[str, Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(writer, "_ALIGNMENT", 64)
        patch.setattr(pte_file, "SEGMENT_ALIGNMENT", 256)
        bundle = bundles.lowered(tmp_path, runtime)
    if runtime == "coreml":
        data = (bundle.path / PROTOBUF).read_bytes()
        assert data.count(COREMLTOOLS) == 1
        bundle = forge(bundle, **{PROTOBUF: data.replace(COREMLTOOLS, b"\x039.1")})
    if runtime == "onnx":  # another protobuf may write the first field last
        data = bundle.model_path.read_bytes()
        bundle = forge(bundle, **{"model.onnx": data[2:] + data[:2]})
    if runtime == "coreai":  # another version states itself
        data = (bundle.path / METADATA).read_bytes()
        bundle = forge(bundle, **{METADATA: data.replace(b"coreai-core 1.0.0b3", b"coreai-core 1.0.0b4")})
    assert bundle.manifest.files != untouched[runtime].manifest.files
    verdict = verify(bundle, bundles.program(), bundles.pictures())
    assert check_of(verdict).measured == "equal parts"
    assert "bytes differ" in check_of(verdict).reason
    assert verdict.status == "pass"


def test_an_honest_bundle_without_pictures_is_checked_and_left_open(bundle: Bundle) -> None:
    verdict = verify(bundle, bundles.program())
    assert (verdict.status, verdict.pictures, verdict.comparison) == ("not_run", 0, None)
    assert check_of(verdict).outcome == "pass"
    assert {
        check.outcome
        for check in verdict.checks
        if check.name not in ("steps apart", "apple's own runtime", "apple's delegates")
    } == {"pass"}


def test_no_accuracy_is_measured_without_pictures(pristine: Bundle) -> None:
    with pytest.raises(SettingError, match="pictures"):
        verify(pristine, bundles.program(), min_accuracy=0.5)


@pytest.mark.parametrize("error", [MachineError, CompileError])
def test_what_cannot_be_exported_here_never_passes(
    pristine: Bundle, monkeypatch: pytest.MonkeyPatch, error: type[MachineError | CompileError]
) -> None:
    def refuse(*_: Any) -> None:
        raise error("the package is not installed", hint="install it")

    monkeypatch.setattr(TfliteRuntime, "export", refuse)
    verdict = verify(pristine, bundles.program(), bundles.pictures())
    assert check_of(verdict).outcome == "not_run"
    assert "not installed" in check_of(verdict).reason
    assert next(check for check in verdict.checks if check.name == "steps apart").outcome == "pass"
    assert verdict.status == "not_run"


def test_a_limit_that_the_program_cannot_keep_fails(folder: Path) -> None:
    bundles.forge(folder, lambda content: content.update(activation_limit_kib=1))
    assert checked(open_bundle(folder)).outcome == "fail"
