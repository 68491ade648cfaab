"""The bits of weights in a program file: they are read back, part of its identity, and held to the codes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobile_sdk.errors import BundleError
from mobile_sdk.graph.operators import Weighted
from mobile_sdk.program.graph_file import GRAPH_FILE
from mobile_sdk.program.program import Program
from mobile_sdk.program.viewed_program import load_with_view
from tests.support.graphs import int8_graph
from tests.support.program_files import members, program_of, rewritten


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "program.pt2"
    program_of(int8_graph("four-bit weights")).save(path)
    return path


def bits(program: Program) -> list[int]:
    return [each.weight_bits for each in program.graph.operators if isinstance(each, Weighted)]


def forged(saved: Path, folder: Path, change: Callable[[list[Any]], Any]) -> Path:
    """The file with other layers, sealed again."""
    graph = json.loads(members(saved)[GRAPH_FILE])
    change([each for each in graph["operators"] if "weight" in each])
    return rewritten(saved, folder, {GRAPH_FILE: json.dumps(graph).encode()}, resealed=True)


def test_bits_are_read_back_and_stand_in_the_file_where_they_are_four(saved: Path, tmp_path: Path) -> None:
    found = load_with_view(saved)
    assert bits(found) == [8, 4, 4, 8, 4, 4, 4, 8, 4, 4]
    layers = [each for each in json.loads(members(saved)[GRAPH_FILE])["operators"] if "weight" in each]
    assert [each.get("weight_bits") for each in layers] == [None if each == 8 else each for each in bits(found)]


def test_flipped_bits_are_another_program_and_not_that_of_the_view(saved: Path, tmp_path: Path) -> None:
    path = forged(saved, tmp_path, lambda layers: layers[1].pop("weight_bits"))
    found = Program.load(path)
    assert bits(found)[:2] == [8, 8]
    assert found.digest() != Program.load(saved).digest()
    with pytest.raises(BundleError, match=r"PyTorch's view .* found another: dequantize.* differs"):
        load_with_view(path)


def test_codes_of_eight_bits_in_a_four_bit_layer_are_refused(saved: Path, tmp_path: Path) -> None:
    eight = next(index for index, each in enumerate(int8_graph("conv chain").operators) if each.output.shape[0] == 16)
    chain = tmp_path / "chain.pt2"
    program_of(int8_graph("conv chain")).save(chain)
    path = forged(chain, tmp_path, lambda layers: layers[eight].update(weight_bits=4))
    with pytest.raises(BundleError, match=r"expected 4-bit weights within ±7, found .* in Conv2d at net\.conv_2"):
        Program.load(path)


@pytest.mark.parametrize("value", [3, 0, -4, 10**30, True, 4.0, "4", None])
def test_other_bits_and_layers_that_cannot_have_them_are_refused_in_one_line(
    value: Any, saved: Path, tmp_path: Path
) -> None:
    for index, chosen in ((1, value), (0, 4), (3, 4)):
        path = forged(
            saved, tmp_path, lambda layers, index=index, chosen=chosen: layers[index].update(weight_bits=chosen)
        )
        with pytest.raises(BundleError) as refusal:
            Program.load(path)
        assert "\n" not in str(refusal.value) and refusal.value.hint
