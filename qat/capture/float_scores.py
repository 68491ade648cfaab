"""Returns the scores by which a float net is compared: those before a softmax, which phones do not compute."""

from torch import nn

from qat.capture.capture import LEFT_OUT, capture
from qat.capture.functional_export import Shape
from qat.capture.net_copy import copy_net
from qat.layers.weighted import in_float


def without_last_activation(net: nn.Module, shape: Shape | int) -> nn.Module:
    """Returns `net`, or, if a softmax, sigmoid or argmax ends it, a float copy with the scores before it.

    Raises CaptureError if the net cannot be captured.
    """
    captured = capture(copy_net(net).cpu().float(), shape)
    return in_float(captured).eval() if captured.meta[LEFT_OUT] else net
