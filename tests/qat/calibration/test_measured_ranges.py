"""Ranges that are measured: the outputs' noise decides, mathematics' ends stay, and large nets are left alone."""

import copy

import pytest
import torch

from qat.calibration import measured_ranges
from qat.calibration.measured_ranges import measure_ranges
from qat.calibration.noise import computed, sqnr_db
from qat.layers.quantizers.fake_quant import TensorQuantizer
from qat.preparation.fake_quant_net import FakeQuantNet
from tests.support.nets.calibrated_nets import calibrated
from tests.support.tiny_nets import chain, mixed_bag


def quantizers(net: FakeQuantNet) -> dict[str, TensorQuantizer]:
    return {name: each for name, each in net.captured.named_modules() if isinstance(each, TensorQuantizer)}


def ends(net: FakeQuantNet) -> dict[str, tuple[float, float]]:
    return {name: (float(each.low), float(each.high)) for name, each in quantizers(net).items()}


@pytest.mark.parametrize("make", [chain, mixed_bag])
@pytest.mark.parametrize("factor", [0.4, 2.5])
def test_ranges_that_are_too_narrow_or_too_wide_come_nearer_to_the_best(make, factor: float) -> None:
    net, teacher, pictures = calibrated(make())
    wanted = computed(teacher, pictures)
    net.widen(factor)
    net.widen(1 / factor, outputs_alone=True)
    before_db = sqnr_db(computed(net, pictures), wanted)
    measure_ranges(net, pictures)
    assert sqnr_db(computed(net, pictures), wanted) > before_db + 1


def test_ends_that_mathematics_fixes_stay_within_them_and_the_outputs_keep_theirs() -> None:
    net, _, pictures = calibrated(mixed_bag())
    before = ends(net)
    measure_ranges(net, pictures)
    outputs = net.output_quantizers()
    assert outputs
    for name, each in quantizers(net).items():
        low, high = ends(net)[name]
        if each in outputs:
            assert (low, high) == before[name]
        assert each.bounds.low is None or low == each.bounds.low
        assert each.bounds.high is None or high <= each.bounds.high
    assert ends(net) != before


def test_all_that_was_switched_off_for_it_rounds_again() -> None:
    net, _, pictures = calibrated(chain())
    measure_ranges(net, pictures)
    assert all(each.quantizing for each in quantizers(net).values())
    again = copy.deepcopy(net)
    again.quantize(True)
    assert torch.equal(net(pictures), again(pictures))


def test_a_net_too_large_to_be_computed_so_often_keeps_its_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    net, _, pictures = calibrated(chain())
    monkeypatch.setattr(measured_ranges, "MOST_MULTIPLY_ADDS", 1e3)
    before = ends(net)
    measure_ranges(net, pictures)
    assert ends(net) == before


def test_one_picture_is_too_few_to_choose_by() -> None:
    net, _, pictures = calibrated(chain())
    before = ends(net)
    measure_ranges(net, pictures[:1])
    assert ends(net) == before
