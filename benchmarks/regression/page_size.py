"""Runs the phone runner on a kernel with pages of 16 KiB, as phones of 2025 have them, and compares every element.

Run: python -m benchmarks.regression.page_size     fetches a kernel of Debian's with such pages, and qemu (150 MB)

A whole machine is emulated: that kernel boots on a Cortex-A76, and its only user program is a shell that starts the
runner of each runtime as user 2000, with its own C library beside it, in a root directory that holds nothing else.
"""

import argparse
import io
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.core.realistic import crops, with_realistic_numbers
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from mobile_sdk import runtimes
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.devices.emulated import ARCHITECTURE
from mobile_sdk.devices.runner.build import make_runners
from mobile_sdk.devices.runner.staging import stage, written_inputs
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.system import debian
from mobile_sdk.system.cache import cache_folder, made_once
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.nets import build_net

NETS = ("mobilenet_v2", "mobilenet_v3_small")
RUNTIMES = ("tflite", "executorch")
SUITE, KERNEL, EMULATOR, SHELL = "trixie", "linux-image-arm64-16k", "qemu-system-arm", "busybox-static"
WIDTH, SIZE_PX, PICTURES = 0.35, 96, 6
PAGE_KIB, BOOT_S = 16, 1800
PLACE = "data/local/tmp"
MARK = "page size"


def make_machine() -> Path:
    """Returns a folder with the kernel, the emulator and the shell; fetches them once."""
    return made_once(cache_folder() / f"{KERNEL}-{SUITE}", _fetch)


def _fetch(folder: Path) -> None:
    host = debian.host_architecture()
    for package, architecture in ((KERNEL, "arm64"), (EMULATOR, host), (SHELL, "arm64")):
        (folder / package).mkdir()
        for file in debian.fetch_packages([f"{package}:{architecture}"], suite=SUITE, architectures=[architecture]):
            name = file.name.partition("_")[0]
            if architecture == host or name.startswith(("linux-image", "busybox")):
                leave_out = ("./usr/lib/modules*", "./lib/modules*", "./usr/share/doc*")
                debian.unpack(file, folder / package, leave_out=leave_out)


def archive(entries: Iterator[tuple[str, int, bytes]]) -> bytes:
    """Returns a root directory as a cpio archive, which a kernel unpacks: names, modes and contents.

    Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst, "newc".
    """
    written = io.BytesIO()
    last = ("TRAILER!!!", 0, b"")
    for number, (name, mode, content) in enumerate([*entries, last], start=1):
        path = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        for part in (head, content):
            written.write(part + bytes(-len(part) % 4))
    return written.getvalue()


def root_entries(folder: Path, shell: Path, script: str) -> Iterator[tuple[str, int, bytes]]:
    """Yields the files of a root directory with a shell, a script that the kernel starts, and `folder` as PLACE."""
    executable = stat.S_IFREG | 0o755
    for name in ("dev", "etc", "proc", "sys", "bin", "data", "data/local", PLACE):
        yield name, stat.S_IFDIR | 0o777, b""
    yield "bin/busybox", executable, shell.read_bytes()
    yield "etc/passwd", stat.S_IFREG | 0o644, b"shell:x:2000:2000::/:/bin/sh\n"
    yield "init", executable, script.encode()
    for path in sorted(folder.rglob("*")):
        name = f"{PLACE}/{path.relative_to(folder).as_posix()}"
        yield (name, stat.S_IFDIR | 0o777, b"") if path.is_dir() else (name, executable, path.read_bytes())


def script_of(jobs: list[tuple[str, str]]) -> str:
    """Returns the first program: it prints the page size, and each job's output in hexadecimal digits."""
    lines = [
        "#!/bin/busybox sh",
        "b=/bin/busybox",
        "$b mount -t proc none /proc; $b mount -t sysfs none /sys; $b mount -t devtmpfs none /dev",
        f"echo '{MARK}' $($b grep -m 1 KernelPageSize /proc/self/smaps)",
        f"$b chown -R 2000:2000 /{PLACE}",
    ]
    for job, command in jobs:
        as_shell = f"cd /{PLACE}/{job} && {command} score . 1 pictures scores"
        lines += [
            f"$b start-stop-daemon -S -c shell -p /none -x $b -- sh -c '{as_shell}' || echo failed {job}",
            f"echo 'scores {job}'; $b xxd -p -c 64 /{PLACE}/{job}/scores; echo 'end {job}'",
        ]
    return "\n".join([*lines, "$b poweroff -f", ""])


def boot(machine: Path, root: bytes, scratch: Path) -> str:
    """Returns what the emulated machine writes to its console. Raises SystemExit if it does not end."""
    (scratch / "root.cpio").write_bytes(root)
    (kernel,) = (machine / KERNEL / "boot").glob("vmlinuz-*")
    system = machine / EMULATOR
    libraries = ":".join(sorted({str(path.parent) for path in system.rglob("*.so*")}))
    loader = next(system.rglob("ld-linux-x86-64.so.2"))
    command = [
        *(str(loader), "--library-path", libraries, str(system / "usr/bin/qemu-system-aarch64")),
        *("-M", "virt", "-cpu", "cortex-a76", "-m", "2048", "-smp", "1", "-nographic", "-nic", "none", "-no-reboot"),
        *("-kernel", str(kernel), "-initrd", str(scratch / "root.cpio")),
        *("-append", "console=ttyAMA0 quiet loglevel=3 panic=-1"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BOOT_S, errors="replace", check=False)
    except subprocess.TimeoutExpired as late:
        raise SystemExit(f"the machine did not end within {BOOT_S} s") from late
    if MARK not in done.stdout:
        raise SystemExit(f"the machine did not boot: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def rows() -> Iterator[dict[str, Any]]:
    """Yields a row for every net and runtime: its elements, and how many of them differ from the reference."""
    runners = make_runners(ARCHITECTURE, _say)
    machine = make_machine()
    expected: dict[str, tuple[Interface, np.ndarray[Any, Any]]] = {}
    with tempfile.TemporaryDirectory() as name:
        scratch, jobs = Path(name), []
        for net in NETS:
            contract = Contract(
                name=net, labels=[f"class {index}" for index in range(50)], image=ImageSpec(size_px=SIZE_PX)
            )
            module = with_realistic_numbers(build_net(net, contract, width=WIDTH), contract.image)
            program = quantize(module, contract, crops(16, seed=1), CalibrationPlan.extremes())
            pictures = crops(PICTURES, seed=7).bytes(contract.image)
            for each in RUNTIMES:
                runtime, folder = runtimes.get(each), scratch / "place" / f"{net}-{each}"
                folder.mkdir(parents=True)
                interface = runtime.export(program.graph, contract, scratch / runtime.model_file)
                stage(folder, [*runners.files(each), scratch / runtime.model_file])
                (folder / "pictures").write_bytes(written_inputs(interface, pictures))
                expected[folder.name] = interface, Reference(program.graph).run(pictures)
                jobs.append((folder.name, runners.command(each)))
        shell = machine / SHELL / "usr/bin/busybox"
        root = archive(root_entries(scratch / "place", shell, script_of(jobs)))
        shutil.rmtree(scratch / "place")
        said = boot(machine, root, scratch)
    page_kib = int(said.partition(MARK)[2].split()[1])
    if page_kib != PAGE_KIB:
        raise SystemExit(f"expected a kernel with pages of {PAGE_KIB} KiB, found {page_kib} KiB")
    for job, (interface, wanted) in expected.items():
        lines = said.partition(f"scores {job}")[2].partition(f"end {job}")[0]
        digits = "".join(lines.split())
        if len(digits) != 2 * len(wanted) * interface.output_type().itemsize:
            raise SystemExit(f"{job}: expected {wanted.size} scores, found: {said.partition(MARK)[2][:2000]}")
        found = interface.read_outputs(bytes.fromhex(digits)).reshape(wanted.shape)
        net, _, runtime_name = job.rpartition("-")
        differ = int(np.count_nonzero(found != wanted))
        yield {"net": net, "runtime": runtime_name, "page_kib": page_kib, "elements": wanted.size, "differ": differ}


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def main() -> None:
    """Writes `results/page_size.json`."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    found = list(rows())
    most = max(row["differ"] for row in found)
    target = Target.most("elements that differ on pages of 16 KiB", "elements", ours=most, at_most=0)
    write_result("page_size", found, {"kernel": KERNEL, "suite": SUITE}, [target])


if __name__ == "__main__":
    main()
