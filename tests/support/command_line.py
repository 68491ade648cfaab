"""`mobile-sdk` as a user runs it: in a process of its own; and a small run of it that many tests share."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.support import child_process

COMMAND = (sys.executable, "-m", "mobile_sdk")
LABELS = ("dark", "left", "right")
CALLERS_OWN = {  # what a terminal, continuous integration or a cluster of the caller's says: help and tables follow it
    *("FORCE_COLOR", "NO_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "LINES"),
    *("TERMINAL_WIDTH", "JUPYTER_COLUMNS", "JUPYTER_LINES", "PYTHONIOENCODING", "RAY_ADDRESS", "ANDROID_SERIAL"),
}
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in CALLERS_OWN},
    "COLUMNS": "100",
    "TERM": "xterm",
    "OMP_NUM_THREADS": "1",  # two that spin on a busy machine are ten times slower
}


@dataclass(frozen=True, kw_only=True)
class Done:
    """Holds the output and the exit code of a finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """All of standard output, which must be one JSON document."""
        return json.loads(self.out)


@dataclass(frozen=True, kw_only=True)
class SmallRun:
    """Holds the files and the output of `train`, `quantize` and `export` for a tiny net and thirty pictures."""

    folder: Path
    said: tuple[Done, ...]

    @property
    def pictures(self) -> str:
        """The folder of labelled pictures."""
        return str(self.folder / "pictures")

    @property
    def program(self) -> str:
        """The int8 program; float.pt2 lies beside it."""
        return str(self.folder / "program.pt2")

    def bundle(self, runtime: str, precision: str = "") -> str:
        """The bundle's folder."""
        return str(self.folder / "bundles" / f"sides{precision}.{runtime}")


SAID = "said.json"
SETTINGS = ("--net", "mobilenet_v3_small", "--width", "0.25", "--size", "32", "--name", "sides", "--epochs", "2")


def mobile_sdk(*arguments: str, cwd: Path | None = None) -> Done:
    """Runs `mobile-sdk` with these arguments to its end."""
    done = child_process.run([*COMMAND, *arguments], cwd=cwd, env=ENVIRONMENT)
    return Done(code=done.returncode, out=done.stdout, err=done.stderr)


def in_terminal(command: list[str], environment: Mapping[str, str] = ENVIRONMENT) -> str:
    """Returns a command's output as a person sees it on a terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment, close_fds=True)
    os.close(slave)
    said = b""
    while True:
        try:
            arrived = os.read(master, 1 << 16)
        except OSError:  # the last process has closed the terminal
            break
        if not arrived:
            break
        said += arrived
    os.close(master)
    assert process.wait() == 0, said.decode()
    return said.decode()


def start(*arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Starts `mobile-sdk` in a session of its own, as a shell starts a job."""
    return child_process.start([*COMMAND, *arguments], cwd=cwd, env=ENVIRONMENT)


def make_small_run(folder: Path) -> None:
    """Trains, quantizes and exports in `folder`, by three commands, and writes down what they said."""
    save_pictures(folder / "pictures")
    data, out = ("--data", str(folder / "pictures")), ("--out", str(folder))
    said = (
        mobile_sdk("train", *data, *SETTINGS, *out, "--json"),
        mobile_sdk("quantize", *data, "--weights", str(folder / "net.safetensors"), "--epochs", "1", *out, "--json"),
        mobile_sdk(
            *("export", str(folder / "program.pt2"), *data, "--float", "--to", "tflite,executorch"),
            *("--out", str(folder / "bundles"), "--json"),
        ),
    )
    for each in said:
        assert each.code == 0, each.err
    (folder / SAID).write_text(json.dumps([asdict(each) for each in said]), encoding="utf-8")


def read_small_run(folder: Path) -> SmallRun:
    """Returns the run that `make_small_run` has left."""
    said = json.loads((folder / SAID).read_text(encoding="utf-8"))
    return SmallRun(folder=folder, said=tuple(Done(**each) for each in said))


def save_pictures(folder: Path, labels: tuple[str, ...] = LABELS, count: int = 10) -> None:
    """`count` small pictures of each label, which differ in where they are bright."""
    random = np.random.default_rng(0)
    for position, label in enumerate(labels):
        (folder / label).mkdir(parents=True)
        for index in range(count):
            rgb = random.integers(0, 90, (40, 40, 3), np.uint8)
            rgb[:, 13 * position : 13 * position + 13] += 120
            Image.fromarray(rgb).save(folder / label / f"{index}.png")
