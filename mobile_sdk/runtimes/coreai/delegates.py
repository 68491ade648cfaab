"""Tells whether the delegates that devices compute with are here."""

import platform
import sys

_FIRST_MACOS = 27  # whose own Core AI the package uses


def not_here() -> str | None:
    """Returns why Apple's interpreter computes in place of the delegates, or None if they are here."""
    if sys.platform != "darwin":
        return "off a Mac Apple's interpreter computes Core AI models, not the delegates of devices"
    version = platform.mac_ver()[0]
    if int(version.partition(".")[0] or 0) < _FIRST_MACOS:
        return (
            f"macOS {version} is older than {_FIRST_MACOS}: Apple's interpreter computes, not the delegates of devices"
        )
    return None
