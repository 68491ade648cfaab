"""Compares a student with its teacher on equal pictures, and computes the student's loss."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.contract import Contract
from mobile_sdk.errors import SettingError
from qat.capture.capture import capture
from qat.capture.float_scores import without_last_activation
from qat.capture.net_copy import copy_net
from qat.distributed.processes import current_processes
from qat.layers.memory_format import device_of, lay_out
from qat.layers.weighted import in_float
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.features import feature_names, with_features
from qat.preparation.fusion import fused
from qat.steps import channel_axis, step_of
from qat.training.distillation import Distillation
from qat.training.label_loss import label_loss

_View = Callable[[Tensor], tuple[Tensor, tuple[Tensor, ...]]]
"""Returns a net's scores, and the inner tensors that are compared."""


class DistillationLoss:
    """Computes the loss of a student beside its teacher, on equal pictures.

    Raises SettingError if the teacher's scores have another shape, or if features are compared and its layers differ.
    """

    def __init__(self, student: nn.Module, teacher: nn.Module, contract: Contract, distillation: Distillation) -> None:
        self._distillation = distillation
        self._student: _View = lambda rgb: (student(rgb), ())
        own = without_last_activation(copy_net(teacher).cpu().float(), contract.input.shape)
        _check_scores(own.eval(), contract)
        if distillation.features:
            own, self._student = _matched(own, student, contract)
        own.eval().requires_grad_(False)
        own.to(device_of(student))
        lay_out(own)
        self._teacher: _View = own if distillation.features else lambda rgb: (own(rgb), ())

    def __call__(
        self, rgb: Tensor, targets: Tensor, smoothing: float, balance: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Returns `(loss, the student's scores)` of pictures as float nets read them; a target of -1 is no label.

        Each of several processes gets its part's contribution to the whole batch's loss.
        """
        with torch.no_grad():
            wanted, wanted_features = self._teacher(rgb)
        scores, features = self._student(rgb)
        weigh = self._distillation
        pairs = [(scores, wanted), *zip(features, wanted_features, strict=True)]
        shares, powers = zip(*(_noise_and_power(*pair) for pair in pairs), strict=True)
        count, *parts = current_processes().weights(len(rgb), *powers)
        noise = [part * share for part, share in zip(parts, shares, strict=True)]
        loss = weigh.scores * noise[0]
        if features:
            loss = loss + weigh.features * torch.stack(noise[1:]).mean()
        if weigh.divergence:
            loss = loss + weigh.divergence * (count * _divergence(scores, wanted, weigh.temperature))
        if weigh.labels:
            labels = label_loss(scores, targets, ignored=-1, smoothing=smoothing, balance=balance)
            loss = loss + weigh.labels * labels
        return loss, scores

    @torch.no_grad()
    def labels_of(self, rgb: Tensor) -> Tensor:
        """Returns the teacher's labels (batch,) of the pictures."""
        return self._teacher(rgb)[0].argmax(dim=1)


def _check_scores(teacher: nn.Module, contract: Contract) -> None:
    classes = len(contract.labels)
    with torch.no_grad():
        found = tuple(teacher(torch.zeros(2, *contract.input.shape)).shape)
    if found != (2, classes):
        raise SettingError(
            f"expected a teacher that gives scores (2, {classes}) for two pictures, found {found}",
            hint="give the float net that was prepared, or one of the same labels",
        )


def _matched(teacher: nn.Module, student: nn.Module, contract: Contract) -> tuple[nn.Module, _View]:
    """Returns both nets with their features; raises SettingError if their layers differ."""
    if not isinstance(student, FakeQuantNet):
        raise _other_architecture(f"a {type(student).__name__}")
    captured = in_float(capture(teacher, contract.input.shape))
    names = feature_names(captured.graph)
    own = {node.name: step_of(node) for node in student.captured.graph.nodes}
    for node in captured.graph.nodes:
        if node.name in names and own.get(node.name) != step_of(node):
            raise _other_architecture(f"another tensor at {node.name}")
    view, factors = fused(with_features(student.captured, names)), student.channel_factors

    def seen(rgb: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        scores, features = view(student.on_one_grid(rgb))
        return scores, tuple(_in_teachers_size(*pair) for pair in zip(features, map(factors.get, names), strict=True))

    return with_features(captured, names), seen


def _in_teachers_size(feature: Tensor, factors: Tensor | None) -> Tensor:
    """Returns a student's tensor without the factors by which equalisation multiplied its channels, (C,)."""
    if factors is None:
        return feature
    shape = [1] * feature.ndim
    shape[channel_axis(feature.ndim)] = -1
    return feature / factors.to(feature).reshape(shape)


def _other_architecture(found: str) -> SettingError:
    return SettingError(
        f"expected a fake-quantized student of the teacher's own architecture, found {found}",
        hint="prepare() the teacher to get its student, or compare scores alone: Distillation(features=0)",
    )


def _noise_and_power(found: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Returns noise over signal, in power, 0 for equal tensors; and the total power of the signal."""
    power = wanted.square().mean()
    share = F.mse_loss(found, wanted) / power.clamp(min=torch.finfo(wanted.dtype).tiny)
    return share, power * wanted.numel()


def _divergence(scores: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    ours, theirs = (F.log_softmax(each / temperature, dim=1) for each in (scores, wanted))
    return temperature**2 * F.kl_div(ours, theirs, reduction="batchmean", log_target=True)
