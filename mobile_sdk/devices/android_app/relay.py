"""Passes bytes between this process's standard streams and a demo app: `python -m … SERIAL SOCKET REQUEST`.

SOCKET is this host's end of `adb forward`. It sends REQUEST, a line, then whatever comes. The end of standard input is
the end. If the app closes the connection, it says what Android knows of the app's end, and exits with 1.
"""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from mobile_sdk.devices.android_app.package import PACKAGE

_PATIENCE_S = 60.0  # until the app has started, on a slow phone
_AGAIN_S = 0.2
_CHUNK_BYTES = 1 << 16
_EXIT_S = 10.0
_REASON = re.compile(r"reason=\d+ \((?P<reason>[^=]*)\)(?: subreason=\d+ \([^=]*\))? status=(?P<status>-?\d+)")


def main(arguments: Sequence[str]) -> int:
    """Serves until one of the two ends closes; returns the exit code."""
    serial, path, request = arguments
    connection, first = connect(Path(path), request.encode() + b"\n")
    threading.Thread(target=_send_all, args=(connection,), daemon=True).start()
    os.write(sys.stdout.fileno(), first)
    while arrived := connection.recv(_CHUNK_BYTES) if first else b"":
        _write(arrived)
    print(why_ended(serial), file=sys.stderr)
    return 1


def connect(path: Path, request: bytes, patience_s: float = _PATIENCE_S) -> tuple[socket.socket, bytes]:
    """Returns the connection and the first bytes of the answer to the request; these are empty if the app said nothing.

    adb takes connections before the app does and closes them again, so it is tried until an answer comes.
    """
    deadline_s = time.monotonic() + patience_s
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
            connection.sendall(request)
            first = connection.recv(_CHUNK_BYTES)
        except OSError:
            first = b""
        if first or time.monotonic() > deadline_s:
            return connection, first
        connection.close()
        time.sleep(_AGAIN_S)


def why_ended(serial: str) -> str:
    """Returns what Android says of the app's last end, from 11 on: "the app ended: APP CRASH(NATIVE), status 11"."""
    command = ["adb", "-s", serial, "shell", "-T", f"dumpsys activity exit-info {PACKAGE}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_EXIT_S)
    except (OSError, subprocess.TimeoutExpired):
        return "the app closed the connection"
    found = _REASON.search(done.stdout)
    return f"the app ended: {found['reason']}, status {found['status']}" if found else "the app closed the connection"


def _send_all(connection: socket.socket) -> None:
    while arrived := os.read(sys.stdin.fileno(), _CHUNK_BYTES):
        try:
            connection.sendall(arrived)
        except OSError:
            return  # the other direction tells why
    os._exit(0)


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
