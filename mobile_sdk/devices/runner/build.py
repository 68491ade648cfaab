"""Builds the runner, a C++ program that runs a model on a device, here for the device's processor.

Its sources and CMake project are in `runner/`. The libraries come from the runtimes' Python wheels, in the very
versions that are installed on this host, so that a device computes with the same code the host was verified with.
A device gets the C library beside them, which the runner is started with: Linux's kernel is then all that it needs
there, and a phone with Android or a board with an older C library runs the same program.
"""

import hashlib
import platform
import shutil
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from mobile_sdk import runtimes
from mobile_sdk.devices.runner.wheels import fetch_wheel, missing_packages, requirements
from mobile_sdk.errors import SettingError
from mobile_sdk.packages import missing
from mobile_sdk.runtimes.base import RunnerParts
from mobile_sdk.system import debian
from mobile_sdk.system.cache import Say, cache_folder, made_once
from mobile_sdk.system.commands import run_command
from mobile_sdk.system.temporary_folder import scratch_folder

ARCHITECTURES = ("x86_64", "aarch64")
_DEBIANS = {"x86_64": "amd64", "aarch64": "arm64"}
SUITE = "bookworm"
SOURCES = Path(__file__).with_name("sources")
_C_LIBRARY = "c-library"  # the folder
_LOADERS = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}
_C_FILES = tuple(f"lib{name}" for name in ("c.so.6", "m.so.6", "dl.so.2", "pthread.so.0", "gcc_s.so.1", "stdc++.so.6"))
_C_PACKAGES = ("libstdc++6", "libgcc-s1")


@dataclass(frozen=True, kw_only=True)
class Runners:
    """This folder holds a runner for each runtime and the libraries that they need, side by side."""

    folder: Path

    def program(self, runtime: str) -> Path:
        """Returns the runner of a runtime. Raises SettingError if there is none.

        Its `main.cpp` describes the arguments.
        """
        if runtime not in runtimes.on_devices():
            raise SettingError(
                f"expected a bundle for {' or '.join(runtimes.on_devices())} on a device, found {runtime}",
                hint="use --device host for this bundle",
            )
        return self.folder / f"runner-{runtime}"

    def files(self, runtime: str) -> list[Path]:
        """Returns the files to put on a device, in one folder: the runner, and all libraries but other runners'."""
        program = self.program(runtime)
        others = {Path(path).name for other, parts in _parts().items() if other != runtime for path in parts.libraries}
        own = sorted(path for path in self.folder.glob("*.so") if path.name not in others)
        return [program, *own, *sorted((self.folder / _C_LIBRARY).iterdir())]

    def command(self, runtime: str) -> str:
        """Returns the words that start the runner of a runtime in the folder on a device that holds its `files`."""
        (loader,) = {path.name for path in (self.folder / _C_LIBRARY).iterdir()} & set(_LOADERS.values())
        return f"./{loader} --library-path . ./{self.program(runtime).name}"


def find_runners(architecture: str) -> Runners | None:
    """Returns the runners for Linux on `architecture` ("aarch64") if they have been built, else None."""
    if missing_packages(_packages()):
        return None
    folder = _folder(architecture)
    return Runners(folder=folder) if folder.is_dir() else None


def lacking() -> str | None:
    """Returns the first package that making runners takes and that is not here; None if all are."""
    packages = missing_packages(_packages())
    return packages[0] if packages else None if _find_cmake() else "cmake"


def _find_cmake() -> str | None:
    """Returns the path of CMake in this Python's environment, or on the machine; None if there is none."""
    return shutil.which("cmake", path=str(Path(sys.executable).parent)) or shutil.which("cmake")


def make_runners(architecture: str, say: Say) -> Runners:
    """Returns the runners for Linux; builds them first if they are missing (for another processor 80 MB are fetched).

    Raises MachineError if a package or a compiler is missing, SettingError for an architecture that has no wheels.
    """
    if architecture not in ARCHITECTURES:
        raise SettingError(
            f"expected a device of {' or '.join(ARCHITECTURES)}, found {architecture}", hint="use a 64-bit system on it"
        )
    if found := find_runners(architecture):
        return found
    if package := lacking():
        raise missing(package, "the programs that run models on devices", extra="devices")
    return Runners(folder=made_once(_folder(architecture), lambda unfinished: _make(unfinished, architecture, say)))


def _folder(architecture: str) -> Path:
    """Returns the folder for one state of the sources and one set of versions."""
    digest = hashlib.sha256(" ".join([SUITE, *_C_FILES, *requirements(_packages())]).encode())
    for source in sorted(path for path in SOURCES.iterdir() if path.is_file()):
        digest.update(source.read_bytes())
    return cache_folder() / f"runners-{architecture}-{digest.hexdigest()[:12]}"


def _make(folder: Path, architecture: str, say: Say) -> None:
    with scratch_folder() as scratch:
        is_own = architecture == platform.machine()
        if not is_own:
            say(f"runner for {architecture}: fetching the runtimes' libraries")
            (scratch / "packages").mkdir()
        folders = {
            name: _installed(parts.package) if is_own else _fetched(parts, scratch / "packages", architecture)
            for name, parts in _parts().items()
        }
        compiler = shutil.which("g++") if is_own else None
        if compiler is None:
            say(f"runner for {architecture}: fetching a compiler")
            compiler = str(_fetched_compiler(scratch / "compiler", architecture))
        say(f"runner for {architecture}: building")
        _build(folder, scratch / "build", architecture, compiler, folders)
        (folder / _C_LIBRARY).mkdir()
        if is_own:
            _copy_own_c_library(folder)
        else:
            say(f"runner for {architecture}: fetching a C library")
            _fetch_c_library(folder / _C_LIBRARY, scratch / "root", architecture)


def _installed(package: str) -> Path:
    """Returns the installed package's folder, without importing it."""
    name = package.replace("-", "_")
    return Path(str(metadata.distribution(package).locate_file(name)))


def _fetched(parts: RunnerParts, folder: Path, architecture: str) -> Path:
    """Returns the package's folder for another architecture, with libraries and headers only."""
    wheel, name = fetch_wheel(parts.package, folder, architecture), parts.package.replace("-", "_")
    wanted = tuple(f"{name}/{path}" for path in parts.needed)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [member for member in archive.namelist() if member.startswith(wanted)])
    return folder / name


def _fetched_compiler(folder: Path, architecture: str) -> Path:
    """Returns a compiler command for `architecture`, made of Debian's compiler below `folder`; nothing is installed."""
    folder.mkdir()
    host = debian.host_architecture()
    package = f"g++-{architecture.replace('_', '-')}-linux-gnu:{host}"
    for file in debian.fetch_packages([package], suite=SUITE, architectures=[host]):
        debian.unpack(file, folder)
    own_libraries = ":".join(str(path) for path in sorted((folder / "usr/lib").glob("*-linux-gnu")))
    command = folder / "g++"
    program = next((folder / "usr/bin").glob(f"{architecture}-linux-gnu-g++-[0-9]*"))
    command.write_text(
        f'#!/bin/sh\nLD_LIBRARY_PATH={own_libraries} exec {program} --sysroot={folder} "$@"\n', encoding="utf-8"
    )
    command.chmod(0o755)
    return command


def _copy_own_c_library(folder: Path) -> None:
    """Copies the libraries of this machine that the runners in `folder` are linked with."""
    for runner in sorted(folder.glob("runner-*")):
        told = run_command(["ldd", str(runner)], hint="report this as a bug with the name of this system")
        paths = [Path(word) for line in told.splitlines() for word in line.split() if word.startswith("/")]
        for path in paths:
            if path.parent != folder:
                shutil.copy(path.resolve(), folder / _C_LIBRARY / path.name)


def _fetch_c_library(folder: Path, root: Path, architecture: str) -> None:
    """Copies Debian's C and C++ libraries for `architecture` into `folder`."""
    root.mkdir()
    debians = _DEBIANS[architecture]
    packages = [f"{name}:{debians}" for name in _C_PACKAGES]
    for package in debian.fetch_packages(packages, suite=SUITE, architectures=[debians]):
        debian.unpack(package, root)
    for name in (_LOADERS[architecture], *_C_FILES):
        found = next(path for path in sorted(root.rglob(name)) if path.is_file())
        shutil.copy(found.resolve(), folder / name)
        (folder / name).chmod(0o755)


def _build(folder: Path, build: Path, architecture: str, compiler: str, folders: Mapping[str, Path]) -> None:
    """Builds the runners below `build`, and copies them and their libraries into `folder`."""
    settings = {"CMAKE_CXX_COMPILER": compiler, "CMAKE_BUILD_TYPE": "Release"}
    for name, parts in _parts().items():
        settings |= {variable: str(folders[name] / path) for variable, path in parts.settings.items()}
    if architecture != platform.machine():
        settings |= {"CMAKE_SYSTEM_NAME": "Linux", "CMAKE_SYSTEM_PROCESSOR": architecture}
    words = [f"-D{name}={value}" for name, value in settings.items()]
    hint = f"apt-get install g++, or report this as a bug with the versions of {', '.join(_packages())} and of Debian"
    cmake = str(_find_cmake())
    run_command([cmake, "-S", str(SOURCES), "-B", str(build), "-G", "Unix Makefiles", *words], hint=hint)
    run_command([cmake, "--build", str(build)], hint=hint)
    for name, parts in _parts().items():
        shutil.copy2(build / f"runner-{name}", folder)
        for library in parts.libraries:
            shutil.copy2(folders[name] / library, folder)


def _parts() -> dict[str, RunnerParts]:
    """Returns the parts of every runtime that runs on devices, by its name."""
    found = {name: runtimes.get(name).runner for name in runtimes.names()}
    return {name: parts for name, parts in found.items() if parts is not None}


def _packages() -> list[str]:
    return [parts.package for parts in _parts().values()]
