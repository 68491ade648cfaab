"""Unpacks Debian packages of any suite and architecture into a folder; it installs nothing and needs no rights.

The mirror and the keyring are the machine's own, and apt checks every signature.
"""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mobile_sdk.errors import MachineError
from mobile_sdk.system.cache import locked
from mobile_sdk.system.commands import run_command
from mobile_sdk.system.debian.apt import HINT, apt_folder, options, unavailable

__all__ = ["fetch_alone", "fetch_packages", "host_architecture", "unavailable", "unpack"]


def host_architecture() -> str:
    """Returns Debian's name of this machine's architecture, such as amd64."""
    return run_command(["dpkg", "--print-architecture"], hint=HINT).strip()


def fetch_packages(packages: Sequence[str], *, suite: str, architectures: Sequence[str]) -> list[Path]:
    """Fetches the .deb files of `packages` (each `name:architecture`) and of all their dependencies.

    Keeps fetched files.
    """
    state = apt_folder(suite, architectures)
    apt = ["apt-get", "-qq", *options(state, architectures)]
    nothing_fetched = ["-o", f"Dir::Cache::archives={state / 'none'}"]
    with _updated(state, apt):
        wanted = run_command([*apt, *nothing_fetched, "--print-uris", "install", *packages], hint=HINT)
        run_command([*apt, "--yes", "--download-only", "install", *packages], hint=HINT)
    return _listed(wanted, state)


def fetch_alone(package: str, *, suite: str) -> Path:
    """Fetches the .deb file of a package of this machine's architecture, without its dependencies; keeps it."""
    architectures = [host_architecture()]
    state = apt_folder(suite, architectures)
    apt = ["apt-get", "-qq", *options(state, architectures)]
    with _updated(state, apt):
        wanted = run_command([*apt, "--print-uris", "download", package], hint=HINT)
        run_command([*apt, "download", package], hint=HINT, folder=state / "archives")
    return _listed(wanted, state)[0]


@contextmanager
def _updated(state: Path, apt: Sequence[str]) -> Iterator[None]:
    """Holds apt's files for this process: apt refuses to run beside another apt and does not wait."""
    with locked(state.with_name(f"{state.name}.lock")):
        run_command([*apt, "update"], hint=HINT)
        yield


def _listed(uris: str, state: Path) -> list[Path]:
    return [state / "archives" / line.split()[1] for line in uris.splitlines() if line.startswith("'")]


def unpack(package: Path, folder: Path, *members: str, leave_out: Sequence[str] = ()) -> None:
    """Unpacks a .deb, or only `members` of it (as `./usr/bin/name`), into `folder`, without what `leave_out` matches.

    Patterns are tar's: `*` matches `/` too.
    """
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as source:
        excludes = [f"--exclude={pattern}" for pattern in leave_out]
        tar = ["tar", "-x", "-C", str(folder), "--keep-directory-symlink", "--no-same-owner", *excludes, *members]
        done = subprocess.run(tar, stdin=source.stdout, check=False)
    if done.returncode or source.returncode:
        raise MachineError(f"expected {package.name} to unpack, found it damaged", hint=f"delete {package}, try again")
