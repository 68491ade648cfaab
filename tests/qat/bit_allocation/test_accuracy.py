"""Bits chosen for an accuracy: the smallest net that has it, by few measurements, each of them once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk.errors import SettingError
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.record import FrontierPoint
from qat.arguments.bit_target import BitTarget
from qat.bit_allocation import allocation as allocating
from qat.bit_allocation.allocation import AllocatedNet
from qat.bit_allocation.frontier import TRIES, Candidate, above_accuracy, frontier
from qat.bit_allocation.sensitivities_file import SENSITIVITIES_FILE
from qat.data.picture_set import PictureSet
from qat.freezing.freezing import freeze
from tests.support.nets.sensitive_net import allocate, classified, undecided_net
from tests.support.tiny_nets import CONTRACT, picture_set

IMAGES = 200


def allocate_for(share: float, folder: Path | None) -> AllocatedNet:
    net = undecided_net()
    return allocate(BitTarget(min_accuracy=share), folder, net=net, validation=classified(net, IMAGES))


@pytest.fixture(scope="module")
def accurate(tmp_path_factory: pytest.TempPathFactory) -> tuple[AllocatedNet, Path]:
    """The net for an accuracy that some layers at four bits keep, and its folder."""
    folder = tmp_path_factory.mktemp("accurate")
    return allocate_for(0.9, folder), folder


def test_the_last_point_measured_with_the_accuracy_is_chosen_and_is_the_programs(
    accurate: tuple[AllocatedNet, Path],
) -> None:
    found, choice = accurate[0], accurate[0].allocation
    assert choice.min_accuracy == 0.9 and choice.accuracy_images == IMAGES
    assert 0 < choice.chosen < len(choice.frontier) - 1
    assert choice.point.measured_accuracy is not None and choice.point.measured_accuracy >= 0.9
    assert choice.frontier[choice.chosen + 1].measured_accuracy is not None
    assert choice.frontier[choice.chosen + 1].measured_accuracy < 0.9
    pictures = classified(undecided_net(), IMAGES)
    winners = Reference(freeze(found.net, CONTRACT).graph).run(pictures.bytes(CONTRACT.input)).argmax(axis=1)
    assert choice.point.measured_accuracy == float((winners == np.array(pictures.targets)).mean())


def test_an_accuracy_above_eight_bits_keeps_layers_in_float(accurate: tuple[AllocatedNet, Path]) -> None:
    int8 = accurate[0].allocation.int8_point.measured_accuracy
    assert int8 is not None
    found = allocate_for(int8 + 1 / IMAGES, accurate[1])
    assert found.in_float[0] == "loud" and found.allocation.in_float == found.in_float
    assert found.allocation.point.measured_accuracy is not None and found.allocation.point.measured_accuracy > int8
    with pytest.raises(
        SettingError, match=r"expected --min-accuracy of 0\.\d+ or less, the accuracy with .*, found 1"
    ) as no:
        allocate_for(1.0, accurate[1])
    assert no.value.hint is not None and f"instead of {int8:.3f}, in " in no.value.hint


def test_an_interrupted_search_measures_no_accuracy_twice(
    accurate: tuple[AllocatedNet, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured, whole = list[float](), allocating.accuracy

    def until_two(*arguments: Any) -> float:
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(whole(*arguments))
        return measured[-1]

    monkeypatch.setattr(allocating, "accuracy", until_two)
    with pytest.raises(KeyboardInterrupt):
        allocate_for(0.9, tmp_path)
    (kept,) = json.loads((tmp_path / SENSITIVITIES_FILE).read_text())["accuracies"].values()
    assert list(kept.values()) == measured

    def rest(*arguments: Any) -> float:
        measured.append(whole(*arguments))
        return measured[-1]

    monkeypatch.setattr(allocating, "accuracy", rest)
    assert allocate_for(0.9, tmp_path).allocation == accurate[0].allocation
    assert len(measured) == sum(
        point.measured_accuracy is not None for point in accurate[0].allocation.frontier
    )  # each once
    net, others = undecided_net(), classified(undecided_net(), IMAGES // 2)
    before = len(measured)
    again = allocate(BitTarget(min_accuracy=0.2), tmp_path, net=net, validation=others).allocation
    assert (
        len(measured) > before and again.accuracy_images == IMAGES // 2
    )  # other pictures have accuracies of their own


@pytest.mark.parametrize(
    ("validation", "found"),
    [
        (None, "found none"),
        (PictureSet(sources=picture_set(4).sources, targets=(0, -1, -1, 1)), "found 2 of 4 without one"),
    ],
)
def test_pictures_without_classes_are_refused_before_anything_is_measured(
    validation: PictureSet | None, found: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match=f"expected held-out pictures with classes for --min-accuracy, {found}"):
        allocate(BitTarget(min_accuracy=0.9), tmp_path, validation=validation)
    assert not list(tmp_path.iterdir())


# -- the search


def points(at_four: int, in_float: int = 0) -> tuple[FrontierPoint, ...]:
    few = [Candidate(layer=f"few {index}", saved_bytes=10, noise_share=0.01) for index in range(at_four)]
    kept = [Candidate(layer=f"kept {index}", saved_bytes=10, noise_share=0.01) for index in range(in_float + 1)]
    return frontier(few, int8_bytes=1000, int8_db=20.0, in_float=kept if in_float else ())


def falling(last: int, tried: list[int]) -> Callable[[int], float]:
    """Accuracies of 0.9 up to the point `last`, and of 0.5 behind it."""

    def measure(index: int) -> float:
        tried.append(index)
        return 0.9 if index <= last else 0.5

    return measure


@pytest.mark.parametrize("last", range(41))
def test_any_last_point_of_forty_is_found_by_few_measurements(last: int) -> None:
    tried = list[int]()
    assert above_accuracy(points(40), 0.9, falling(last, tried)) == last
    assert len(tried) <= TRIES + 1 and len(set(tried)) == len(tried)


@pytest.mark.parametrize("last", range(8))
def test_layers_in_float_are_searched_only_if_eight_bits_miss_the_accuracy(last: int) -> None:
    tried = list[int]()
    assert above_accuracy(points(5, in_float=8), 0.9, falling(last, tried)) == last
    assert tried[:2] == [8, 0] and len(tried) <= 5 and max(tried) == 8


def test_one_net_with_most_layers_in_float_decides_a_refusal() -> None:
    tried = list[int]()
    with pytest.raises(
        SettingError, match=r"--min-accuracy of 0\.500 or less, the accuracy with 8 bits everywhere"
    ) as no:
        above_accuracy(points(5, in_float=8), 0.9, falling(-1, tried))
    assert tried == [8, 0] and no.value.hint is not None
    assert "8 layers in float32 brought 0.500 instead of 0.500" in no.value.hint
