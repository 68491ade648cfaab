"""Returns the graph of a net whose numbers do not matter, for what depends on shapes alone, such as its latency."""

import torch
from torch import nn

from mobile_sdk.contract import Contract
from mobile_sdk.graph.operators import Graph
from qat.freezing.freezing import float_twin, freeze
from qat.preparation.preparation import prepare


def untrained_graph(net: nn.Module, contract: Contract, *, is_int8: bool) -> Graph:
    """Returns the graph of `net`, int8 or float32, in a second or two: ranges come from one image of noise.

    Raises CaptureError if the net cannot be captured.
    """
    if not is_int8:
        return float_twin(net, contract).graph
    prepared = prepare(net, contract).eval()
    prepared.set_phase(freeze_observers=True, freeze_batch_norm=True)
    prepared.calibrate(True)
    with torch.no_grad():
        prepared(torch.randn(1, *contract.input.shape, generator=torch.Generator().manual_seed(0)))
    prepared.calibrate(False)
    return freeze(prepared, contract).graph
