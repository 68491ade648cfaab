"""Measures what h-swish would gain as one table of 256 codes, in place of a sum, a clamp and a product.

Run: python -m benchmarks.accuracy.hard_swish

Today's form rounds twice: the gate relu6(x + 3) to 255 codes, and the product with x. One table would round once. Both
are computed here on the same grids, calibrated on crops of photographs, and the scores of other crops are compared with
the float32 twin's. The nets' weights are made up but realistic.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.core.photographs import CALIBRATED, JUDGED, crops
from benchmarks.core.realistic import with_realistic_numbers
from benchmarks.core.results_file import write_result
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.comparison import compare
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Graph, Mul, Tensor
from mobile_sdk.graph.reference import Reference
from mobile_sdk.graph.score_steps import real_values
from mobile_sdk.system.environment import installed_versions
from qat.calibration.calibration import quantize
from qat.freezing.freezing import float_twin
from qat.nets import build_net

NETS = ("mobilenet_v3_small", "mobilenet_v3_large")
IMAGE = ImageSpec.torchvision()
CALIBRATION_CROPS, JUDGED_CROPS = 16, 48


class OneRounding(Reference):
    """Computes a graph, every h-swish of which is a table that rounds once."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.tables = 0
        gates = {each.output.name: each for each in graph.operators if each.output.quantization == arithmetic.GATE}
        for index, operator in enumerate(graph.operators):
            if isinstance(operator, Mul) and isinstance(operator.b, Tensor):
                gate = gates.get(operator.b.name)
                if gate is not None and gate.inputs[0] == operator.a:
                    self._steps[index] = _table(operator)
                    self.tables += 1


def _table(operator: Mul) -> Any:
    x, y = arithmetic.quantization_of(operator.a), arithmetic.quantization_of(operator.output)
    codes = np.arange(INT8_MIN, INT8_MAX + 1) - x.zero_point
    real = codes * x.scale
    rounded = np.rint(real * np.clip(real + 3, 0, 6) / y.scale).clip(INT8_MIN - y.zero_point, INT8_MAX - y.zero_point)
    table = torch.from_numpy(rounded.astype(np.float32))
    return lambda a, _: table[(a + (x.zero_point - INT8_MIN)).long()]


def _row(name: str) -> dict[str, Any]:
    contract = Contract(name="h-swish", labels=tuple(f"class {index}" for index in range(1000)), image=IMAGE)
    torch.manual_seed(0)
    net = with_realistic_numbers(build_net(name, contract), IMAGE)
    program = quantize(net, contract, crops(CALIBRATED, CALIBRATION_CROPS, seed=1), progress=False)
    pixels = crops(JUDGED, JUDGED_CROPS, seed=2).bytes(IMAGE)
    wanted = FloatReference(float_twin(net, contract).graph).run(pixels).astype(np.float64)
    both = Reference(program.graph), OneRounding(program.graph)
    two_db, one_db = (_sqnr_db(each.run(pixels), wanted, program.graph) for each in both)
    return {
        "net": name,
        "h-swishes": both[1].tables,
        "today dB": round(two_db, 2),
        "a table dB": round(one_db, 2),
        "gain dB": round(one_db - two_db, 2),
    }


def _sqnr_db(codes: NDArray[np.generic], wanted: NDArray[np.float64], graph: Graph) -> float:
    (found,) = real_values(codes, graph)
    sqnr_db = compare(found, wanted).sqnr_db
    assert sqnr_db is not None
    return sqnr_db


def rows() -> Iterator[dict[str, Any]]:
    """Yields one row a net."""
    yield from map(_row, NETS)


def main() -> None:
    """Measures and writes."""
    quiet()
    write_result("hard_swish", list(rows()), installed_versions(("torch",)))


if __name__ == "__main__":
    main()
