"""Calibration: int8 without training, from a few pictures."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import qat
from mobile_sdk.errors import DataError
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from qat.calibration import calibration
from qat.calibration.calibration import CALIBRATION_PICTURES, calibrate, quantize
from qat.calibration.plan import CalibrationPlan
from qat.data.picture_set import PictureSet
from qat.layers.quantizers.fake_quant import TensorQuantizer
from qat.preparation.preparation import prepare
from tests.support.tiny_nets import CONTRACT, Tiny, body, picture_set, rgb


def tiny_net() -> Tiny:
    return body(lambda self, x: F.relu(self.norm(self.conv(x))), conv=nn.Conv2d(6, 6, 3), norm=nn.BatchNorm2d(6))


def test_quantizing_gives_a_program_that_says_how_it_came_about():
    program = quantize(tiny_net(), CONTRACT, picture_set())
    assert isinstance(program, Program) and program.graph.is_int8
    assert program.contract == CONTRACT
    assert (program.record.net, program.record.quantized) == ("Tiny", "calibrated")
    stages: Any = program.record.settings["calibration"]
    assert [stage["stage"] for stage in stages] == [
        *("extremes", "ranges", "equalisation", "ranges, measured"),
        *("rounding", "biases", "reconstruction"),
    ]
    assert all(stage["sqnr_db"] > 10 for stage in stages)
    kept = [stage["sqnr_db"] for stage in stages[4:] if stage["is_kept"]]
    assert stages[0]["is_kept"] and kept == sorted(kept), "no stage of weights that is kept makes int8 worse"
    told = Record(net="mine", quantized="calibrated", settings={"pictures": 8})
    found = quantize(tiny_net(), CONTRACT, picture_set(), record=told).record
    assert found.net == "mine" and found.settings == {"pictures": 8, "calibration": stages}
    assert qat.quantize is quantize


def test_ranges_are_the_extremes_that_the_float_values_take():
    tiny = tiny_net()
    found = prepare(tiny, CONTRACT)
    pictures = picture_set(12)
    calibrate(found, pictures, CalibrationPlan.extremes())
    x = torch.from_numpy(rgb(12).transpose(0, 3, 1, 2).copy()).float() / 128 - 1
    with torch.no_grad():
        values = F.relu(tiny.norm(tiny.conv(tiny.stem(x))))
        scores = tiny(x)
    ranges = [(float(q.low), float(q.high)) for q in found.modules() if isinstance(q, TensorQuantizer)]
    assert any(high == pytest.approx(float(values.max()), rel=1e-4) for _, high in ranges)
    expected = (pytest.approx(float(scores.min()), rel=1e-3), pytest.approx(float(scores.max()), rel=1e-3))
    assert any((low, high) == expected for low, high in ranges)


def test_calibration_ends_with_rounding_on_and_ranges_that_hold_still():
    found = prepare(tiny_net().train(), CONTRACT)
    calibrate(found, picture_set())
    before = {name: value.clone() for name, value in found.state_dict().items()}
    assert not found.training
    x = torch.randn(4, 3, 16, 16) * 9
    with torch.no_grad():
        found(x)
        found.train()(x)
    assert all(torch.equal(value, before[name]) for name, value in found.state_dict().items())
    quantizers = [module for module in found.modules() if isinstance(module, TensorQuantizer)]
    assert quantizers and all(q.quantizing and not q.calibrating for q in quantizers)


def test_the_net_is_left_as_it_was():
    tiny = tiny_net().train()
    before = {name: value.clone() for name, value in tiny.state_dict().items()}
    quantize(tiny, CONTRACT, picture_set())
    assert tiny.training
    assert all(torch.equal(value, before[name]) for name, value in tiny.state_dict().items())


def test_labels_are_not_read_and_the_order_of_pictures_does_not_matter():
    sources = picture_set(8).sources
    unlabelled = PictureSet(sources=sources, targets=(-1,) * 8)
    backwards = PictureSet(sources=sources[::-1], targets=(4,) * 8)
    plan = CalibrationPlan.extremes()
    first, second = (quantize(tiny_net(), CONTRACT, pictures, plan) for pictures in (unlabelled, backwards))
    assert first.graph.digest() == second.graph.digest()
    labelled = PictureSet(sources=sources, targets=tuple(range(8)))
    first, second = (quantize(tiny_net(), CONTRACT, pictures) for pictures in (unlabelled, labelled))
    assert first.graph.digest() == second.graph.digest()


def test_no_more_pictures_are_read_than_are_needed(monkeypatch):
    assert CALIBRATION_PICTURES == 512
    monkeypatch.setattr(calibration, "CALIBRATION_PICTURES", 3)
    wild = PictureSet(sources=(*picture_set(3).sources, *(255 - source for source in rgb(5))), targets=(0,) * 8)
    few = PictureSet(sources=picture_set(3).sources, targets=(0,) * 3)
    assert quantize(tiny_net(), CONTRACT, wild).graph.digest() == quantize(tiny_net(), CONTRACT, few).graph.digest()


def test_one_picture_is_enough():
    program = quantize(tiny_net(), CONTRACT, picture_set(1))
    assert len(np.unique(Reference(program.graph).run(rgb(8)))) > 3


def test_no_picture_is_refused_with_what_to_give():
    with pytest.raises(DataError, match="expected pictures to calibrate on, found none") as caught:
        quantize(tiny_net(), CONTRACT, PictureSet(sources=(), targets=()))
    assert "folder" in caught.value.hint
