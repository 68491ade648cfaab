"""Counts the elements of whole nets' outputs that a runtime computes otherwise than the reference, wherever it runs.

Run: python -m benchmarks.accuracy.exactness [--pictures N] [--nets TITLE …]

Every runtime that writes bundles and can run on this machine is a row for this machine, and those that devices run are
a row for each emulated Arm core: dot products (A76), i8mm (A710), SME2 (max). ONNX models run in a browser. It takes
some ten minutes of a core, most of it the emulated ones.
"""

import argparse
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.against.browser import Chromium
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from benchmarks.nets.whole_nets import NETS, WholeNet, whole_net
from mobile_sdk import runtimes
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.devices import Device, Host, emulated_cores
from mobile_sdk.graph.outputs import separated
from mobile_sdk.graph.reference import Reference
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.runtimes.base import Runtime
from qat.progress import say

TITLES = {
    "tflite": "LiteRT",
    "executorch": "ExecuTorch",
    "onnx": "ONNX Runtime",
    "coreml": "Core ML interpreter",
    "coreai": "Core AI",
}
COMPARED = "elements compared"


def main(arguments: list[str]) -> int:
    """Compares every net in every place; returns 1 if an element differs."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=4, help="how many a net")
    parser.add_argument("--nets", nargs="*", default=list(NETS), help=", ".join(NETS))
    asked = parser.parse_args(arguments)
    quiet()
    places = [*_places()]
    table: dict[str, dict[str, int]] = {}
    for title in asked.nets:
        net = whole_net(title, pictures=asked.pictures)
        reference = Reference(net.program.graph).run(net.pictures)
        compared = sum(each.size for each in separated(reference))
        found = {_name(*place): differing(net, reference, *place) for place in places}
        say(f"{title}: {compared} elements, differ: {found}")
        table[title] = {COMPARED: compared, **found}
    names = [COMPARED, *(_name(*place) for place in places)]
    rows = [{"runtime, processor": name, **{title: found[name] for title, found in table.items()}} for name in names]
    differ = sum(count for found in table.values() for name, count in found.items() if name != COMPARED)
    compared = sum(found[COMPARED] for found in table.values()) * len(places)
    work = f"elements of {len(table)} nets in {len(places)} places, {compared} in all, that are not the reference's"
    versions = {name: version for runtime, _ in places for name, version in runtime.versions().items()}
    write_result("exactness", rows, versions, [Target.most(work, "elements", ours=differ, at_most=0)])
    return 1 if differ else 0


def _places() -> Iterator[tuple[Runtime, Device]]:
    """Yields every runtime that writes bundles with every place where it can run here."""
    cores = emulated_cores()
    reason = cores[0].unavailable()
    if reason:
        say(f"not run on emulated Arm cores: {reason}")
    for name in runtimes.names():
        runtime = runtimes.get(name)
        if not_here := runtime.unavailable():
            say(f"not run: {name}: {not_here}")
            continue
        yield runtime, Host()
        if runtime.runner is not None and not reason:
            yield from ((runtime, core) for core in cores)
        if runtime.name == "onnx" and not (not_here := Chromium().unavailable()):
            yield runtime, Chromium()
        elif runtime.name == "onnx":
            say(f"not run in a browser: {not_here}")


def _name(runtime: Runtime, device: Device) -> str:
    place = platform.machine() if isinstance(device, Host) else device.name
    return f"{TITLES.get(runtime.name, runtime.name)}, {place}"


def differing(net: WholeNet, reference: NDArray[Any], runtime: Runtime, device: Device) -> int:
    """Returns how many elements of the outputs are not the reference's; float32 scores of codes count in steps."""
    graph = net.program.graph
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / runtime.model_file
        interface = runtime.export(graph, net.program.contract, model)
        with device.loaded(runtime, model, interface) as run:
            found = run(net.pictures)
    ours, expected = (in_steps(each, graph).reshape(len(net.pictures), -1) for each in (found, reference))
    return int(np.count_nonzero(ours != expected))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
