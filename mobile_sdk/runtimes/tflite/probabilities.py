"""Continues a graph to probabilities, in the forms that MediaPipe's tasks read.

What is appended are ordinary float32 operators behind the net's last codes: the reference computes them, a runtime
writes them, and a file is read back and compared as any other. The codes behind them stay exact.
"""

from dataclasses import replace

import numpy as np

from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import (
    ChannelSlice,
    ConstantTensor,
    DecodeBoxes,
    Dequantize,
    Graph,
    Head,
    MatMul,
    Operator,
    Softmax,
    Tensor,
)
from mobile_sdk.tasks.detection import LOCATION, SCORE
from mobile_sdk.tasks.softmax import PROBABILITIES

PATH = "<probabilities>"
"""The operators that are appended belong to no module of the net."""
_BOX = 4  # columns: left, top, right, bottom in pixels; the logits of "nothing" and of the labels follow


def with_probabilities(graph: Graph) -> Graph:
    """Returns the graph with a softmax over labels behind it, and a detector's boxes as shares of the picture.

    A detector then gives LOCATION (anchors, 4), each box's vertical and horizontal centre, height and width, and SCORE
    (anchors, labels), without "nothing". Raises SettingError for a net with outputs of its own, which has no labels.
    """
    if graph.heads:
        raise SettingError(
            f"expected a net with labels to give probabilities of, found the outputs {', '.join(graph.output_names)}",
            hint="leave the output's form out",
        )
    if isinstance(graph.operators[-1], DecodeBoxes):
        return _detector(graph)
    added: list[Operator] = []
    scores = graph.output
    if scores.quantization is not None:
        values = replace(scores, name=f"{scores.name}.values", quantization=None)
        added.append(Dequantize(output=values, path=PATH, input=scores))
        scores = values
    shares = replace(scores, name=f"{graph.output.name}.{PROBABILITIES}")
    added.append(Softmax(output=shares, path=PATH, input=scores))
    heads = (Head(name=PROBABILITIES, tensor=shares),)
    return replace(graph, operators=(*graph.operators, *added), heads=heads)


def _detector(graph: Graph) -> Graph:
    """Cuts rows of anchors into boxes and logits. A matrix makes centres and sizes of edges."""
    rows = graph.output
    anchors, columns = rows.shape
    boxes, logits, shares, labels, location = (
        Tensor(name=f"{rows.name}.{name}", shape=(anchors, width), quantization=None)
        for name, width in (
            ("boxes", _BOX),
            ("logits", columns - _BOX),
            ("shares", columns - _BOX),
            (SCORE, columns - _BOX - 1),
            (LOCATION, _BOX),
        )
    )
    matrix = Tensor(name=f"{rows.name}.matrix", shape=(_BOX, _BOX), quantization=None)
    added = (
        ChannelSlice(output=boxes, path=PATH, input=rows, start=0, stop=_BOX, axis=1),
        ConstantTensor(output=matrix, path=PATH, values=_edges_to_centres(*graph.input.shape[1:])),
        MatMul(output=location, path=PATH, a=boxes, b=matrix),
        ChannelSlice(output=logits, path=PATH, input=rows, start=_BOX, stop=columns, axis=1),
        Softmax(output=shares, path=PATH, input=logits),
        ChannelSlice(output=labels, path=PATH, input=shares, start=1, stop=columns - _BOX, axis=1),
    )
    heads = (Head(name=LOCATION, tensor=location), Head(name=SCORE, tensor=labels))
    return replace(graph, operators=(*graph.operators, *added), heads=heads)


def _edges_to_centres(height_px: int, width_px: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Returns the matrix from edges (left, top, right, bottom) in pixels to centre and size, vertical ones first."""
    vertical, horizontal = 1 / height_px, 1 / width_px
    matrix = np.array(
        [
            [0, horizontal / 2, 0, -horizontal],
            [vertical / 2, 0, -vertical, 0],
            [0, horizontal / 2, 0, horizontal],
            [vertical / 2, 0, vertical, 0],
        ]
    )
    rounded: np.ndarray[tuple[int, int], np.dtype[np.float32]] = matrix.astype(np.float32)
    return rounded
