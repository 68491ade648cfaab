"""The runtimes whose bundles are written on this machine: Core AI has no package for Linux on Arm."""

from mobile_sdk import runtimes

WRITTEN_HERE = tuple(name for name in runtimes.names() if runtimes.get(name).unavailable() is None)
