"""Reads a program's graph, and its input bytes, from each form that users give."""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.arguments import Parted, described, held_out
from mobile_sdk.contract import stored_shape
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.preprocess import LabelledPictures, to_bytes
from mobile_sdk.program.program import LOAD_IT, Program

Pixels = NDArray[np.uint8] | LabelledPictures | Parted
"""These are bytes (N, H, W, C), or pictures or arrays that the program's contract says how to turn into bytes."""

MOST_PICTURES = 64
"""So many pictures are taken, as every tensor of all must fit into memory; a slice of a set is a fair sample."""


def graph_of(program: Program | Graph) -> Graph:
    """Returns the program's graph; raises SettingError for anything but a program or a graph."""
    if isinstance(program, Program):
        return program.graph
    if not isinstance(program, Graph):
        raise SettingError(f"expected a Program or its graph, found {described(program)}", hint=LOAD_IT)
    return program


def pixels_for(program: Program | Graph, pictures: Pixels) -> NDArray[np.uint8]:
    """Returns the pictures as bytes of the graph's size; raises SettingError if they are no pictures."""
    expected = stored_shape(graph_of(program).input.shape)
    shape = ", ".join(map(str, expected))
    if not isinstance(pictures, np.ndarray):
        some = held_out(pictures)[:MOST_PICTURES]
        if not isinstance(program, Program):
            raise SettingError(
                f"expected bytes beside a graph, found {described(pictures)}",
                hint="give the program itself, or pictures.validation[:64].bytes(contract.input)",
            )
        pictures = np.array([to_bytes(each, program.contract.input) for each, _ in some], np.uint8)
        pictures = pictures.reshape(-1, *expected)
    if pictures.dtype != np.uint8 or pictures.shape[1:] != expected:
        raise SettingError(
            f"expected bytes (N, {shape}), found {pictures.dtype} {pictures.shape}",
            hint="make them with pictures.validation[:64].bytes(contract.input)",
        )
    return pictures
