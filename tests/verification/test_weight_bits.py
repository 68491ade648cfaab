"""Bundles of 4-bit weights: they verify, say their bits to people, and nobody can pass off other bits."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.cli.app import call
from mobile_sdk.graph.operators import Graph, Weighted
from mobile_sdk.program.program import Program
from mobile_sdk.verification.verdict import Verdict
from mobile_sdk.verification.verification import verify
from tests.support import bundles
from tests.support.written_here import WRITTEN_HERE

NAME = "four-bit weights"
WORDS = "int8, 4-bit weights in 7 of 10 layers"


def of_eight_bits() -> Program:
    """The program with equal codes, all of 8 bits."""
    program = bundles.program(name=NAME)
    layers = (replace(each, weight_bits=8) if isinstance(each, Weighted) else each for each in program.graph.operators)
    return replace(program, graph=Graph(input=program.graph.input, operators=tuple(layers)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("four")
    return {name: lower(bundles.program(name=NAME), folder, runtimes=[name])[0] for name in WRITTEN_HERE}


def failed(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if check.outcome == "fail"}


@pytest.mark.parametrize("runtime", WRITTEN_HERE)
def test_a_bundle_verifies_and_its_manifest_says_the_bits_of_every_layer(runtime: str, made: dict[str, Bundle]) -> None:
    manifest = made[runtime].manifest
    assert list(manifest.quantization.weight_bits.values()) == [8, 4, 4, 8, 4, 4, 4, 8, 4, 4]
    assert (manifest.precision, manifest.precision_in_words) == ("int8", WORDS)
    assert WORDS in repr(made[runtime])
    found = verify(made[runtime], bundles.program(name=NAME), progress=False)
    assert failed(found) == set()


@pytest.mark.parametrize("runtime", ["tflite", "executorch"])
def test_a_file_of_eight_bits_in_place_of_four_fails_as_the_model_file(
    runtime: str, made: dict[str, Bundle], tmp_path: Path
) -> None:
    forged = Path(shutil.copytree(made[runtime].path, tmp_path / "forged"))
    (other,) = lower(of_eight_bits(), tmp_path, runtimes=[runtime])
    bundles.forge(forged, bundles.nothing, **{other.model_path.name: other.model_path.read_bytes()})
    found = verify(open_bundle(forged), bundles.program(name=NAME), progress=False)
    assert {"model file", "structure"} <= failed(found)
    assert {"program", "quantization"} <= failed(verify(other, bundles.program(name=NAME), progress=False))


def test_inspect_names_the_operators_of_int4_weights(
    made: dict[str, Bundle], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundles.program(name=NAME).save(tmp_path / "program.pt2")
    for path, said in (
        (made["tflite"].path, (WORDS, "FULLY_CONNECTED, int4 weights")),
        (made["executorch"].path, (WORDS, "FullyConnected, int4 weights")),
        (tmp_path / "program.pt2", ("Conv2d, 4-bit weights", "Linear, 4-bit weights")),
    ):
        call(["inspect", str(path)])
        shown = capsys.readouterr().out
        assert all(each in shown for each in said), shown
