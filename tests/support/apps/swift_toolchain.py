"""Debian's Swift toolchain in a folder of the cache, and its programs run with that folder as their root.

Nothing is installed: the packages are unpacked, less what only debuggers, editors and other targets need. Swift needs a
newer C library than this machine may have, hence a root of its own, in a mount namespace that ends with the program.
"""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mobile_sdk.errors import MachineError
from mobile_sdk.system import debian
from mobile_sdk.system.cache import Say, cache_folder, made_once
from mobile_sdk.system.commands import run_command
from tests.support import child_process

SUITE = "trixie"  # Swift 6.0.3
PACKAGE, FIXTURES, BUILD, STUBS = "/package", "/fixtures", "/build", "/stubs"
MOUNT_POINTS = (PACKAGE, FIXTURES, BUILD, STUBS)
"""Where folders of this machine can be put."""

_PACKAGES = ("swiftlang", "libc6-dev", "libgcc-14-dev")
_NOT_NEEDED = (
    "gcc-14-",
    "cpp-14-",
    "perl",
    "libpython3.13",
    "libasan8",
    "libtsan2",
    "liblsan0",
    "libhwasan0",
    "debconf",
)
"""Packages that only gcc's own compiler, debuggers and sanitizers use."""
_LEFT_OUT = (
    *(
        "./usr/share/*",
        "*.swiftdoc",
        "*/swift_static/*",
        "*/embedded/*",
        "*/FrameworkABIBaseline/*",
        "*/clang/17/lib/*",
    ),
    *("*lldb*", "*sourcekit*", "*libLTO*", "*/bin/clangd", "*/bin/docc", "*/bin/llvm-*", "*InternalSwiftScan*"),
    "*swift-backtrace*",
)
_ENTER = """
set -e
root=$1; shift
mount -t proc proc "$root/proc"; mount --rbind /dev "$root/dev"; mount -t tmpfs tmpfs "$root/tmp"
while [ "$1" != -- ]; do mount --bind "$1" "$root$2"; shift 2; done
shift
exec unshare --root="$root" --wd=/package "$@"
"""


@dataclass(frozen=True, kw_only=True)
class SwiftToolchain:
    """A folder that holds a small system with Swift's compiler, package manager and formatter."""

    root: Path

    def run(
        self, *command: str, folders: Mapping[str, Path], environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program of the toolchain in `PACKAGE`, with `folders` mounted; its output comes as one text."""
        mounts = [word for place, folder in folders.items() for word in (str(folder), place)]
        enter = ("unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "sh", str(self.root))
        return child_process.run(
            [*enter, *mounts, "--", *command],
            stderr=subprocess.STDOUT,
            env={"PATH": f"/usr/libexec/swift/bin:{os.environ['PATH']}", "HOME": "/tmp", **(environment or {})},
        )


def make_toolchain(say: Say) -> SwiftToolchain:
    """The toolchain, made first where it is missing (500 MB are fetched, 0.8 GB stay). MachineError with the reason."""
    if reason := _why_not_here():
        raise MachineError(f"expected a Swift toolchain, found that {reason}", hint="use a Debian machine, as root")
    packages = [f"{name}:{debian.host_architecture()}" for name in _PACKAGES]
    digest = hashlib.sha256(" ".join([SUITE, *packages, *_LEFT_OUT, *_NOT_NEEDED]).encode()).hexdigest()[:12]
    folder = cache_folder() / f"swift-{digest}"
    return SwiftToolchain(root=made_once(folder, lambda unfinished: _make(unfinished, packages, say)))


def _why_not_here() -> str | None:
    if reason := debian.unavailable():
        return reason
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "this is not root, who alone may give a program another root"
    try:
        run_command(["unshare", "--mount", "true"], hint="use a machine with mount namespaces")
    except MachineError as error:
        return f"this machine has no mount namespaces: {error.message}"
    return None


def _make(root: Path, packages: list[str], say: Say) -> None:
    say("Swift: fetching Debian's toolchain")
    for package in debian.fetch_packages(packages, suite=SUITE, architectures=[debian.host_architecture()]):
        if not package.name.startswith(_NOT_NEEDED):
            debian.unpack(package, root, leave_out=_LEFT_OUT)
    for name in ("bin", "lib", "lib64", "sbin"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    for place in (*MOUNT_POINTS, "/proc", "/dev", "/tmp"):
        (root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
