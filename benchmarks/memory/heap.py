"""Measures a model's heap in a process of its own: it loads, runs once, and reads the counters of allocations.c.

`measure_heap` runs it with the counters loaded before libc: python -m benchmarks.memory.heap BUNDLE
"""

import ctypes
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle, open_bundle

SOURCE = Path(__file__).with_name("allocations.c")
LARGE = 16 * 1024  # bytes of the smallest block that is recorded


@dataclass(frozen=True, kw_only=True)
class Heap:
    """Holds the heap that loading a bundle and running it once leaves, and its peak.

    `large_blocks` are the sizes of blocks of 16 KiB and more that are alive then: the arena of activations, packed
    weights, tables of pointers to rows that convolutions read. `high_water_bytes` is the largest rise of the process'
    resident memory, including the model file that is read or mapped.
    """

    live_bytes: int
    peak_bytes: int
    large_blocks: tuple[int, ...]
    high_water_bytes: int

    def block_of(self, size: int) -> int:
        """Returns the one block of `size` bytes or up to 1 KiB more; raises ValueError if there is not exactly one."""
        found = [block for block in self.large_blocks if size <= block <= size + 1024]
        if len(found) != 1:
            raise ValueError(f"expected one block of {size:,} bytes on the heap, found {found}")
        return found[0]


def measure_heap(bundle: Bundle) -> Heap:
    """Runs the bundle in a process of its own; needs Linux with glibc, and gcc."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "allocations.so"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, SOURCE], check=True)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.memory.heap", str(bundle.path.resolve())],
            cwd=SOURCE.parents[2],
            env=os.environ | {"LD_PRELOAD": str(library)},
            check=True,
            capture_output=True,
            text=True,
        )
    said = json.loads(done.stdout.splitlines()[-1])
    return Heap(**said | {"large_blocks": tuple(said["large_blocks"])})


def main(path: str) -> None:
    """Loads the bundle and runs it once, counting; a session before it loads everything that is loaded only once."""
    bundle = open_bundle(Path(path))
    runtime, side = runtimes.get(bundle.manifest.runtime), bundle.manifest.image.size_px
    picture = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)
    runtime.load(bundle.model_path, bundle.interface, threads=1).close()
    counters = ctypes.CDLL(None)
    for name in ("live_bytes", "peak_bytes"):
        getattr(counters, name).restype = ctypes.c_long
    counters.large_block.restype, counters.watch.argtypes = ctypes.c_size_t, [ctypes.c_size_t]
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark falls to the present size
    before, resident = counters.live_bytes(), _resident_bytes("VmRSS")
    counters.watch(LARGE)
    session = runtime.load(bundle.model_path, bundle.interface, threads=1)
    session.run(picture)
    blocks = [counters.large_block(index) for index in range(counters.large_blocks())]
    said = {
        "live_bytes": counters.live_bytes() - before,
        "peak_bytes": counters.peak_bytes() - before,
        "large_blocks": sorted(filter(None, blocks), reverse=True),
        "high_water_bytes": _resident_bytes("VmHWM") - resident,
    }
    print(json.dumps(said))


def _resident_bytes(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found, "Linux says it"
    return int(found[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1])
