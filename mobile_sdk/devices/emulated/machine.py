"""The emulated machine's folder in the cache: qemu, a small arm64 Debian with Python 3.11, and arm64 wheels."""

import hashlib
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from mobile_sdk.cache import Say, cache_folder, made_once
from mobile_sdk.commands import run_command
from mobile_sdk.devices import debian
from mobile_sdk.errors import MachineError

HOW_TO_GET = "python -m mobile_sdk.devices.emulated"
_SUITE = "bookworm"  # Python 3.11 and qemu 7.2, the pair that was measured
_SYSTEM = ("python3-minimal:arm64", "libpython3-stdlib:arm64", "libstdc++6:arm64", "libgcc-s1:arm64")
_QEMU = "qemu-user-static"
_WHEELS = ("ai-edge-litert", "numpy", "ml_dtypes", "flatbuffers", "typing_extensions", "tqdm", "backports.strenum")
_WHEEL_PLATFORMS = (
    "manylinux_2_28_aarch64",
    "manylinux_2_27_aarch64",
    "manylinux_2_17_aarch64",
    "manylinux2014_aarch64",
)

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
    """A folder that holds everything."""

    folder: Path

    @property
    def site(self) -> Path:
        """Where the arm64 Python packages lie."""
        return self.folder / "site"

    @property
    def python(self) -> list[str]:
        """The command that starts the arm64 Python.

        The processor must be named: under qemu 7.2's default one XNNPACK's newest int8 kernels compute wrong results,
        168 steps off.
        """
        root = self.folder / "root"
        return [str(self.folder / _QEMU), "-cpu", "cortex-a76", "-L", str(root), str(root / "usr/bin/python3.11")]


def find_machine() -> Machine | None:
    """The machine, where it has been made."""
    if _missing_packages():
        return None
    folder = _folder()
    return Machine(folder=folder) if folder.is_dir() else None


def why_not_here() -> str | None:
    """Why the machine cannot be made here, or None."""
    if missing := _missing_packages():
        return f"the package {missing[0]} is not installed, whose version decides what is fetched"
    return debian.unavailable()


def make_machine(say: Say) -> Machine:
    """The machine, made first where it is missing (about 60 MB are fetched). Raises MachineError."""
    if reason := why_not_here():
        raise MachineError(
            f"expected to make an emulated Cortex-A76, found that {reason}",
            hint="use a Debian machine with apt-get, and install mobile-sdk whole",
        )
    return Machine(folder=made_once(_folder(), lambda unfinished: _make(unfinished, say)))


def _folder() -> Path:
    """One folder for each set of versions, so that a new LiteRT gets a new machine."""
    digest = hashlib.sha256(" ".join([_SUITE, *_SYSTEM, *_requirements()]).encode()).hexdigest()
    return cache_folder() / f"cortex-a76-{digest[:12]}"


def _requirements() -> list[str]:
    """The arm64 wheels: the very versions that run on this host."""
    return [f"{name}=={metadata.version(name)}" for name in _WHEELS]


def _missing_packages() -> list[str]:
    return [name for name in _WHEELS if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _make(folder: Path, say: Say) -> None:
    host = debian.host_architecture()
    say("emulated:cortex-a76: fetching an arm64 Debian and qemu")
    packages = debian.fetch_packages(
        [*_SYSTEM, f"{_QEMU}:{host}"], suite=_SUITE, architectures=list(dict.fromkeys(["arm64", host]))
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
    say("emulated:cortex-a76: fetching LiteRT's arm64 wheels")
    _fetch_wheels(folder / "site")


def _fetch_wheels(site: Path) -> None:
    platforms = [word for platform in _WHEEL_PLATFORMS for word in ("--platform", platform)]
    python = ["--python-version", "3.11", "--implementation", "cp"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--target", str(site)]
    run_command([*pip, *python, *platforms, *_requirements()], hint="look whether pip reaches a package index here")
