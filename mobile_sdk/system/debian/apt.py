"""Lets apt work in a folder of its own, with the mirror and the keyring of this machine."""

import re
from collections.abc import Sequence
from pathlib import Path

from mobile_sdk.errors import MachineError
from mobile_sdk.system.cache import cache_folder

HINT = "use a Debian machine whose apt-get reaches a mirror, and look at what apt-get update says"
_APT = Path("/etc/apt")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def unavailable() -> str | None:
    """Returns why packages cannot be fetched here, or None."""
    if not _KEYRING.is_file():
        return "this is no Debian machine with apt (its archive keyring is missing)"
    return None


def apt_folder(suite: str, architectures: Sequence[str]) -> Path:
    """Returns the folder of apt's own files for a suite, with all that it looks for. Raises MachineError."""
    if reason := unavailable():
        raise MachineError(f"expected Debian packages, found that {reason}", hint=HINT)
    state = cache_folder() / f"apt-{suite}-{'-'.join(architectures)}"
    for folder in ("lists/partial", "archives/partial", "none/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    (state / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {suite} main\n", encoding="utf-8")
    return state


def options(state: Path, architectures: Sequence[str]) -> list[str]:
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


def _mirror() -> str:
    """Returns the mirror of Debian's main archive from apt's sources, since apt itself lists none before its update."""
    files = [_APT / "sources.list", *sorted((_APT / "sources.list.d").glob("*"))]
    for file in files:
        if file.suffix in {".list", ".sources"} and file.is_file():
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            words = (word for line in lines if not line.lstrip().startswith("#") for word in line.split())
            if found := next((word for word in words if re.fullmatch(r"[a-z+]+:/.*/debian/?", word)), None):
                return found
    raise MachineError("expected a mirror of Debian in apt's sources, found none", hint=HINT)
