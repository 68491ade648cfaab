"""Freezes a fake-quantized net to the integer program, or a net to its float32 twin, by one walk over its steps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import fx, nn

from mobile_sdk.arguments import NOTHING, expect
from mobile_sdk.contract import Contract
from mobile_sdk.errors import CaptureError, SettingError
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from qat.arguments.nets import expect_contract
from qat.freezing.emitter import Emitter, Pending, Result_co, tensor_name
from qat.freezing.float_emitter import FloatEmitter
from qat.freezing.grid_planner import GridPlanner, Grids
from qat.freezing.integer_emitter import IntegerEmitter
from qat.freezing.mixed_emitter import MixedEmitter
from qat.layers.box_decoder import Decoder
from qat.layers.constants import Constants
from qat.layers.integer_rounding import inverted_scale
from qat.layers.quantizers.fake_quant import SMALLEST_SPAN, TensorQuantizer
from qat.layers.weighted import Normalization, Weighted
from qat.layers.window_share import WindowShare
from qat.preparation.arguments import expect_float_net, expect_prepared
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.preparation import prepare
from qat.steps import IN_FLOAT, Kind, absorbs, step_of


def freeze(net: FakeQuantNet, contract: Contract, record: Record | None = None, *, all_int8: bool = False) -> Program:
    """Returns the integer program of `net`; every scale is decided here and written once.

    Layers that `net` was prepared to keep in float are float32 in it, between conversions, unless `all_int8`; softmax
    and normalisation always are. Raises CaptureError if the net has seen no picture yet: its ranges are unknown.
    """
    expect_prepared(net)
    expect_contract(contract)
    expect("record", record, Record, NOTHING)
    unseen = [q for q in net.modules() if isinstance(q, TensorQuantizer) and not q.is_fixed and not q.seen]
    if unseen:
        raise CaptureError(
            f"{len(unseen)} ranges of the net have seen no picture", hint="train it with fit(), or use quantize()"
        )
    _check_contract(contract, net.contract)
    _check_scores(net)
    record = record or Record(net=type(net).__name__, quantized="qat")
    grids = _walk(net, GridPlanner(contract.input))
    kept = frozenset() if all_int8 else net.kept
    if kept or _has_float_steps(net):
        graph = _walk(net, MixedEmitter(contract.input, _inverted(grids), kept))
    else:
        graph = _walk(net, IntegerEmitter(contract.input, grids))
    return Program(graph=graph, contract=contract, record=record)


def float_twin(net: nn.Module, contract: Contract, record: Record | None = None) -> Program:
    """Returns `net` in float32 with batch norm folded, with which the int8 program is compared."""
    expect_float_net(net)
    expect_contract(contract)
    expect("record", record, Record, NOTHING)
    record = record or Record(net=type(net).__name__, quantized="float32")
    return Program(graph=_walk(prepare(net, contract), FloatEmitter(contract.input)), contract=contract, record=record)


def _inverted(grids: Grids) -> Grids:
    """Returns grids whose scales conversions invert; moving one would cost an operator behind its conversion."""
    by_name = {name: replace(grid, scale=inverted_scale(grid.scale)) for name, grid in grids.by_name.items()}
    return Grids(by_name=by_name, final=frozenset(by_name))


def _check_contract(contract: Contract, prepared: Contract) -> None:
    """Raises SettingError for a contract of other outputs than the one that the net was prepared with."""
    wanted, found = ((each.task, len(each.labels)) for each in (prepared, contract))
    if wanted != found:
        raise SettingError(
            f"expected a contract for {wanted[0]} with {wanted[1]} labels, as the net was prepared with, found one for "
            f"{found[0]} with {found[1]}",
            hint="give freeze() the contract that prepare() had",
        )


def _check_scores(net: FakeQuantNet) -> None:
    """Raises CaptureError if all scores are below what a scale can represent, though they are not zero."""
    modules = dict(net.captured.named_modules(remove_duplicate=False))
    (output,) = net.captured.graph.find_nodes(op="output")
    for node in output.all_input_nodes:
        _check_span(node, modules)


def _check_span(node: Any, modules: Mapping[str, nn.Module]) -> None:
    while isinstance(node, fx.Node):
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, TensorQuantizer):
            if 0 < (span := float(module.high.detach() - module.low.detach())) < SMALLEST_SPAN:
                found = f"expected scores that differ by {SMALLEST_SPAN:.0e} at least, found {span:.0e}"
                raise CaptureError(found, hint="give the last layer larger weights")
            return
        node = node.args[0] if node.args else None


def _has_float_steps(net: FakeQuantNet) -> bool:
    steps = (step_of(node) for node in net.captured.graph.nodes)
    return any(step is not None and step.kind in IN_FLOAT for step in steps)


def _walk(net: FakeQuantNet, emitter: Emitter[Result_co]) -> Result_co:
    values: dict[fx.Node, Any] = {}
    modules = dict(net.captured.named_modules(remove_duplicate=False))
    for node in net.captured.graph.nodes:
        if node.op == "placeholder":
            values[node] = emitter.picture()
        elif node.op == "output":
            results = [node.args[0]] if isinstance(node.args[0], fx.Node) else node.args[0]
            return emitter.finish([values[result] for result in results], net.output_names)
        else:
            values[node] = _visit(node, modules, values, emitter)
    raise AssertionError("the graph has no output")


def _visit(node: fx.Node, modules: dict[str, nn.Module], values: dict[fx.Node, Any], emitter: Emitter[Any]) -> Any:
    module = modules.get(str(node.target)) if node.op == "call_module" else None
    if isinstance(module, TensorQuantizer):
        source = node.args[0]
        assert isinstance(source, fx.Node)
        value = values[source]
        return emitter.emit(tensor_name(source), value, module.quantization()) if isinstance(value, Pending) else value
    step = step_of(node)
    assert step is not None, f"{node.name} has no step"
    operands = tuple(values[operand] for operand in _operands(node))
    if isinstance(module, Decoder):
        return emitter.boxes(tensor_name(node), step, operands, module)
    if len(operands) == 1 and isinstance(operands[0], Pending):
        before = operands[0]
        return Pending(step=before.step, operands=before.operands, layer=before.layer, activation=step.kind)
    if _is_followed_by_quantizer(node, modules):
        layer = module if isinstance(module, Weighted) else None
        share = module if isinstance(module, WindowShare) else None
        norm = module if isinstance(module, Normalization) else None
        constants = module.values.detach()[0].float().numpy() if isinstance(module, Constants) else None
        return Pending(step=step, operands=operands, layer=layer, share=share, normalization=norm, values=constants)
    return emitter.pass_on(tensor_name(node), step, operands[0], is_sole_user=_is_read_once(_operands(node)[0]))


def _is_read_once(node: fx.Node) -> bool:
    """Returns whether the node's value has one reader, and so has its value before dropout."""
    while len(node.users) == 1:
        step = step_of(node)
        if step is None or step.kind is not Kind.DROPOUT:
            return True
        (node,) = _operands(node)
    return False


def _is_followed_by_quantizer(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    last = absorbs(node) or node
    return any(isinstance(modules.get(str(user.target)), TensorQuantizer) for user in last.users)


def _operands(node: fx.Node) -> Sequence[fx.Node]:
    first = node.args[0]
    if isinstance(first, list | tuple):
        return [part for part in first if isinstance(part, fx.Node)]
    return [argument for argument in node.args if isinstance(argument, fx.Node)]
