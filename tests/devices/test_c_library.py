"""A device gets the C library beside the runner: it needs Linux's kernel, and nothing else of Linux."""

import platform
import struct
from pathlib import Path

import pytest

from mobile_sdk import runtimes
from mobile_sdk.devices.runner.build import Runners, make_runners
from mobile_sdk.errors import MachineError

_PAGE = 16 * 1024  # of kernels since Android 15; x86-64 has pages of 4 KiB
_LOAD = 1


@pytest.fixture(scope="module", params=["x86_64", "aarch64"])
def runners(request: pytest.FixtureRequest) -> Runners:
    if platform.machine() != "x86_64":
        pytest.skip("the other processor is arm64")
    try:
        return make_runners(request.param, print)
    except MachineError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("runtime", runtimes.on_devices())
def test_a_runners_folder_holds_every_library_that_its_files_name(runners: Runners, runtime: str) -> None:
    files = runners.files(runtime)
    names = {file.name for file in files}
    assert runners.command(runtime).split()[-1] == f"./runner-{runtime}"
    assert runners.command(runtime).split()[0].removeprefix("./") in names
    for file in files:
        assert _needed(file) <= names, file.name


def test_every_file_of_arm64_fits_pages_of_16_kib(runners: Runners) -> None:
    files = [file for runtime in runtimes.on_devices() for file in runners.files(runtime)]
    least = _PAGE if "aarch64" in runners.command("tflite") else 4096
    for file in files:
        assert all(alignment >= least for alignment in _alignments(file)), file.name


def _alignments(file: Path) -> list[int]:
    return [alignment for kind, _, _, alignment in _segments(file) if kind == _LOAD]


def _segments(file: Path) -> list[tuple[int, int, int, int]]:
    """Kind, offset, size and alignment of every segment of an ELF file of 64 bits."""
    data = file.read_bytes()
    assert data[:5] == b"\x7fELF\x02", file.name
    start, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    headers = (struct.unpack_from("<IIQQQQQQ", data, start + index * size) for index in range(count))
    return [(kind, offset, length, alignment) for kind, _, offset, _, _, length, _, alignment in headers]


def _needed(file: Path) -> set[str]:
    """The libraries that an ELF file names as needed (DT_NEEDED)."""
    data, (needed, table, end) = file.read_bytes(), (1, 5, 0)
    dynamic = next(((offset, size) for kind, offset, size, _ in _segments(file) if kind == 2), None)
    if dynamic is None:
        return set()
    entries = list(struct.iter_unpack("<qQ", data[dynamic[0] : sum(dynamic)]))
    entries = entries[: next(index for index, (tag, _) in enumerate(entries) if tag == end)]
    address = dict(entries)[table]
    strings = next(
        offset + address - virtual
        for kind, offset, virtual, size in _loaded(data)
        if kind == _LOAD and virtual <= address < virtual + size
    )
    return {_text(data, strings + value) for tag, value in entries if tag == needed}


def _loaded(data: bytes) -> list[tuple[int, int, int, int]]:
    start, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    headers = (struct.unpack_from("<IIQQQQQQ", data, start + index * size) for index in range(count))
    return [(kind, offset, virtual, length) for kind, _, offset, virtual, _, length, _, _ in headers]


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()
