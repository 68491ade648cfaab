"""The demo app on a played phone: `python played_app.py ROOT AM_CALLS COMMAND…`, in the phone's namespaces.

The phone's `am` appends its words to the file AM_CALLS. Each start with a socket is served on that abstract socket by
COMMAND, the app's own code on a desktop's Java, with ROOT, the folder of the phone's files; a force-stop kills all of
them. Like an app it may read those files below /data/local/tmp alone that anybody may read.
"""

import os
import re
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path


def main(root: str, calls: str, command: list[str]) -> None:
    """Serves until it is killed; prints a line once it listens to `am`."""
    running: list[subprocess.Popen[bytes]] = []
    Path(calls).touch()
    follow = ["tail", "--lines=+1", "--follow", f"--pid={os.getpid()}", calls]
    with subprocess.Popen(follow, stdout=subprocess.PIPE, text=True) as told:
        print("ready", flush=True)
        for line in told.stdout or ():
            if found := re.search(r"^start .*--es socket (\S+)", line):
                threading.Thread(target=serve, args=(found[1], root, command, running), daemon=True).start()
            elif line.startswith("force-stop"):
                for process in running:
                    process.kill()
                running.clear()


def serve(name: str, root: str, command: list[str], running: list[subprocess.Popen[bytes]]) -> None:
    """Answers one connection, as `SessionServer` does."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{name}")
        server.listen()
        connection = server.accept()[0]
    with connection:
        if hidden := why_hidden(Path(root) / "data/local/tmp"):
            connection.sendall(f'{{"error": "BundleError", "message": "EACCES {hidden}", "hint": "chmod"}}\n'.encode())
            return
        running.append(subprocess.Popen([*command, root], stdin=connection, stdout=connection))


def why_hidden(folder: Path) -> str | None:
    """The first thing in the folder that another user may not read, or None."""
    for path in folder.rglob("*"):
        wanted = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
        if path.stat().st_mode & wanted != wanted:
            return path.name
    return None


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
