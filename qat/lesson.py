"""A lesson: student and teacher see the same pictures, and the student is told how far it is off."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.contract import Contract
from mobile_sdk.errors import SettingError
from qat.capture import capture
from qat.distillation import Distillation
from qat.features import feature_names, in_float, with_features
from qat.float_scores import without_last_activation
from qat.fusion import fused
from qat.layout import device_of, lay_out
from qat.net_copy import copy_net
from qat.preparation import FakeQuantNet
from qat.quantizer import step_of

_View = Callable[[Tensor], tuple[Tensor, tuple[Tensor, ...]]]
"""A net's scores, and the tensors inside that are compared."""


class Lesson:
    """A student beside its teacher: both see the same pictures, and the student is told how far it is off.

    SettingError where the teacher gives other scores or, where features are asked for, is another net inside.
    """

    def __init__(self, student: nn.Module, teacher: nn.Module, contract: Contract, distillation: Distillation) -> None:
        self._distillation = distillation
        self._student: _View = lambda rgb: (student(rgb), ())
        own = without_last_activation(copy_net(teacher).cpu().float(), contract.image.size_px)
        _check_scores(own.eval(), contract)
        if distillation.features:
            own, self._student = _matched(own, student, contract)
        own.eval().requires_grad_(False)
        own.to(device_of(student))
        lay_out(own)
        self._teacher: _View = own if distillation.features else lambda rgb: (own(rgb), ())

    def __call__(self, rgb: Tensor, targets: Tensor, label_smoothing: float) -> tuple[Tensor, Tensor]:
        """`(loss, the student's scores)` of pictures as float nets read them; a target of -1 is no label."""
        with torch.no_grad():
            wanted, wanted_features = self._teacher(rgb)
        scores, features = self._student(rgb)
        weigh = self._distillation
        loss = weigh.scores * _noise_share(scores, wanted)
        if features:
            shares = [_noise_share(*pair) for pair in zip(features, wanted_features, strict=True)]
            loss = loss + weigh.features * torch.stack(shares).mean()
        if weigh.divergence:
            loss = loss + weigh.divergence * _divergence(scores, wanted, weigh.temperature)
        if weigh.labels and (targets >= 0).any():
            loss = loss + weigh.labels * F.cross_entropy(
                scores, targets, label_smoothing=label_smoothing, ignore_index=-1
            )
        return loss, scores

    @torch.no_grad()
    def winners(self, rgb: Tensor) -> Tensor:
        """The labels (batch,) that the teacher gives the pictures."""
        return self._teacher(rgb)[0].argmax(dim=1)


def _check_scores(teacher: nn.Module, contract: Contract) -> None:
    side, classes = contract.image.size_px, len(contract.labels)
    with torch.no_grad():
        found = tuple(teacher(torch.zeros(2, 3, side, side)).shape)
    if found != (2, classes):
        raise SettingError(
            f"expected a teacher that gives scores (2, {classes}) for two pictures, found {found}",
            hint="give the float net that was prepared, or one of the same labels",
        )


def _matched(teacher: nn.Module, student: nn.Module, contract: Contract) -> tuple[nn.Module, _View]:
    """Both nets with their features; SettingError where they differ inside."""
    if not isinstance(student, FakeQuantNet):
        raise _other_inside(f"a {type(student).__name__}")
    captured = in_float(capture(teacher, contract.image.size_px))
    names = feature_names(captured.graph)
    own = {node.name: step_of(node) for node in student.captured.graph.nodes}
    for node in captured.graph.nodes:
        if node.name in names and own.get(node.name) != step_of(node):
            raise _other_inside(f"another tensor at {node.name}")
    view = fused(with_features(student.captured, names))
    return with_features(captured, names), lambda rgb: view(student.on_one_grid(rgb))


def _other_inside(found: str) -> SettingError:
    return SettingError(
        f"expected a fake-quantized student of the teacher's own architecture, found {found}",
        hint="prepare() the teacher to get its student, or compare scores alone: Distillation(features=0)",
    )


def _noise_share(found: Tensor, wanted: Tensor) -> Tensor:
    """Noise over signal, in power: 0 where they are equal."""
    return F.mse_loss(found, wanted) / wanted.square().mean().clamp(min=torch.finfo(wanted.dtype).tiny)


def _divergence(scores: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    ours, theirs = (F.log_softmax(each / temperature, dim=1) for each in (scores, wanted))
    return temperature**2 * F.kl_div(ours, theirs, reduction="batchmean", log_target=True)
