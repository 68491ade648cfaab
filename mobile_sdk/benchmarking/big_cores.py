"""Finds the big cores. A benchmark must stay on them: a run that migrates between core types measures neither."""

import os
import sys
from pathlib import Path

_PROCESSORS = Path("/sys/devices/system/cpu")


def use_big_cores(threads: int) -> list[int]:
    """Keeps this process on the cores of the highest clock (of the highest capacity, if no clock is reported).

    These are as many as `threads`, and those that are as fast as the slowest of them. Returns the cores; none outside
    Linux. The runner for devices does the same (devices/runner/sources/machine.cpp).
    """
    if sys.platform != "linux":
        return []
    usable = sorted(os.sched_getaffinity(0))
    speeds = [_speed(core) for core in usable]
    least = sorted(speeds, reverse=True)[:threads][-1]
    big = [core for core, speed in zip(usable, speeds, strict=True) if speed >= least]
    os.sched_setaffinity(0, big)
    return big


def _speed(core: int) -> int:
    for name in ("cpufreq/cpuinfo_max_freq", "cpu_capacity"):
        try:
            return int((_PROCESSORS / f"cpu{core}" / name).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
    return -1
