"""Writes a program file: PyTorch's archive of the ATen view, and in it the graph, the other documents and the seal."""

import zipfile
from collections.abc import Mapping
from io import BytesIO

import torch

from mobile_sdk.graph.operators import Graph
from mobile_sdk.program.aten.writer import to_exported
from mobile_sdk.program.graph_file import write_graph
from mobile_sdk.program.seal import SEAL_FILE, seal

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can name: equal programs give equal files


def write_archive(graph: Graph, documents: Mapping[str, str]) -> bytes:
    """Returns the bytes of the `.pt2` file; `documents` are texts by their names in the archive."""
    file = BytesIO()  # torch's own writer ends the process if a disk is full
    torch.export.save(to_exported(graph), file)
    with zipfile.ZipFile(file, "a") as archive:
        folder = archive.namelist()[0].partition("/")[0]
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
        added = {name: text.encode() for name, text in documents.items()} | write_graph(graph, members)
        added[SEAL_FILE] = seal(members | added)
        for name, data in added.items():
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}", _DATE), data)
    return file.getvalue()
