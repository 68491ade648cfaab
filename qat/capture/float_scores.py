"""Returns the scores by which a float net is compared: those before a softmax, which phones do not compute."""

from torch import fx, nn

from qat.capture.capture import LEFT_OUT, RETURNED, capture
from qat.capture.functional_export import Shape
from qat.capture.net_copy import copy_net
from qat.layers.weighted import in_float


def without_last_activation(net: nn.Module, shape: Shape | int) -> nn.Module:
    """Returns `net`, or, if a softmax, sigmoid or argmax ends it, a float copy with the scores before it.

    It returns a copy, too, of a net whose scores lie in a container. Raises CaptureError if the net cannot be captured.
    """
    captured = capture(copy_net(net).cpu().float(), shape)
    is_net = not captured.meta[LEFT_OUT] and captured.meta[RETURNED].is_lone
    return net if is_net else in_float(captured).eval()


def float_outputs(net: nn.Module, shape: Shape | int) -> fx.GraphModule:
    """Returns a float copy of `net` that returns its outputs alone, as `capture` does with `any_outputs`."""
    return in_float(capture(copy_net(net).cpu().float(), shape, any_outputs=True)).eval()
