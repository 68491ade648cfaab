"""Checks that a captured net computes what the user's net does: both in float, on one batch."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode

from mobile_sdk.errors import CaptureError
from qat.capture.functional_export import Shape, net_shape
from qat.capture.left_out import LeftOut
from qat.capture.net_copy import copy_net
from qat.capture.outputs import named_tensors
from qat.capture.rewriter import ENDS
from qat.steps import STEP

LARGEST_NOISE_SHARE = 1e-8  # in power: 80 dB; other orders of summation and folded batch norms stay far below
_COARSE_NOISE_SHARE = 1e-5  # if only float32 can be compared
_ROUNDING_SHARE = 2.0**-24  # of a weight: half a last bit of float32
_TIMES_OWN_NOISE, _LARGEST_OWN_NOISE_SHARE = 10.0, 1e-2  # another net differs by about as much as its scores are


def made_up_batch(shape: Shape | int) -> Tensor:
    """Returns two inputs (2, *shape) as float nets read them: of maps coarse blots and fine noise, else noise."""
    shape, random = net_shape(shape), torch.Generator().manual_seed(0)
    if len(shape) != 3:
        return torch.randn(2, *shape, generator=random)
    coarse = torch.randn(2, shape[0], 6, 6, generator=random)
    blots = nn.functional.interpolate(coarse, size=shape[1:], mode="bilinear")
    return blots + 0.3 * torch.randn(2, *shape, generator=random)


@torch.no_grad()
def check_capture(net: nn.Module, captured: fx.GraphModule, left_out: Sequence[LeftOut], batch: Tensor) -> None:
    """Raises CaptureError, naming the first different module, if `captured` differs from `net` on `batch`.

    Both compute in float. `left_out` are the operators of `net` that `captured` omits. It also raises CaptureError for
    scores that are not finite. Both nets are evaluated; `net` is left in its mode.
    """
    was_training = net.training
    net.eval()
    try:
        _check(net, captured, left_out, batch)
    finally:
        net.train(was_training)


def _check(net: nn.Module, captured: fx.GraphModule, left_out: Sequence[LeftOut], batch: Tensor) -> None:
    if _difference_share(net, captured, left_out, batch) <= LARGEST_NOISE_SHARE:
        return
    _check_finite(net, batch)
    try:  # differences that double precision does not have are float32's own
        exact = copy_net(net).double()
        share = _difference_share(exact, copy_net(captured).double(), left_out, batch.double())
        bound = LARGEST_NOISE_SHARE if share <= LARGEST_NOISE_SHARE else _own_noise_share(exact, batch.double())
    except (RuntimeError, CaptureError):  # the net makes float32 tensors itself
        share, bound = _difference_share(net, captured, left_out, batch), _COARSE_NOISE_SHARE
    if not share <= bound:
        path = _first_difference(net, captured, batch)
        raise CaptureError(
            f"expected the captured net to compute what the net does, found another result from {path} on",
            hint="write what the module does without side effects, and report it if it has none",
        )


def _own_noise_share(net: nn.Module, batch: Tensor) -> float:
    """Returns the bound for a net of double precision whose outputs depend on the last bits of its float32 weights.

    Fused weights are rounded to float32 once more. A net that saturates far beyond its gates' range, as deep ones with
    random weights do, makes a large difference of it: as large as if its own weights were rounded once more.
    """
    other, random = copy_net(net), torch.Generator().manual_seed(0)
    for parameter in other.parameters():
        signs = torch.randint(0, 2, parameter.shape, generator=random).to(parameter.device) * 2 - 1
        parameter.mul_(1 + signs * _ROUNDING_SHARE)
    pairs = zip(named_tensors(_scores(other, batch)).values(), named_tensors(_scores(net, batch)).values(), strict=True)
    moved = max(_noise_share(found, wanted) for found, wanted in pairs)
    return min(max(LARGEST_NOISE_SHARE, _TIMES_OWN_NOISE * moved), _LARGEST_OWN_NOISE_SHARE)


def _difference_share(net: nn.Module, captured: fx.GraphModule, left_out: Sequence[LeftOut], batch: Tensor) -> float:
    """Returns the power of the difference over that of the scores, of the worst output.

    It is 0 if both are zero, infinite for other shapes.
    """
    wanted, given = list(named_tensors(_scores(net, batch)).values()), captured(batch.clone())
    found = [given] if isinstance(given, Tensor) else list(given)
    for operator in left_out:
        found[operator.output] = operator.function(found[operator.output])
    if len(wanted) != len(found):
        return math.inf
    return max(map(_noise_share, found, wanted))


def _noise_share(found: Tensor, wanted: Tensor) -> float:
    if wanted.shape != found.shape:
        return math.inf
    wanted, found = wanted.double(), found.double()
    noise = float((found - wanted).square().sum())
    return noise / float(wanted.square().sum()) if noise else 0.0


def _scores(net: nn.Module, batch: Tensor) -> Any:
    """Returns the output of the user's net; raises CaptureError if it raises."""
    try:
        with _WithoutDropout():
            return net(batch.clone())
    except Exception as error:  # the user's own code may raise anything
        raise CaptureError(
            f"expected the net to take {tuple(batch.shape)}, found {type(error).__name__}: {error}",
            hint="write forward() for any number of pictures, in float32",
        ) from error


class _WithoutDropout(TorchFunctionMode):
    """Omits dropout that is on in eval(), as `F.dropout(x)` is, so that the net's scores are not random."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "").rstrip("_")
        return args[0] if name in ("dropout", "feature_dropout") else func(*args, **(kwargs or {}))


def _check_finite(net: nn.Module, batch: Tensor) -> None:
    for path, outputs in _outputs_of_modules(net, batch).items():
        if not all(output.isfinite().all() for output in outputs):
            raise CaptureError(
                f"expected finite numbers from {path or '<root>'}, found NaN or infinity on an ordinary input",
                hint="look at its weights: a training that diverged leaves such ones",
            )


def _first_difference(net: nn.Module, captured: fx.GraphModule, batch: Tensor) -> str:
    """Returns the first module, in the order of computation, whose output differs in the captured net."""
    wanted = _outputs_of_modules(net, batch)
    found = _Outputs(captured)
    found.run(batch.clone())
    for path, values in found.by_path.items():
        outputs = wanted.get(path, [])
        if len(outputs) == 1 and outputs[0].shape == values[-1].shape:
            noise = (outputs[0] - values[-1]).double().square().sum()
            if noise > _COARSE_NOISE_SHARE * outputs[0].double().square().sum():
                return path or "<root>"
    return "<root>"


def _outputs_of_modules(net: nn.Module, batch: Tensor) -> dict[str, list[Tensor]]:
    """Returns copies of every module's outputs, by its path, in the order in which modules ended.

    They are copies, as later operators may write to the tensors.
    """
    outputs: dict[str, list[Tensor]] = {}
    hooks = [
        module.register_forward_hook(
            lambda _module, _inputs, output, path=path: (
                outputs.setdefault(path, []).append(output.clone()) if isinstance(output, Tensor) else None
            )
        )
        for path, module in net.named_modules()
    ]
    try:
        net(batch.clone())
    finally:
        for hook in hooks:
            hook.remove()
    return outputs


class _Outputs(fx.Interpreter):
    """Keeps what the nodes of a captured net compute, by the path of the module whose output it is."""

    def __init__(self, captured: fx.GraphModule) -> None:
        super().__init__(captured)
        self.by_path: dict[str, list[Tensor]] = {}

    def run_node(self, n: fx.Node) -> object:
        value = super().run_node(n)
        if STEP in n.meta and isinstance(value, Tensor):
            self.by_path.setdefault(n.meta.get(ENDS, n.meta[STEP].path), []).append(value)
        return value
