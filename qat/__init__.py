"""Trains: labelled pictures → a float net → a fake-quantized net → one int8 program.

Pictures:  load_folder, load_mnist, load_unlabelled, load_arrays, load_shards, write_shards → Pictures,
           PictureSet; load_box_folder, load_coco_folder, composed_digits; load_mask_folder, composed_masks; synthesise.
Nets:      build_net, list_nets, build_detector, build_segmenter, load_weights, split_blocks.
Training:  fit, fit_detector, fit_segmenter by a TrainPlan, with Distillation → History; pictures are changed by an
           Augmentation, DetectionAugmentation or SegmentationAugmentation;
           evaluate, evaluate_detector, evaluate_segmenter; log_to_tensorboard; is_main_process.
Int8:      quantize by a CalibrationPlan does it all; in steps: prepare → FakeQuantNet, calibrate, fit, freeze;
           float_twin is the float net that it is compared with.

Every long call takes `progress`: True, the default, shows it on standard error; False does not; a function is called
with the share that is done (0..1) and what is being done.

Names are loaded when they are first used: `import qat` alone loads no torch.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mobile_sdk.packages import check_qat_is_ours

if TYPE_CHECKING:
    from qat.calibration.calibration import calibrate, quantize
    from qat.calibration.plan import CalibrationPlan
    from qat.calibration.synthesis import synthesise
    from qat.data.arrays import load_arrays
    from qat.data.augmentation.classification import Augmentation
    from qat.data.augmentation.detection import DetectionAugmentation
    from qat.data.augmentation.segmentation import SegmentationAugmentation
    from qat.data.boxes.composed_digits import composed_digits
    from qat.data.boxes.folder import load_box_folder
    from qat.data.boxes.formats.coco import load_coco_folder
    from qat.data.masks.composed_digits import composed_masks
    from qat.data.masks.folder import load_mask_folder
    from qat.data.picture_set import PictureSet
    from qat.data.pictures import Pictures, load_folder, load_mnist, load_unlabelled
    from qat.data.shards.shards import load_shards, write_shards
    from qat.distributed.torchrun import is_main_process
    from qat.event_log import log_to_tensorboard
    from qat.freezing.freezing import float_twin, freeze
    from qat.nets import build_net, list_nets
    from qat.nets.segmenters import build_segmenter
    from qat.nets.ssd import build_detector
    from qat.nets.weights.published import load_weights
    from qat.preparation.block_splitting import split_blocks
    from qat.preparation.fake_quant_net import FakeQuantNet
    from qat.preparation.preparation import prepare
    from qat.tasks.classification.training import evaluate, fit
    from qat.tasks.detection.training import evaluate_detector, fit_detector
    from qat.tasks.segmentation.training import evaluate_segmenter, fit_segmenter
    from qat.training.distillation import Distillation
    from qat.training.history import History
    from qat.training.plan import TrainPlan

_HOMES = {
    "Augmentation": "qat.data.augmentation.classification",
    "CalibrationPlan": "qat.calibration.plan",
    "DetectionAugmentation": "qat.data.augmentation.detection",
    "Distillation": "qat.training.distillation",
    "FakeQuantNet": "qat.preparation.fake_quant_net",
    "History": "qat.training.history",
    "PictureSet": "qat.data.picture_set",
    "Pictures": "qat.data.pictures",
    "SegmentationAugmentation": "qat.data.augmentation.segmentation",
    "TrainPlan": "qat.training.plan",
    "build_detector": "qat.nets.ssd",
    "build_net": "qat.nets",
    "build_segmenter": "qat.nets.segmenters",
    "calibrate": "qat.calibration.calibration",
    "composed_digits": "qat.data.boxes.composed_digits",
    "composed_masks": "qat.data.masks.composed_digits",
    "evaluate": "qat.tasks.classification.training",
    "evaluate_detector": "qat.tasks.detection.training",
    "evaluate_segmenter": "qat.tasks.segmentation.training",
    "fit": "qat.tasks.classification.training",
    "fit_detector": "qat.tasks.detection.training",
    "fit_segmenter": "qat.tasks.segmentation.training",
    "float_twin": "qat.freezing.freezing",
    "freeze": "qat.freezing.freezing",
    "is_main_process": "qat.distributed.torchrun",
    "list_nets": "qat.nets",
    "load_arrays": "qat.data.arrays",
    "load_box_folder": "qat.data.boxes.folder",
    "load_coco_folder": "qat.data.boxes.formats.coco",
    "load_folder": "qat.data.pictures",
    "load_mask_folder": "qat.data.masks.folder",
    "load_mnist": "qat.data.pictures",
    "load_shards": "qat.data.shards.shards",
    "load_unlabelled": "qat.data.pictures",
    "load_weights": "qat.nets.weights.published",
    "log_to_tensorboard": "qat.event_log",
    "prepare": "qat.preparation.preparation",
    "quantize": "qat.calibration.calibration",
    "split_blocks": "qat.preparation.block_splitting",
    "synthesise": "qat.calibration.synthesis",
    "write_shards": "qat.data.shards.shards",
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
    "load_arrays",
    "load_box_folder",
    "load_coco_folder",
    "load_folder",
    "load_mask_folder",
    "load_mnist",
    "load_shards",
    "load_unlabelled",
    "load_weights",
    "log_to_tensorboard",
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
    check_qat_is_ours()
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__")), "__version__"})
