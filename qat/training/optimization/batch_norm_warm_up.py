"""Warms up batch-norm statistics in short runs."""

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mobile_sdk.errors import DataError


@contextmanager
def several_values(net: nn.Module) -> Iterator[None]:
    """Makes, inside the `with`, a batch norm in training raise DataError by its module path at one value a channel.

    One value has no variance. A single picture gives one if it has become a vector, or a map of one pixel. Several
    processes that normalise together have the values of all of them.
    """
    with ExitStack() as hooks:
        for path, module in net.named_modules():
            if isinstance(module, _BatchNorm):
                hooks.enter_context(module.register_forward_pre_hook(partial(_check_count, path)))
        yield


def _check_count(path: str, norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    (x,) = inputs
    is_alone = "forward" not in vars(norm)
    if norm.training and is_alone and x.numel() == x.shape[1]:
        raise DataError(
            f"expected several values a channel for the batch norm {path}, found one",
            hint="train on 2 pictures or more: one has no variance",
        )


class StatisticsWarmUp:
    """Makes the statistics of untrained batch norms move fast at first: momentum `max(own, 9 / (10 + step))`.

    MobileNetV3's own momentum of 0.01 is meant for a hundred thousand steps: after 200 an eighth of the initial
    statistics remains, and the net guesses. The rule is the one by which averages of weights start (TensorFlow,
    `ExponentialMovingAverage`, `num_updates`). Batch norms that have already seen pictures keep theirs.
    """

    def __init__(self, net: nn.Module, paths: Collection[str] | None = None) -> None:
        """Takes the `paths` of the batch norms that were untrained before a resumed run; None examines the net."""
        own: dict[str, _BatchNorm] = {
            path: module
            for path, module in net.named_modules()
            if isinstance(module, _BatchNorm) and module.momentum is not None
        }
        self.paths = [path for path in own if (_is_untouched(own[path]) if paths is None else path in paths)]
        self._own = {own[path]: own[path].momentum or 0.0 for path in self.paths}

    def set_step(self, step: int) -> None:
        """Sets the momentum for the 0-based `step` of the run."""
        for module, own in self._own.items():
            module.momentum = max(own, 9 / (10 + step))

    def end(self) -> None:
        """Restores every batch norm's own momentum."""
        for module, own in self._own.items():
            module.momentum = own


def _is_untouched(norm: _BatchNorm) -> bool:
    """Returns whether a norm is untrained, by its values: copies of statistics lose the count of batches."""
    mean, variance = norm.running_mean, norm.running_var
    return mean is not None and variance is not None and not mean.any() and bool((variance == 1).all())
