"""Builds public nets by the names of their packages, with random weights: `timm/mobilenetv2_100`, `smp/Unet-…`.

A mark in brackets says what is taken of the net: `[out]` or `[logits]` one of its named outputs, `[export]` and
`[raw maps]` the form of a YOLO, `[reparameterised]` its branches fused by its package.
"""

import contextlib
import importlib
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.coverage.handwritten import HANDWRITTEN

PACKAGES = (
    *("timm", "torchvision", "pytorchcv", "segmentation_models_pytorch", "geffnet", "ultralytics", "transformers"),
    *("efficientnet_lite_pytorch", "facenet_pytorch", "mcunet", "mobileone_pytorch"),
)
_MISSING_OPERATORS = ("nms", "qnms")


def import_packages() -> None:
    """Imports what is installed; torchvision without its compiled operators, if they are for another torch."""
    with warnings.catch_warnings(), contextlib.suppress(ImportError):
        warnings.simplefilter("ignore")
        try:
            importlib.import_module("torchvision")
        except RuntimeError:  # "operator torchvision::nms does not exist"
            global _library  # noqa: PLW0603 - the operators live as long as it does
            _library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
            for name in _MISSING_OPERATORS:
                _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    for name in PACKAGES:
        with warnings.catch_warnings(), contextlib.suppress(ImportError):
            warnings.simplefilter("ignore")
            importlib.import_module(name)


_library: Any = None


def build(listed_name: str, side_px: int) -> nn.Module:
    """Returns the net in eval(); raises what its package raises, ImportError where it is not installed."""
    package, _, rest = listed_name.partition("/")
    name, _, mark = rest.partition("[")
    net: nn.Module = _BUILDERS[package](name, mark.rstrip("]"), side_px)
    return net.eval()


class Taken(nn.Module):
    """Returns one of the named outputs of a net."""

    def __init__(self, net: nn.Module, name: str) -> None:
        super().__init__()
        self.net, self.name = net, name

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output."""
        taken: Tensor = self.net(x)[self.name]
        return taken


def _timm(name: str, mark: str, side_px: int) -> nn.Module:
    import timm  # type: ignore[import-not-found]
    from timm.utils.model import reparameterize_model  # type: ignore[import-not-found]

    net = timm.create_model(name, pretrained=False)
    return reparameterize_model(net) if mark == "reparameterised" else net  # type: ignore[no-any-return]


def _torchvision(name: str, mark: str, side_px: int) -> nn.Module:
    from torchvision import models  # type: ignore[import-not-found]

    room = models.quantization if name.startswith("quantizable_") else models
    known = {"weights": None, "weights_backbone": None, "init_weights": False}
    plain = name.removeprefix("quantizable_")
    maker = getattr(room, plain, None) or getattr(models.segmentation, plain)
    extra = {"weights_backbone"} if hasattr(models.segmentation, plain) else set()
    extra |= {"init_weights"} if plain in ("googlenet", "inception_v3") else set()
    net: nn.Module = maker(**{key: value for key, value in known.items() if key == "weights" or key in extra})
    return Taken(net, mark) if mark else net


def _pytorchcv(name: str, mark: str, side_px: int) -> nn.Module:
    from pytorchcv.model_provider import get_model  # type: ignore[import-not-found]

    if not name.endswith("_cityscapes"):
        return get_model(name, pretrained=False)  # type: ignore[no-any-return]
    sizes = {"in_size": (side_px, side_px), "fixed_size": True}
    return get_model(name, pretrained=False, num_classes=19, aux=False, **sizes)  # type: ignore[no-any-return]


def _geffnet(name: str, mark: str, side_px: int) -> nn.Module:
    import geffnet  # type: ignore[import-not-found]

    return geffnet.create_model(name, pretrained=False)  # type: ignore[no-any-return]


def _smp(name: str, mark: str, side_px: int) -> nn.Module:
    import segmentation_models_pytorch as smp  # type: ignore[import-not-found]

    form, _, encoder = name.partition("-")
    classes = 1 if encoder.endswith("-1class") else 5
    maker: Any = getattr(smp, form)
    net: nn.Module = maker(encoder.removesuffix("-1class"), encoder_weights=None, classes=classes)
    return net


def _ultralytics(name: str, mark: str, side_px: int) -> nn.Module:
    from ultralytics import YOLO  # type: ignore[import-not-found]

    net: nn.Module = YOLO(f"{name}.yaml", verbose=False).model.float().eval()
    head = list(net.model)[-1]  # type: ignore[arg-type]
    if mark == "backbone+classifier":
        return nn.Sequential(*list(net.model)[:10], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(10))  # type: ignore[arg-type]
    for module in net.modules():
        if hasattr(module, "export"):
            module.export, module.format = True, "tflite"
    if mark == "raw maps":
        head.forward = lambda maps: [torch.cat((head.cv2[i](x), head.cv3[i](x)), 1) for i, x in enumerate(maps)]
    return net


def _transformers(name: str, mark: str, side_px: int) -> nn.Module:
    import transformers as hf  # type: ignore[import-not-found]

    made: dict[str, Callable[[], nn.Module]] = {
        "EfficientNet-b0": lambda: hf.EfficientNetForImageClassification(
            hf.EfficientNetConfig(
                width_coefficient=1.0,
                depth_coefficient=1.0,
                hidden_dim=1280,
                num_labels=100,
                initializer_range=0.2,  # of 0.02, maps vanish beside the batch norms' epsilon of 0.001
            )
        ),
        "MobileNetV1": lambda: hf.MobileNetV1ForImageClassification(hf.MobileNetV1Config(num_labels=100)),
        "ResNet-18": lambda: hf.ResNetForImageClassification(
            hf.ResNetConfig(
                embedding_size=64,
                hidden_sizes=[64, 128, 256, 512],
                depths=[2, 2, 2, 2],
                layer_type="basic",
                num_labels=100,
            )
        ),
        "MobileNetV2-DeepLabV3+": lambda: hf.MobileNetV2ForSemanticSegmentation(hf.MobileNetV2Config(num_labels=21)),
        "SegFormer-b0": lambda: hf.SegformerForSemanticSegmentation(hf.SegformerConfig(num_labels=21)),
    }
    return Taken(made[name](), mark)


def _efficientnet_lite(name: str, mark: str, side_px: int) -> nn.Module:
    from efficientnet_lite_pytorch import EfficientNet, get_model_params  # type: ignore[import-untyped]

    net: nn.Module = EfficientNet(*get_model_params(f"efficientnet-{name}", None))
    return net


def _facenet(name: str, mark: str, side_px: int) -> nn.Module:
    import facenet_pytorch  # type: ignore[import-not-found]

    net: nn.Module = getattr(facenet_pytorch, name)(pretrained=False if name == "PNet" else None)
    return net


def _mcunet(name: str, mark: str, side_px: int) -> nn.Module:
    from mcunet.tinynas.nn.networks import ProxylessNASNets  # type: ignore[import-not-found]

    def block(before: int, after: int, stride: int, expand: int, kernel: int) -> dict[str, Any]:
        layer = {"in_channels": before, "out_channels": after, "kernel_size": kernel, "stride": stride}
        layer |= {"name": "MBInvertedConvLayer", "expand_ratio": expand, "mid_channels": None, "act_func": "relu6"}
        shortcut = None
        if before == after and stride == 1:
            shortcut = {"name": "IdentityLayer", "in_channels": [before], "out_channels": [before]}
            shortcut |= {"use_bn": False, "act_func": None, "dropout_rate": 0, "ops_order": "weight_bn_act"}
        return {"name": "MobileInvertedResidualBlock", "mobile_inverted_conv": layer, "shortcut": shortcut}

    first = {"name": "ConvLayer", "kernel_size": 3, "stride": 2, "in_channels": 3, "out_channels": 16}
    first |= {"dilation": 1, "groups": 1, "bias": False, "has_shuffle": False, "use_bn": True, "act_func": "relu6"}
    last = {"name": "LinearLayer", "in_features": 96, "out_features": 1000, "bias": True, "use_bn": False}
    last |= {"act_func": None, "dropout_rate": 0, "ops_order": "weight_bn_act"}
    table = ((16, 8, 1, 1, 3), (8, 16, 2, 3, 7), (16, 16, 1, 4, 3), (16, 40, 2, 4, 5), (40, 48, 1, 5, 5))
    table += ((48, 96, 2, 5, 7), (96, 96, 1, 4, 3))
    config = {"name": "ProxylessNASNets", "bn": {"momentum": 0.1, "eps": 1e-5}, "first_conv": first}
    config |= {"blocks": [block(*row) for row in table], "feature_mix_layer": None, "classifier": last}
    net: nn.Module = ProxylessNASNets.build_from_config(config)
    return net


def _mobileone(name: str, mark: str, side_px: int) -> nn.Module:
    import mobileone_pytorch  # type: ignore[import-not-found]

    net: nn.Module = getattr(mobileone_pytorch, f"mobileone_{name}")()
    return net


def _handwritten(name: str, mark: str, side_px: int) -> nn.Module:
    return HANDWRITTEN[name]()


_BUILDERS: dict[str, Callable[[str, str, int], nn.Module]] = {
    "timm": _timm,
    "torchvision": _torchvision,
    "pytorchcv": _pytorchcv,
    "geffnet": _geffnet,
    "smp": _smp,
    "ultralytics": _ultralytics,
    "transformers": _transformers,
    "efficientnet_lite_pytorch": _efficientnet_lite,
    "facenet_pytorch": _facenet,
    "mcunet": _mcunet,
    "mobileone_pytorch": _mobileone,
    "handwritten": _handwritten,
}
