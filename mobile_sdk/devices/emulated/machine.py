"""Makes the emulated machine's folder in the cache, with qemu and an arm64 Debian that has a C and a C++ library."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from mobile_sdk.devices.emulated.cores import Core
from mobile_sdk.errors import MachineError
from mobile_sdk.system import debian
from mobile_sdk.system.cache import Say, cache_folder, made_once

HOW_TO_GET = "python -m mobile_sdk.devices.emulated"
SUITE = "bookworm"
_SYSTEM = ("libstdc++6:arm64", "libgcc-s1:arm64")
# qemu 10.1 is the first with SME2. 7.2, bookworm's, computes the matrix products of newer cores wrongly, 168 steps off.
# It also tells programs of the core in /proc/cpuinfo, without which XNNPACK's start-up crashes.
_QEMU, _QEMU_SUITE = "qemu-user", "trixie-backports"
_ROOT = "root"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """This folder holds the whole emulated machine."""

    folder: Path

    @property
    def qemu(self) -> Path:
        """Returns the emulator, which needs no library."""
        return self.folder / "qemu-aarch64"

    def emulator(self, core: Core) -> list[str]:
        """Returns the command that runs the arm64 program appended to it on that core."""
        return [str(self.qemu), "-cpu", core.cpu, "-L", str(self.folder / _ROOT)]


def find_machine() -> Machine | None:
    """Returns the machine if it has been made, else None."""
    folder = _folder()
    return Machine(folder=folder) if folder.is_dir() else None


def why_not_here() -> str | None:
    """Returns why the machine cannot be made here, or None."""
    return debian.unavailable()


def make_machine(say: Say) -> Machine:
    """Returns the machine, and makes it first if it is missing. Raises MachineError.

    About 75 MB are fetched, most of it qemu.
    """
    if reason := why_not_here():
        raise MachineError(
            f"expected to make emulated Arm cores, found that {reason}", hint="use a Debian machine with apt-get"
        )
    return Machine(folder=made_once(_folder(), lambda unfinished: _make(unfinished, say)))


def _folder() -> Path:
    digest = hashlib.sha256(" ".join([SUITE, *_SYSTEM, _QEMU_SUITE, _QEMU]).encode()).hexdigest()
    return cache_folder() / f"emulated-{digest[:12]}"


def _make(folder: Path, say: Say) -> None:
    host = debian.host_architecture()
    say("emulated cores: fetching qemu and an arm64 C library")
    (emulator,) = debian.fetch_packages([f"{_QEMU}:{host}"], suite=_QEMU_SUITE, architectures=[host])
    debian.unpack(emulator, folder, "./usr/bin/qemu-aarch64")
    (folder / "usr/bin/qemu-aarch64").rename(Machine(folder=folder).qemu)
    shutil.rmtree(folder / "usr")
    (folder / _ROOT).mkdir()
    for package in debian.fetch_packages(_SYSTEM, suite=SUITE, architectures=["arm64"]):
        debian.unpack(package, folder / _ROOT)
