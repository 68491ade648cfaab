"""Makes the emulated machine's folder in the cache, with qemu and an arm64 Debian that has a C and a C++ library."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from mobile_sdk.devices.runner import debian
from mobile_sdk.errors import MachineError
from mobile_sdk.system.cache import Say, cache_folder, made_once

HOW_TO_GET = "python -m mobile_sdk.devices.emulated"
SUITE = "bookworm"  # has qemu 7.2, on which exactness was measured
_SYSTEM = ("libstdc++6:arm64", "libgcc-s1:arm64")
_QEMU = "qemu-user-static"

# XNNPACK's start-up reads the processor from here and crashes without an Arm one; qemu looks below its root first.
_CPUINFO = """\
processor\t: 0
Features\t: fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x4
CPU part\t: 0xd0b
CPU revision\t: 1
"""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """This folder holds the whole emulated machine."""

    folder: Path

    @property
    def emulator(self) -> list[str]:
        """Returns the command that runs the arm64 program appended to it.

        The processor must be named: under qemu 7.2's default one XNNPACK's newest int8 kernels compute wrong results,
        168 steps off.
        """
        return [str(self.folder / _QEMU), "-cpu", "cortex-a76", "-L", str(self.folder / "root")]


def find_machine() -> Machine | None:
    """Returns the machine if it has been made, else None."""
    folder = _folder()
    return Machine(folder=folder) if folder.is_dir() else None


def why_not_here() -> str | None:
    """Returns why the machine cannot be made here, or None."""
    return debian.unavailable()


def make_machine(say: Say) -> Machine:
    """Returns the machine, and makes it first if it is missing. Raises MachineError.

    About 70 MB are fetched, most of it qemu.
    """
    if reason := why_not_here():
        raise MachineError(
            f"expected to make an emulated Cortex-A76, found that {reason}",
            hint="use a Debian machine with apt-get",
        )
    return Machine(folder=made_once(_folder(), lambda unfinished: _make(unfinished, say)))


def _folder() -> Path:
    digest = hashlib.sha256(" ".join([SUITE, *_SYSTEM, _CPUINFO]).encode()).hexdigest()
    return cache_folder() / f"cortex-a76-{digest[:12]}"


def _make(folder: Path, say: Say) -> None:
    host = debian.host_architecture()
    say("emulated:cortex-a76: fetching qemu and an arm64 C library")
    packages = debian.fetch_packages(
        [*_SYSTEM, f"{_QEMU}:{host}"], suite=SUITE, architectures=list(dict.fromkeys(["arm64", host]))
    )
    root = folder / "root"
    (root / "proc").mkdir(parents=True)
    for package in packages:
        if package.name.startswith(f"{_QEMU}_"):
            debian.unpack(package, folder, "./usr/bin/qemu-aarch64-static")
            (folder / "usr/bin/qemu-aarch64-static").rename(folder / _QEMU)
            shutil.rmtree(folder / "usr")
        else:
            debian.unpack(package, root)
    (root / "proc/cpuinfo").write_text(_CPUINFO, encoding="utf-8")
