"""Refusals: all that a net misses is named at once, counted by kind, with places and the nearest form that works."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mobile_sdk.cli.failures import explain
from mobile_sdk.errors import CaptureError, SettingError
from qat.capture.capture import capture
from qat.capture.refusals import SHOWN
from qat.preparation.preparation import prepare
from tests.support.tiny_nets import CONTRACT, SIZE_PX, body, net


class Odd(nn.Module):
    """Applies an operator that no integer operator stands for."""

    def __init__(self, operation) -> None:
        super().__init__()
        self.operation = operation

    def forward(self, x):
        return self.operation(x)


def refusal_of(*operations) -> CaptureError:
    tiny = body(lambda self, x: self.stage(x), stage=nn.Sequential(*map(Odd, operations)))
    with pytest.raises(CaptureError) as caught:
        capture(tiny, SIZE_PX)
    return caught.value


def cumulated(x):
    return x.cumsum(1)


def sorted_along_rows(x):
    return x.sort(2)[0]


def test_all_kinds_are_named_with_their_counts_and_first_places():
    error = refusal_of(cumulated, torch.relu, sorted_along_rows, cumulated)
    assert "found 2 kinds of operators that no integer operator stands for: aten.cumsum" in error.message
    first, second = error.__notes__
    assert first.startswith("aten.cumsum.default at stage.0 (2 places)")
    assert second.startswith("aten.sort.default at stage.2") and "instead: return the scores" in second


def test_a_single_kind_is_its_own_error_with_the_nearest_form_in_the_hint():
    error = refusal_of(sorted_along_rows, sorted_along_rows)
    assert error.message == "no integer operator stands for aten.sort.default at stage.0 (2 places)"
    assert error.hint.startswith("instead: return the scores")
    assert not hasattr(error, "__notes__")


def test_shapes_do_not_make_kinds():
    error = refusal_of(lambda x: x.cumsum(1), lambda x: F.avg_pool2d(x, 2), lambda x: x.cumsum(1))
    assert "(2 places)" in error.message


def test_a_result_that_cannot_be_taken_is_named_beside_the_operators():
    tiny = net(lambda self, x: (self.stem(x).cumsum(1), x.mean((2, 3))), stem=nn.Conv2d(3, 5, 3))
    with pytest.raises(CaptureError) as caught:
        capture(tiny, SIZE_PX)
    assert "aten.cumsum" in caught.value.message and "expected a net that returns" in caught.value.__notes__[1]


def test_many_kinds_are_at_most_ten_lines_on_the_command_line():
    makers = (torch.cumsum, torch.cumprod, torch.logcumsumexp)
    operations = [
        *(lambda x, maker=maker: maker(x, 1) for maker in makers),
        *(
            torch.acos,
            torch.atan,
            torch.tan,
            torch.asin,
            torch.erfinv,
            torch.lgamma,
            torch.digamma,
            torch.i0,
            torch.frac,
        ),
    ]
    error = refusal_of(*operations)
    reasons = explain(error).reasons
    assert len(reasons) == SHOWN and reasons[-1].endswith("more kinds")
    assert "\n" not in error.message


def test_a_constant_of_a_refused_operator_is_no_reason_of_its_own():
    error = refusal_of(lambda x: torch.searchsorted(torch.linspace(0, 1, 5).expand(2, 6, 16, 5).contiguous(), x) * 1.0)
    assert "folded" not in str(error) + "".join(getattr(error, "__notes__", ()))


def test_half_precision_inside_forward_is_refused_with_what_to_do():
    error = refusal_of(lambda x: x.half().float())
    assert "to torch.float16" in error.message and "leave half(), bfloat16 and autocast out" in error.hint


def test_an_exported_program_is_refused_with_the_call_that_gives_its_module():
    program = torch.export.export(nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU()).eval(), (torch.zeros(1, 3, 16, 16),))
    with pytest.raises(SettingError, match="found ExportedProgram") as caught:
        prepare(program, CONTRACT)
    assert "program.module()" in caught.value.hint
