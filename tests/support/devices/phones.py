"""Two phones and a board to test with: the real adbd and sshd of Debian, in a network namespace of their own.

The real adb and ssh clients enter that network for each call, by wrappers on the path; the code under test stays where
it is. Nothing is installed, and the end of one process is the end of everything.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mobile_sdk.devices.emulated.machine import make_machine
from mobile_sdk.system import debian
from mobile_sdk.system.cache import cache_folder, made_once
from tests.support.child_process import finished, wait_until

AMD64, ARM64 = "127.0.0.1:5555", "10.0.0.2:5555"
BOARD = "root@127.0.0.1"
SUITE = "trixie"
SCRIPT = Path(__file__).with_name("phones.sh")
PACKAGES = {
    "amd64": ("adbd", "adb", "busybox-static", "openssh-server", "openssh-client"),
    "arm64": ("adbd", "busybox-static"),
}
CLIENTS = {"adb": "usr/lib/android-sdk/platform-tools/adb", "ssh": "usr/bin/ssh", "ssh-keygen": "usr/bin/ssh-keygen"}
COMMANDS = ("sh", "ls", "cat", "mkdir", "rm", "chmod", "uname", "tar", "true", "ps", "kill", "sleep", "head")
NAMESPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child")


@dataclass(frozen=True, kw_only=True)
class Phones:
    """The running devices; `path` begins with the folder of the clients' wrappers."""

    process: subprocess.Popen[str]
    clients: Path
    tools: Path

    def tell(self, order: str) -> None:
        """One of phones.sh's orders, carried out when this returns."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def connect(self, address: str) -> None:
        """Waits until adb has the device."""

        def has_it() -> bool:
            self.adb("connect", address)
            return f"{address}\tdevice" in self.adb("devices")

        wait_until(has_it)

    def adb(self, *words: str) -> str:
        """Returns adb's output."""
        return subprocess.run([self.clients / "adb", *words], capture_output=True, text=True, check=False).stdout

    def left(self, address: str) -> str:
        """Files of ours on the device, and processes of ours there."""
        look = "ls /data/local/tmp | grep -v filled; ps | grep runner- | grep -v grep"
        return self.adb("-s", address, "shell", look).strip()

    def inside(self, *command: str) -> list[str]:
        """A command in the devices' network."""
        return ["nsenter", f"--target={self.process.pid}", "--net", *command]

    def within(self, *command: str) -> list[str]:
        """A command that sees the devices' files and processes, too: those of the x86-64 phone below `root`."""
        return self.inside("--mount", f"--pid=/proc/{self.process.pid}/ns/pid_for_children", *command)

    @property
    def root(self) -> Path:
        """The folder of the x86-64 phone's files, as a command `within` sees it."""
        return self.tools / "amd64"


def why_not_here() -> str | None:
    """Why the devices cannot be played here, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux for network namespaces"
    try:
        with user_namespace() as enter:
            done = subprocess.run([*enter, *NAMESPACES, "ip", "link"], capture_output=True, text=True, check=False)
    except OSError as error:  # no such program, or no such right
        return f"this machine allows no namespaces: {error}"
    return None if done.returncode == 0 else f"this machine allows no namespaces: {done.stderr.strip()}"


@contextmanager
def user_namespace() -> Iterator[list[str]]:
    """Yields a command that enters a new user namespace with this one's users, so that binfmt_misc there is its own."""
    own_namespace = Path("/proc/self/ns/user").readlink()
    with subprocess.Popen(["unshare", "--user", "sleep", "infinity"]) as holder:
        try:
            process = Path(f"/proc/{holder.pid}")
            wait_until(lambda: holder.poll() is not None or (process / "ns/user").readlink() != own_namespace)
            for kind in ("uid_map", "gid_map"):
                (process / kind).write_text("0 0 65536", encoding="ascii")
            yield ["nsenter", f"--target={holder.pid}", "--user"]
        finally:
            holder.kill()


@contextmanager
def played(scratch: Path) -> Iterator[Phones]:
    """The devices, for as long as the block runs. MachineError where they cannot be fetched."""
    tools, machine = make_tools(), make_machine(print)
    call = ["bash", str(SCRIPT), str(tools), str(machine.qemu)]
    with user_namespace() as enter:
        command, pipe = [*enter, *NAMESPACES, *call], subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
        assert process.stdout is not None
        first = process.stdout.readline()
    try:
        assert first == "done\n", "phones.sh did not start"
        phones = Phones(process=process, clients=scratch, tools=tools)
        write_clients(phones)
        yield phones
    finally:
        finished(process)


def make_tools() -> Path:
    """The devices' file systems and the clients, fetched into the cache once (about 30 MB)."""
    said = " ".join([SUITE, *PACKAGES["amd64"], *PACKAGES["arm64"], *COMMANDS])
    return made_once(cache_folder() / f"phones-{hashlib.sha256(said.encode()).hexdigest()[:12]}", _make_tools)


def write_clients(phones: Phones) -> None:
    """Wrappers named adb and ssh, which enter the devices' network."""
    key = phones.tools / "amd64/root/client-key"
    options = f"-F /dev/null -i {key} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    for name, words in {"adb": "", "ssh": options}.items():
        text = f'#!/bin/sh\nexec nsenter --target={phones.process.pid} --net {phones.tools / name} {words} "$@"\n'
        (phones.clients / name).write_text(text, encoding="utf-8")
        (phones.clients / name).chmod(0o755)


def _make_tools(folder: Path) -> None:
    host = debian.host_architecture()
    assert host == "amd64", "the devices are an x86-64 one and an emulated arm64 one"
    for architecture, packages in PACKAGES.items():
        root = folder / architecture
        root.mkdir()
        named = [f"{package}:{architecture}" for package in packages]
        for file in debian.fetch_packages(named, suite=SUITE, architectures=[architecture]):
            debian.unpack(file, root)
        _furnish(root)
    libraries = "$root/usr/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu/android"
    for name, program in CLIENTS.items():
        text = (
            f'#!/bin/sh\nroot=$(dirname "$0")/amd64\n'
            f'exec "$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "{libraries}" "$root/{program}" "$@"\n'
        )
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    for key in ("root/client-key", "etc/ssh/ssh_host_ed25519_key"):
        words = ["-q", "-t", "ed25519", "-N", "", "-f", str(folder / "amd64" / key)]
        subprocess.run([folder / "ssh-keygen", *words], check=True)


def _furnish(root: Path) -> None:
    """Makes the files that the packages' own scripts would have made."""
    for name in ("bin", "sbin", "lib", "lib64"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    for name in ("proc", "sys", "dev", "tmp", "root", "data/local/tmp", "run/sshd", "etc/ssh"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in COMMANDS:
        if not (root / "usr/bin" / name).exists():
            (root / "usr/bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text(
        "root:x:0:0::/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\n", encoding="utf-8"
    )
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n", encoding="utf-8")
    (root / "root").chmod(0o700)
