"""Unpacks Debian packages of any suite and architecture into a folder; it installs nothing and needs no rights.

The mirror and the keyring are the machine's own, and apt checks every signature.
"""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mobile_sdk.errors import MachineError
from mobile_sdk.system.cache import cache_folder, locked
from mobile_sdk.system.commands import run_command

_APT = Path("/etc/apt")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_HINT = "use a Debian machine whose apt-get reaches a mirror, and look at what apt-get update says"


def unavailable() -> str | None:
    """Returns why packages cannot be fetched here, or None."""
    if not _KEYRING.is_file():
        return "this is no Debian machine with apt (its archive keyring is missing)"
    return None


def host_architecture() -> str:
    """Returns Debian's name of this machine's architecture, such as amd64."""
    return run_command(["dpkg", "--print-architecture"], hint=_HINT).strip()


def fetch_packages(packages: Sequence[str], *, suite: str, architectures: Sequence[str]) -> list[Path]:
    """Fetches the .deb files of `packages` (each `name:architecture`) and of all their dependencies.

    Keeps fetched files.
    """
    if reason := unavailable():
        raise MachineError(f"expected Debian packages, found that {reason}", hint=_HINT)
    state = cache_folder() / f"apt-{suite}-{'-'.join(architectures)}"
    for folder in ("lists/partial", "archives/partial", "none/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    (state / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {suite} main\n", encoding="utf-8")
    apt = ["apt-get", "-qq", *_options(state, architectures)]
    nothing_fetched = ["-o", f"Dir::Cache::archives={state / 'none'}"]
    with locked(state.with_name(f"{state.name}.lock")):  # apt refuses to run beside another apt; it does not wait
        run_command([*apt, "update"], hint=_HINT)
        wanted = run_command([*apt, *nothing_fetched, "--print-uris", "install", *packages], hint=_HINT)
        run_command([*apt, "--yes", "--download-only", "install", *packages], hint=_HINT)
    return [state / "archives" / line.split()[1] for line in wanted.splitlines() if line.startswith("'")]


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


def _mirror() -> str:
    """Returns the mirror of Debian's main archive from apt's sources, since apt itself lists none before its update."""
    files = [_APT / "sources.list", *sorted((_APT / "sources.list.d").glob("*"))]
    for file in files:
        if file.suffix in {".list", ".sources"} and file.is_file():
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            words = (word for line in lines if not line.lstrip().startswith("#") for word in line.split())
            if found := next((word for word in words if re.fullmatch(r"[a-z+]+:/.*/debian/?", word)), None):
                return found
    raise MachineError("expected a mirror of Debian in apt's sources, found none", hint=_HINT)


def _options(state: Path, architectures: Sequence[str]) -> list[str]:
    """Returns the settings that make apt work only below `state`."""
    settings = {
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache::archives": state / "archives",
        "Dir::Cache::pkgcache": state / "packages.bin",
        "Dir::Cache::srcpkgcache": state / "sources.bin",
        "APT::Architecture": architectures[0],
        "APT::Architectures": ",".join(architectures),
        "APT::Sandbox::User": "root",  # apt's own user may not enter a home folder
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
