"""Runs MediaPipe, and Arm's compiler for NPUs, in an environment of their own: they bring OpenCV, as others do."""

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.system.cache import Say, cache_folder, made_environment

REQUIREMENTS = ("mediapipe==1.2.3", "ethos-u-vela==5.2.0", "numpy==2.4.6")
_TASKS = Path(__file__).with_name("mediapipe_tasks.py")


@dataclass(frozen=True, kw_only=True)
class GoogleTools:
    """Runs both by the environment's Python."""

    python: Path

    def answers(self, task: str, model: Path, pictures: NDArray[np.uint8], folder: Path) -> list[Any]:
        """MediaPipe's task answers for every picture (N, H, W, 3), or with [why it refuses the model]."""
        np.save(folder / "pictures.npy", pictures)
        said = subprocess.run(
            [self.python, "-I", _TASKS, task, model, folder / "pictures.npy"],
            capture_output=True,
            text=True,
            check=True,
            env={"GLOG_minloglevel": "2"},
        )
        found: list[Any] = json.loads(said.stdout)
        return found

    def operators_on(self, model: Path, folder: Path) -> Mapping[str, int]:
        """The number of operators of a model that vela, for an Ethos-U55, leaves to the CPU and puts on the NPU."""
        vela = ["-m", "ethosu.vela", "--accelerator-config", "ethos-u55-128", "--output-dir", folder, model]
        said = subprocess.run([self.python, "-I", *vela], capture_output=True, text=True, check=True).stdout
        return {place: int(count) for place, count in re.findall(r"(CPU|NPU) operators = (\d+)", said)}


def make_google_tools(say: Say) -> GoogleTools:
    """Returns the tools; about 150 MB are fetched at first."""
    return GoogleTools(python=made_environment(cache_folder() / "google-tools-1", REQUIREMENTS, say))
