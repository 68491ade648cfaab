"""A user's net held to its int8 program: the reference near the net in float, and both runtimes equal to it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mobile_sdk.contract import ImageSpec
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.data.picture_set import PictureSet, normalised
from tests.support.tiny_nets import CONTRACT, SIZE_PX

PICTURES = np.random.default_rng(0).integers(0, 256, (6, SIZE_PX // 4, SIZE_PX // 4, 3)).repeat(4, 1).repeat(4, 2)
PICTURES = (PICTURES * 0.8 + np.random.default_rng(1).integers(0, 50, PICTURES.shape)).astype(np.uint8)
OPEN_DB = 25.0  # of int8 against the user's net: far above what another net gives, below what these tiny nets lose


def values(image: ImageSpec) -> Tensor:
    return normalised(torch.from_numpy(PICTURES.copy()).permute(0, 3, 1, 2), image).contiguous()


def assert_right(own: nn.Module, contract: Any = CONTRACT) -> Any:
    """Holds the int8 program to the user's net; gives the program and its codes."""
    pictures = PictureSet(sources=tuple(PICTURES), targets=(0,) * len(PICTURES))
    program = quantize(own, contract, pictures, CalibrationPlan.extremes())
    with torch.no_grad():
        wanted = own.eval()(
            normalised(torch.from_numpy(PICTURES.copy()).permute(0, 3, 1, 2), contract.image).contiguous()
        ).numpy()
    wanted = wanted.transpose(0, 2, 3, 1) if wanted.ndim == 4 else wanted
    codes = Reference(program.graph).run(PICTURES)
    grid = program.graph.output.quantization
    found = (codes.astype(np.float64) - grid.zero_point) * grid.scale
    noise, signal = max(np.square(found - wanted).sum(), 1e-12), np.square(wanted).sum()
    assert 10 * np.log10(signal / noise) > OPEN_DB
    return program, codes


def assert_equal_in_runtimes(program: Any, codes: np.ndarray, folder: Path) -> None:
    for runtime in (ExecuTorchRuntime(), TfliteRuntime()):
        path = folder / runtime.model_file
        face = runtime.export(program.graph, program.contract, path)
        assert runtime.structure(path).partitions == 1
        session = runtime.load(path, face, threads=1)
        scores = np.stack([session.run(picture) for picture in PICTURES]).reshape(codes.shape)
        session.close()
        assert np.array_equal(scores, codes), runtime.name
