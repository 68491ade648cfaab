"""Finds what this machine can run, and how to install the rest."""

import os
import platform
import shutil
import sys

from mobile_sdk import runtimes
from mobile_sdk.devices.emulated import ARCHITECTURE, machine
from mobile_sdk.devices.emulated.cores import CORES
from mobile_sdk.devices.runner.build import find_runners, lacking
from mobile_sdk.packages import command
from mobile_sdk.system import debian
from mobile_sdk.system.cache import cache_folder
from mobile_sdk.system.environment import describe_environment, usable_cores
from mobile_sdk.system.findings import Finding, find_package, found_or_missing

_DISK_NEEDED_GIB = 4
_MEMORY_NEEDED_GIB = 6


def checks() -> list[Finding]:
    """Returns every finding, in the order in which the SDK needs the things. It imports no package it looks for."""
    return [
        *(*_packages(), _emulated_cores()),
        *(_program("adb", "apt-get install adb", "verify and bench on phones"), _runners()),
        *(_program("ssh", "apt-get install openssh-client", "verify and bench on boards"), _chromium(), *_hardware()),
    ]


def _packages() -> list[Finding]:
    return [
        find_package(
            "torch", "torch", enables="training, quantization, the reference", get="pip install torch==2.13.0"
        ),
        find_package("torchao", "torchao", enables="quantization (PT2E)", get="pip install torchao"),
        *(runtimes.get(name).finding() for name in (*runtimes.names(), *runtimes.readers())),
        find_package("scipy", "scipy", enables="predict, calibrate, --max-ms", get=command("latency")),
        find_package("cryptography", "cryptography", enables="signed bundles", get=command("signing")),
        find_package("ray", "ray", enables="search", get=command("search")),
    ]


def _emulated_cores() -> Finding:
    fetched, reason = machine.find_machine() if find_runners(ARCHITECTURE) else None, machine.why_not_here()
    return found_or_missing(
        "emulated cores",
        str(fetched.folder) if fetched else None,
        missing=reason or "not fetched yet",
        enables=f"verify on the runtimes' Arm kernels without a phone: {', '.join(core.name for core in CORES)}",
        get=None if reason else machine.HOW_TO_GET,
    )


def _program(name: str, get: str, enables: str) -> Finding:
    return found_or_missing(name, shutil.which(name), missing="not on the path", enables=enables, get=get)


def _runners() -> Finding:
    """Checks for packages and a compiler: the program that runs a model on a device is built at its first use."""
    runners = find_runners(platform.machine())
    has_compiler = shutil.which("g++") is not None or debian.unavailable() is None  # which fetches one
    package = lacking()
    return found_or_missing(
        "runner",
        str(runners.folder) if runners else "built at its first use" if has_compiler and not package else None,
        missing=f"the package {package} is missing" if package else "the compiler g++ is missing",
        enables="verify and bench on phones and boards",
        get=command("devices") if package else "apt-get install g++",
    )


def _chromium() -> Finding:
    return found_or_missing(
        "chromium",
        shutil.which("chromium") or shutil.which("google-chrome"),
        missing="no browser on the path",
        enables="optional: a picture of the report, taken by a headless browser",
        get="apt-get install chromium",
    )


def _hardware() -> list[Finding]:
    environment = describe_environment()
    memory_gib = (environment.memory_mib or 0) / 1024
    folder = cache_folder()
    while not folder.exists():
        folder = folder.parent
    disk_gib = shutil.disk_usage(folder).free / 2**30
    return [
        _amount("disk", disk_gib, _DISK_NEEDED_GIB, f"GiB free at {folder}", "the cache, and bundles"),
        _amount("memory", memory_gib, _MEMORY_NEEDED_GIB, "GiB", "training and export at 224 px"),
        _amount("cores", usable_cores(), 2, f"of {os.cpu_count()}, {platform.machine()}", "training in minutes"),
        _int8_instructions(environment.features),
    ]


def _amount(name: str, found: float, needed: int, unit: str, enables: str) -> Finding:
    enough = found >= needed
    text = f"{found:.3g} {unit}" + ("" if enough else f"; {needed} are needed")
    return Finding(name=name, status="ok" if enough else "limited", found=text, enables=enables, get=None)


def _int8_instructions(features: tuple[str, ...]) -> Finding:
    names = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
    present = [name for name in names if name in features]
    none = f"none of {', '.join(names)}" if sys.platform == "linux" else "this system does not say"
    return Finding(
        name="int8 instructions",
        status="ok" if present else "limited",
        found=", ".join(present) or none,
        enables="timings on host that show what int8 gains",
        get=None,
    )
