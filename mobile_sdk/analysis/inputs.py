"""Reads a program's graph, and its input bytes, from each form that users give."""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.arguments import Parted, described, held_out
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.preprocess import LabelledPictures, to_bytes
from mobile_sdk.program.program import LOAD_IT, Program

Pixels = NDArray[np.uint8] | LabelledPictures | Parted
"""These are RGB bytes (N, H, W, 3), or pictures that the program's contract says how to turn into bytes."""

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
    """Returns the pictures as RGB bytes of the graph's size; raises SettingError if they are no pictures."""
    _, height, width = graph_of(program).input.shape
    if not isinstance(pictures, np.ndarray):
        some = held_out(pictures)[:MOST_PICTURES]
        if not isinstance(program, Program):
            raise SettingError(
                f"expected RGB bytes beside a graph, found {described(pictures)}",
                hint="give the program itself, or pictures.validation[:64].bytes(contract.image)",
            )
        pictures = np.array([to_bytes(image, program.contract.image) for image, _ in some], np.uint8)
        pictures = pictures.reshape(-1, height, width, 3)
    if pictures.dtype != np.uint8 or pictures.shape[1:] != (height, width, 3):
        raise SettingError(
            f"expected RGB bytes (N, {height}, {width}, 3), found {pictures.dtype} {pictures.shape}",
            hint="make them with pictures.validation[:64].bytes(contract.image)",
        )
    return pictures
