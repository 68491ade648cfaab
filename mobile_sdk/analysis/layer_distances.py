"""Computes the distance of every layer of the int8 graph from its float32 twin's."""

import numpy as np

from mobile_sdk.analysis.inputs import Pixels, graph_of, pixels_for
from mobile_sdk.comparison import sqnr_db
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import Graph
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program


def layer_distances(
    int8: Program | Graph, twin: Program | Graph, pictures: Pixels
) -> list[tuple[str, str, float | None]]:
    """Returns `(tensor, module path, SQNR in dB)` of every tensor that both graphs have, in the order of execution.

    `pictures` are bytes (N, H, W, C), or pictures beside a program: 64 are taken, from the validation part if there
    are two.

    An int8 tensor may represent a multiple of the twin's (h-swish's product is six times h-swish), so each is first
    scaled by the factor that fits best, and the SQNR is that of the remaining difference. None means that they are
    equal.
    """
    pixels = pixels_for(int8, pictures)
    int8, twin = graph_of(int8), graph_of(twin)
    if int8.precision == "float32" or twin.precision != "float32":
        raise SettingError("expected an int8 program and its float32 twin", hint="give program.pt2 and float.pt2")
    codes, values = Reference(int8).trace(pixels), FloatReference(twin).trace(pixels)
    result = []
    for operator in int8.operators:
        tensor = operator.output
        if tensor.name in values and values[tensor.name].shape == codes[tensor.name].shape:
            real = codes[tensor.name].astype(np.float64) - (
                tensor.quantization.zero_point if tensor.quantization else 0
            )
            signal = values[tensor.name].astype(np.float64)
            fitted = real * ((real * signal).sum() / max((real * real).sum(), 1.0))
            result.append((tensor.name, operator.path, sqnr_db(fitted - signal, signal)))
    return result
