"""Compares the files of nets whose weights have four bits with the int8 ones: exactness, size, latency.

Run: python -m benchmarks.quantization.four_bit_files

Weights and statistics are random but realistic (EfficientNet-Lite0 has its ImageNet weights), calibrated on crops of
photographs. Elements are compared with the reference here and on an emulated Cortex-A76; latencies are of one core of
this machine, in interleaved rounds.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.core.latency import interleaved_ms
from benchmarks.core.photographs import CALIBRATED, JUDGED, crops
from benchmarks.core.realistic import with_realistic_numbers
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from benchmarks.core.user_nets import efficientnet_lite0
from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.devices.base import Device
from mobile_sdk.devices.emulated import emulated_cores
from mobile_sdk.devices.host import Host
from mobile_sdk.graph.reference import Reference
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.program.program import Program
from mobile_sdk.system.temporary_folder import scratch_folder
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.nets import build_net
from qat.progress import say

RUNTIMES = ("tflite", "executorch")
PICTURES = 4
LARGEST_SHARE, SLOWEST = 0.58, 1.05  # of the int8 file's bytes and time
_SIDES = ("int8", "4 bits")
_PLACES = ("differ here", "differ on a Cortex-A76")
_NOT_RUN = "not run"


def float_net(name: str) -> tuple[nn.Module, Contract]:
    """Returns a net of the papers at 224 px."""
    contract = Contract(name=name, labels=_labels(), image=ImageSpec.torchvision())
    torch.manual_seed(0)
    return with_realistic_numbers(build_net(name, contract), contract.image), contract


def lite0() -> tuple[nn.Module, Contract]:
    """Returns EfficientNet-Lite0 as its package publishes it."""
    net = efficientnet_lite0().eval()
    return net, Contract(name="efficientnet_lite0", labels=net.labels, image=net.image)


NETS: Mapping[str, Callable[[], tuple[nn.Module, Contract]]] = {
    **{
        name: partial(float_net, name)
        for name in ("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "mobilenet_v1")
    },
    "efficientnet_lite0": lite0,
}


def main() -> None:
    """Measures every net in both runtimes."""
    quiet()
    rows = []
    for name, make in NETS.items():
        net, contract = make()
        calibration, pixels = crops(CALIBRATED, 16, seed=1), crops(JUDGED, PICTURES, seed=2).bytes(contract.image)
        with scratch_folder() as folder:
            sides = {
                bits: quantize(net, contract, calibration, CalibrationPlan.extremes(), weight_bits=bits, progress=False)
                for bits in (8, 4)
            }
            files = {bits: lower(each, folder / str(bits), runtimes=RUNTIMES) for bits, each in sides.items()}
            for of_eight, of_four in zip(files[8], files[4], strict=True):
                rows.append(_row(name, of_eight, of_four, sides[4], pixels))
                say(str(rows[-1]))
    versions = {key: value for name in RUNTIMES for key, value in runtimes.get(name).versions().items()}
    write_result("four_bit_files", rows, versions, [target for each in rows for target in _targets(each)])


def _row(name: str, of_eight: Bundle, of_four: Bundle, program: Program, pixels: NDArray[np.uint8]) -> dict[str, Any]:
    ms = interleaved_ms({bits: _run(bundle, pixels[0]) for bits, bundle in (("8", of_eight), ("4", of_four))})
    devices: tuple[Device, ...] = (Host(), emulated_cores()[0])
    sizes = [bundle.model_path.stat().st_size for bundle in (of_eight, of_four)]
    return {
        "net": name,
        "runtime": of_four.manifest.runtime,
        "int8 MiB": round(sizes[0] / 2**20, 2),
        "4 bits MiB": round(sizes[1] / 2**20, 2),
        "int8 ms": round(ms["8"], 2),
        "4 bits ms": round(ms["4"], 2),
        "elements": len(pixels) * len(program.contract.labels),
        **{place: _differing(device, of_four, program, pixels) for place, device in zip(_PLACES, devices, strict=True)},
    }


def _run(bundle: Bundle, picture: NDArray[np.uint8]) -> Callable[[], object]:
    session = runtimes.get(bundle.manifest.runtime).load(bundle.model_path, bundle.interface, threads=1)
    return partial(session.run, picture)


def _differing(device: Device, bundle: Bundle, program: Program, pixels: NDArray[np.uint8]) -> int | str:
    """Returns how many elements are not the reference's, or "not run" with the reason on the terminal."""
    if reason := device.unavailable():
        say(f"not run on {device.name}: {reason}")
        return _NOT_RUN
    runtime = runtimes.get(bundle.manifest.runtime)
    with device.loaded(runtime, bundle.model_path, bundle.interface) as run:
        found = run(pixels)
    expected = Reference(program.graph).run(pixels)
    ours, wanted = (in_steps(each, program.graph).reshape(len(pixels), -1) for each in (found, expected))
    return int(np.count_nonzero(ours != wanted))


def _targets(row: dict[str, Any]) -> list[Target]:
    work = f"{row['net']} with 4-bit weights, {row['runtime']}"
    eight_ms, four_ms, eight_mib, four_mib = (row[f"{name} {unit}"] for unit in ("ms", "MiB") for name in _SIDES)
    found = [
        *(Target.most(f"{work}: elements that {place}", "elements", ours=row[place], at_most=0) for place in _ran(row)),
        Target.ratio(f"{work}: latency beside int8", "ms", stock=eight_ms, ours=four_ms, at_most=SLOWEST),
    ]
    if "_v2" in row["net"] or "_v3" in row["net"]:
        found.append(Target.ratio(f"{work}: file", "MiB", stock=eight_mib, ours=four_mib, at_most=LARGEST_SHARE))
    return found


def _ran(row: dict[str, Any]) -> list[str]:
    """Returns the columns of the places where the net ran: one where it did not is no target that is met."""
    return [place for place in _PLACES if row[place] != _NOT_RUN]


def _labels() -> tuple[str, ...]:
    return tuple(f"label {index}" for index in range(1000))


if __name__ == "__main__":
    main()
