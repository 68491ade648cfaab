"""Prepares a float net: returns its fake-quantized copy, with ordinary `train()` and `eval()`."""

from collections.abc import Sequence

import torch
from torch import fx, nn

from mobile_sdk.arguments import expect_each
from mobile_sdk.contract import Contract
from qat.arguments.nets import expect_contract
from qat.arguments.weight_bits import WeightBits, expect_weight_bits
from qat.capture.capture import LEFT_OUT, OUTPUT_NAMES, capture
from qat.capture.net_copy import copy_net
from qat.data.picture_set import PictureSet
from qat.layers.quantizers.torchao_pt2e import prepare_qat_pt2e
from qat.layers.resizing import give_grids
from qat.preparation.arguments import expect_float_net
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.kept_layers import find_layers
from qat.preparation.normalisation import fold_normalisation
from qat.preparation.output_check import check_output
from qat.preparation.quantizer import MobileQuantizer
from qat.preparation.weight_bits import give_weight_bits
from qat.progress import say

COMPARED = 4  # pictures


def prepare(
    net: nn.Module,
    contract: Contract,
    *,
    keep_float: Sequence[str] = (),
    weight_bits: WeightBits = 8,
    pictures: PictureSet | None = None,
) -> FakeQuantNet:
    """Returns a fake-quantized copy of `net` with its weights and statistics; `net` does not change.

    The layers named in `keep_float` (a layer's module path, or a module's for all in it) stay in float32, there and in
    the program that is frozen from it. With `weight_bits=4` every 1 x 1 convolution and linear layer that phones can
    compute so gets weights of four bits; `{name: bits}` says it of the layers by the same names, and the others have 8.
    The captured net is compared with `net` in float, on the first of `pictures`, or
    on made-up inputs. Raises CaptureError, naming the module, for an operation without an integer operator, and
    SettingError for a name that no layer has.
    """
    expect_float_net(net)
    expect_contract(contract)
    expect_each("keep_float", keep_float, str, hint='give the layers\' paths: ["features.0"]')
    expect_weight_bits(weight_bits)
    batch = None if pictures is None or not len(pictures) else _few(pictures).tensors(contract.input)
    if others := {tensor.dtype for tensor in net.parameters()} - {torch.float32}:
        say(f"the net's parameters become float32: some are {', '.join(sorted(str(each)[6:] for each in others))}")
    takes_any = not contract.has_labels
    captured = capture(copy_net(net).cpu().float(), contract.input.shape, batch, any_outputs=takes_any)
    left_out, output_names = captured.meta[LEFT_OUT], captured.meta[OUTPUT_NAMES]
    fold_normalisation(captured, contract.input)
    if not takes_any:
        check_output(captured, contract)
    prepared = prepare_qat_pt2e(captured, MobileQuantizer())
    # A new GraphModule has the ordinary train() and eval() that torchao replaced on the prepared one.
    module = fx.GraphModule(prepared, prepared.graph)
    give_grids(module)
    kept = find_layers(module, keep_float)
    give_weight_bits(module, weight_bits, kept)
    fake_quantized = FakeQuantNet(module, contract, kept, left_out, output_names)
    fake_quantized.quantize(True)
    return fake_quantized.train(net.training)


def _few(pictures: PictureSet) -> PictureSet:
    """Returns the first pictures; a single one twice, as some nets squeeze() a batch of one away."""
    few = pictures[:COMPARED]
    return few if len(few) > 1 else PictureSet(sources=few.sources * 2, targets=few.targets * 2)
