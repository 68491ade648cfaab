"""Fetches SwiftShader, a Vulkan that a processor computes, out of Debian's package of Chromium, into the cache."""

import shutil
from pathlib import Path

from mobile_sdk.system import debian
from mobile_sdk.system.cache import Say, cache_folder, made_once

HOW_TO_GET = "python -m mobile_sdk.runtimes.litert_gpu"
LOADER, DRIVER = "libvulkan.so.1", "vk_swiftshader_icd.json"
_FILES = (LOADER, DRIVER, "libvk_swiftshader.so")
_PACKAGE, _SUITE, _INSIDE = "chromium-common", "bookworm", "usr/lib/chromium"


def find_vulkan() -> Path | None:
    """Returns the folder with the Vulkan, if it has been fetched."""
    folder = _folder()
    return folder if folder.is_dir() else None


def make_ready(say: Say) -> Path:
    """Returns the folder, and fetches it first if it is missing: about 27 MB. Raises MachineError."""

    def make(unfinished: Path) -> None:
        say("litert-gpu: fetching SwiftShader")
        package = debian.fetch_alone(_PACKAGE, suite=_SUITE)
        debian.unpack(package, unfinished, *(f"./{_INSIDE}/{name}" for name in _FILES))
        for name in _FILES:
            (unfinished / _INSIDE / name).rename(unfinished / name)
        shutil.rmtree(unfinished / "usr")

    return made_once(_folder(), make)


def _folder() -> Path:
    return cache_folder() / f"swiftshader-{_SUITE}"
