"""ExecuTorch's C++ runtime for the emulated core: the arm64 wheel's own libraries, and a small program built on them.

The wheel's Python runtime would need torch for arm64, a CUDA build of over 1 GB; its libraries need nothing.
"""

import hashlib
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from mobile_sdk.cache import Say, cache_folder, made_once
from mobile_sdk.commands import run_command
from mobile_sdk.devices import debian
from mobile_sdk.devices.emulated.machine import SUITE
from mobile_sdk.devices.emulated.wheels import fetch_wheel, missing_packages, requirements
from mobile_sdk.errors import MachineError

_SOURCE = Path(__file__).with_name("runner.cpp")
_WHEEL = "executorch"
_LIBRARIES = ("executorch", "executorch_backend_xnnpack", "executorch_threadpool")  # a program is one delegate call
_COMPILER = "g++-aarch64-linux-gnu"


@dataclass(frozen=True, kw_only=True)
class Runner:
    """A folder with the program and its libraries."""

    folder: Path

    @property
    def program(self) -> Path:
        """`runner MODEL.pte PICTURES SCORES`."""
        return self.folder / "runner"


def find_runner() -> Runner | None:
    """The runner, where it has been built."""
    if missing_packages([_WHEEL]):
        return None
    folder = _folder()
    return Runner(folder=folder) if folder.is_dir() else None


def make_runner(say: Say) -> Runner:
    """The runner, built first where it is missing (about 80 MB are fetched). Raises MachineError."""
    if missing_packages([_WHEEL]):
        raise MachineError("expected the package executorch, found it not installed", hint="pip install executorch")
    return Runner(folder=made_once(_folder(), lambda unfinished: _make(unfinished, say)))


def _folder() -> Path:
    digest = hashlib.sha256(_SOURCE.read_bytes() + " ".join([SUITE, *requirements([_WHEEL])]).encode()).hexdigest()
    return cache_folder() / f"cortex-a76-executorch-{digest[:12]}"


def _make(folder: Path, say: Say) -> None:
    with tempfile.TemporaryDirectory(prefix="mobile-sdk-") as scratch:
        say("emulated:cortex-a76: fetching ExecuTorch's arm64 wheel")
        _unpack_wheel(fetch_wheel(_WHEEL, Path(scratch)), folder)
        say("emulated:cortex-a76: fetching a compiler for arm64, and building the runner with it")
        compiler = Path(scratch, "compiler")
        compiler.mkdir()
        host = debian.host_architecture()
        for package in debian.fetch_packages([f"{_COMPILER}:{host}"], suite=SUITE, architectures=[host]):
            debian.unpack(package, compiler)
        _build(compiler, folder)


def _unpack_wheel(wheel: Path, folder: Path) -> None:
    wanted = ("executorch/include/", *(f"executorch/lib/lib{name}.so" for name in _LIBRARIES))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(wanted)])


def _build(compiler: Path, folder: Path) -> None:
    # The definition and the second include path are the wheel's own, from its CMake package.
    include = folder / "executorch" / "include"
    includes = [f"-I{include}", f"-I{include / 'executorch/runtime/core/portable_type/c10'}"]
    libraries = [f"-L{folder / 'executorch/lib'}", "-Wl,--no-as-needed", *(f"-l{name}" for name in _LIBRARIES)]
    found_there = ["-Wl,-rpath,$ORIGIN/executorch/lib"]
    flags = ["-std=c++17", "-O1", "-w", "-DC10_USING_CUSTOM_GENERATED_MACROS", f"--sysroot={compiler}"]
    program = str(compiler / "usr/bin/aarch64-linux-gnu-g++-12")
    own_libraries = ":".join(str(path) for path in sorted((compiler / "usr/lib").glob("*-linux-gnu")))
    run_command(
        [program, *flags, *includes, str(_SOURCE), *libraries, *found_there, "-o", str(folder / "runner")],
        hint="report this as a bug, with the versions of executorch and of Debian",
        environment={"PATH": os.defpath, "LD_LIBRARY_PATH": own_libraries},
    )
