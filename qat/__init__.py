"""Learns: labelled pictures → a float net → a fake-quantized net → one int8 program.

Pictures:  load_folder, load_mnist, load_unlabelled, load_shards, write_shards → Pictures, PictureSet;
           load_box_folder, load_coco_folder, composed_digits; load_mask_folder, composed_masks; synthesise.
Nets:      build_net, list_nets, build_detector, build_segmenter, load_weights, split_blocks.
Training:  fit, fit_detector, fit_segmenter by a TrainPlan, with Distillation → History; pictures are changed by an
           Augmentation, DetectionAugmentation or SegmentationAugmentation;
           evaluate, evaluate_detector, evaluate_segmenter; is_main_process.
Int8:      quantize by a CalibrationPlan does it all; in steps: prepare → FakeQuantNet, calibrate, fit, freeze;
           float_twin: what it is compared with.

Every long call takes `progress`: True, the default, shows it on standard error; False does not; a function is told the
share that is done (0..1) and what is being done.

Names are loaded when they are first used: `import qat` alone loads no torch.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qat.augment import Augmentation
    from qat.block_splitting import split_blocks
    from qat.calibration import calibrate, quantize
    from qat.calibration_plan import CalibrationPlan
    from qat.data import Pictures, load_folder, load_mnist, load_unlabelled
    from qat.detection.augmentation import DetectionAugmentation
    from qat.detection.box_folder import load_box_folder
    from qat.detection.coco_folder import load_coco_folder
    from qat.detection.composed_digits import composed_digits
    from qat.detection.training import evaluate_detector, fit_detector
    from qat.distillation import Distillation
    from qat.freezing import float_twin, freeze
    from qat.history import History
    from qat.launch import is_main_process
    from qat.nets import build_net, list_nets
    from qat.nets.segmenters import build_segmenter
    from qat.nets.ssd import build_detector
    from qat.picture_set import PictureSet
    from qat.plan import TrainPlan
    from qat.preparation import FakeQuantNet, prepare
    from qat.segmentation.augmentation import SegmentationAugmentation
    from qat.segmentation.composed_digits import composed_masks
    from qat.segmentation.folder import load_mask_folder
    from qat.segmentation.training import evaluate_segmenter, fit_segmenter
    from qat.shards import load_shards, write_shards
    from qat.synthesis import synthesise
    from qat.training import evaluate, fit
    from qat.weights import load_weights

_HOMES = {
    "Augmentation": "qat.augment",
    "CalibrationPlan": "qat.calibration_plan",
    "DetectionAugmentation": "qat.detection.augmentation",
    "Distillation": "qat.distillation",
    "FakeQuantNet": "qat.preparation",
    "History": "qat.history",
    "PictureSet": "qat.picture_set",
    "Pictures": "qat.data",
    "SegmentationAugmentation": "qat.segmentation.augmentation",
    "TrainPlan": "qat.plan",
    "build_detector": "qat.nets.ssd",
    "build_net": "qat.nets",
    "build_segmenter": "qat.nets.segmenters",
    "calibrate": "qat.calibration",
    "composed_digits": "qat.detection.composed_digits",
    "composed_masks": "qat.segmentation.composed_digits",
    "evaluate": "qat.training",
    "evaluate_detector": "qat.detection.training",
    "evaluate_segmenter": "qat.segmentation.training",
    "fit": "qat.training",
    "fit_detector": "qat.detection.training",
    "fit_segmenter": "qat.segmentation.training",
    "float_twin": "qat.freezing",
    "freeze": "qat.freezing",
    "is_main_process": "qat.launch",
    "list_nets": "qat.nets",
    "load_box_folder": "qat.detection.box_folder",
    "load_coco_folder": "qat.detection.coco_folder",
    "load_folder": "qat.data",
    "load_mask_folder": "qat.segmentation.folder",
    "load_mnist": "qat.data",
    "load_shards": "qat.shards",
    "load_unlabelled": "qat.data",
    "load_weights": "qat.weights",
    "prepare": "qat.preparation",
    "quantize": "qat.calibration",
    "split_blocks": "qat.block_splitting",
    "synthesise": "qat.synthesis",
    "write_shards": "qat.shards",
}

__all__ = [
    "Augmentation",
    "CalibrationPlan",
    "DetectionAugmentation",
    "Distillation",
    "FakeQuantNet",
    "History",
    "PictureSet",
    "Pictures",
    "SegmentationAugmentation",
    "TrainPlan",
    "build_detector",
    "build_net",
    "build_segmenter",
    "calibrate",
    "composed_digits",
    "composed_masks",
    "evaluate",
    "evaluate_detector",
    "evaluate_segmenter",
    "fit",
    "fit_detector",
    "fit_segmenter",
    "float_twin",
    "freeze",
    "is_main_process",
    "list_nets",
    "load_box_folder",
    "load_coco_folder",
    "load_folder",
    "load_mask_folder",
    "load_mnist",
    "load_shards",
    "load_unlabelled",
    "load_weights",
    "prepare",
    "quantize",
    "split_blocks",
    "synthesise",
    "write_shards",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("mobile-sdk")
    if name not in _HOMES:
        raise AttributeError(f"module 'qat' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__")), "__version__"})
