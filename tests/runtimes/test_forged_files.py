"""A model file that somebody changed on purpose is named or refused, in every runtime: what counts, and what hides."""

import hashlib
import random
import shutil
from contextlib import closing, suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import files_below
from mobile_sdk.errors import BundleError
from mobile_sdk.graph.operators import Conv2d, Graph
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.coreai.asset.contents import CODE, DIGEST
from mobile_sdk.runtimes.executorch.pte_file import SEAL_BYTES, sealed
from tests.support.graphs import contract_for, int8_graph, pictures
from tests.support.written_here import WRITTEN_HERE

ORDERS = ((0, 1, 2, 3), (0, 2, 3, 1), (1, 2, 3, 0))
"""These are the orders in which the runtimes store a convolution's weights."""


@cache
def graph() -> Graph:
    return int8_graph("conv chain")


class Forger:
    """Writes changed bytes into a copy of a model, as somebody can who knows every seal."""

    def __init__(self, runtime: str, folder: Path) -> None:
        self.runtime = runtimes.get(runtime)
        self.fresh, self.copy = folder / "fresh" / self.runtime.model_file, folder / "copy" / self.runtime.model_file
        self.fresh.parent.mkdir()
        self.interface: Interface = self.runtime.export(graph(), contract_for(graph()), self.fresh)
        shutil.copytree(self.fresh.parent, self.copy.parent)
        self.files = {path: (self.fresh.parent / path).read_bytes() for path in files_below(self.fresh.parent)}

    def found(self, path: str, data: bytes) -> str:
        """The first difference or the refusal of that file with these bytes; nothing if it counts as equal."""
        file = self.copy.parent / path
        file.write_bytes(sealed(data[:-SEAL_BYTES]) if path.endswith(".pte") else data)
        if file.name == CODE:
            file.with_name(DIGEST).write_bytes(hashlib.sha256(data).digest())
        try:
            found = self.runtime.differences(self.copy, self.fresh, graph())
        except BundleError as error:
            found = [error.message]
        if found:
            self.restore()
        return found[0] if found else ""

    def restore(self) -> None:
        """Makes the copy equal again."""
        for path, data in self.files.items():
            (self.copy.parent / path).write_bytes(data)

    def scores(self, model: Path, shown: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Returns what the runtime gives for these pictures."""
        session = self.runtime.load(model, self.interface, threads=1)
        with closing(session):
            return np.stack([session.run(picture) for picture in shown])


@pytest.fixture(scope="module", params=WRITTEN_HERE)
def forger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Forger:
    return Forger(request.param, tmp_path_factory.mktemp(request.param))


def test_a_flipped_bit_of_any_weight_bias_or_scale_is_named_with_its_layer(forger: Forger) -> None:
    generator, tried = random.Random(0), 0
    for layer in (each for each in graph().operators if isinstance(each, Conv2d)):
        assert layer.weight_scales is not None
        constants = [np.ascontiguousarray(layer.weight.transpose(order)) for order in ORDERS]
        constants += [layer.bias, layer.weight_scales, layer.bias.astype(np.float32)]
        for each in {constant.tobytes() for constant in constants}:
            for path, data in forger.files.items():
                if data.count(each) == 1:
                    place = data.index(each) + generator.randrange(len(each))
                    assert f"at {layer.path} " in forger.found(path, _flipped(data, place, generator.randrange(8)))
                    tried += 1
    assert tried >= 10


def test_a_flipped_bit_anywhere_is_found_or_gives_no_other_score(forger: Forger) -> None:
    generator = random.Random(0)
    shown = pictures(graph(), 4)
    for number in range(200 if forger.runtime.name != "coreai" else 12):  # each starts a process of Apple's reader
        path = list(forger.files)[number % len(forger.files)]
        data = forger.files[path]
        end = len(data) - (SEAL_BYTES if path.endswith(".pte") else 0)
        if forger.found(path, _flipped(data, generator.randrange(end), generator.randrange(8))):
            continue
        with suppress(BundleError):  # the runtime itself may refuse it
            np.testing.assert_array_equal(*(forger.scores(model, shown) for model in (forger.fresh, forger.copy)))
        forger.restore()


@pytest.mark.parametrize("hidden", [b"\1", bytes(64) + b"PK\5\6" + bytes(18)], ids=["a byte", "an archive"])
def test_bytes_behind_the_end_of_a_file_are_refused(forger: Forger, hidden: bytes) -> None:
    for path, data in forger.files.items():
        end = len(data) - (SEAL_BYTES if path.endswith(".pte") else 0)
        assert forger.found(path, data[:end] + hidden + data[end:]), path


def _flipped(data: bytes, place: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1 << bit
    return bytes(changed)
