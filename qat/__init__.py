"""Learns: labelled pictures → a float net → a fake-quantized net → one int8 program.

Names are loaded when they are first used: `import qat` alone loads no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qat.block_splitting import split_blocks
    from qat.calibration import calibrate, quantize
    from qat.calibration_plan import CalibrationPlan
    from qat.data import Pictures, load_folder, load_mnist, load_unlabelled
    from qat.distillation import Distillation
    from qat.freezing import float_twin, freeze
    from qat.history import History
    from qat.nets import build_net, list_nets
    from qat.plan import TrainPlan
    from qat.preparation import FakeQuantNet, prepare
    from qat.synthesis import synthesise
    from qat.training import evaluate, fit
    from qat.weights import load_weights

_HOMES = {
    "CalibrationPlan": "qat.calibration_plan",
    "Distillation": "qat.distillation",
    "FakeQuantNet": "qat.preparation",
    "History": "qat.history",
    "Pictures": "qat.data",
    "TrainPlan": "qat.plan",
    "build_net": "qat.nets",
    "calibrate": "qat.calibration",
    "evaluate": "qat.training",
    "fit": "qat.training",
    "float_twin": "qat.freezing",
    "freeze": "qat.freezing",
    "list_nets": "qat.nets",
    "load_folder": "qat.data",
    "load_mnist": "qat.data",
    "load_unlabelled": "qat.data",
    "load_weights": "qat.weights",
    "prepare": "qat.preparation",
    "quantize": "qat.calibration",
    "split_blocks": "qat.block_splitting",
    "synthesise": "qat.synthesis",
}

__all__ = [
    "CalibrationPlan",
    "Distillation",
    "FakeQuantNet",
    "History",
    "Pictures",
    "TrainPlan",
    "build_net",
    "calibrate",
    "evaluate",
    "fit",
    "float_twin",
    "freeze",
    "list_nets",
    "load_folder",
    "load_mnist",
    "load_unlabelled",
    "load_weights",
    "prepare",
    "quantize",
    "split_blocks",
    "synthesise",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'qat' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
