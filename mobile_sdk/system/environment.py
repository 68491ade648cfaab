"""Describes the machine and the software that a number was measured on."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from mobile_sdk.document import Document

_INT8_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "asimddp", "i8mm", "sve2")
"""These processor features choose XNNPACK's kernels; the names are those in /proc/cpuinfo."""


class Environment(Document):
    """Describes one machine at one time. A value that could not be read is None. Nothing names the user or the host."""

    date: str  # UTC, ISO 8601
    processor: str | None
    features: tuple[str, ...]
    architecture: str
    cores: int  # that this process may use
    memory_mib: int | None
    system: str
    kernel: str
    governor: str | None  # of CPU frequency
    python: str | None  # None if an app on a phone measured
    versions: Mapping[str, str]


def describe_environment(versions: Mapping[str, str] | None = None) -> Environment:
    """Reads this machine; `versions` are the packages that computed, as `Runtime.versions()` names them."""
    return Environment(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        processor=_processor(),
        features=_features(),
        architecture=platform.machine(),
        cores=usable_cores(),
        memory_mib=_memory_mib(),
        system=_system(),
        kernel=f"{platform.system()} {platform.release()}",
        governor=_text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        python=platform.python_version(),
        versions=dict(sorted({**installed_versions(["numpy"]), **(versions or {})}.items())),
    )


def installed_versions(packages: Sequence[str]) -> dict[str, str]:
    """Returns the versions of those of `packages` that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def usable_cores() -> int:
    """Returns the number of cores that this process may use; a container may allow fewer than the machine has."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_average() -> float | None:
    """Returns the mean number of processes that ran or waited over the last minute; None if it is not reported."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def _processor() -> str | None:
    if sys.platform == "darwin":
        done = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False)
        return done.stdout.strip() or None
    fields = _cpuinfo()
    if "model name" in fields:
        return fields["model name"]
    if "CPU part" in fields:
        return f"Arm implementer {fields.get('CPU implementer', '?')} part {fields['CPU part']}"
    return platform.processor() or None


def _features() -> tuple[str, ...]:
    fields = _cpuinfo()
    present = set((fields.get("flags") or fields.get("Features") or "").split())
    return tuple(feature for feature in _INT8_FEATURES if feature in present)


def _cpuinfo() -> dict[str, str]:
    """Reads the fields of the first processor."""
    first = (_text(Path("/proc/cpuinfo")) or "").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _memory_mib() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    except (OSError, ValueError):
        return None


def _system() -> str:
    if sys.platform == "linux":
        try:
            return platform.freedesktop_os_release()["PRETTY_NAME"]
        except (OSError, KeyError):
            return "Linux"
    return f"{platform.system()} {platform.mac_ver()[0]}".strip()


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
