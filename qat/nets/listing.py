"""Lists the nets that are built by name, with their cost, counted from the nets, and what is published of them.

listing.json beside this holds all of it for `mobile-sdk nets`, which loads no PyTorch; write it anew with
python -c 'import qat.nets.listing as listing; print(listing.as_json())' > qat/nets/listing.json
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from mobile_sdk.contract import Contract, DetectionSpec, ImageSpec, Task
from qat.capture.net_copy import is_reparameterisable, reparameterised
from qat.nets.cost import count_cost
from qat.nets.registry import Family, families
from qat.nets.segmenters import build_segmenter
from qat.nets.ssd import build_detector

_SSDLITE = "SSDLite: Sandler et al. 2018, arXiv 1801.04381"
_LR_ASPP = "LR-ASPP: Howard et al. 2019, arXiv 1905.02244"
# Average precision of SSDLite on COCO: MobileNetV3 paper, Table 6.
_DETECTORS = {
    "mobilenet_v1": 0.222,
    "mobilenet_v2": 0.221,
    "mobilenet_v3_large": 0.220,
    "mobilenet_v3_small": 0.161,
    "mobilenet_v3_large_full": 0.220,
    "mobilenet_v3_small_full": 0.160,
}
# mIoU of LR-ASPP with 128 filters at output stride 16 on Cityscapes: MobileNetV3 paper, Table 7, rows 4, 8 and 11.
_SEGMENTERS = {
    "mobilenet_v1": None,
    "mobilenet_v2": 0.7274,
    "mobilenet_v3_large": 0.7236,
    "mobilenet_v3_small": 0.6838,
}


@dataclass(frozen=True, kw_only=True)
class NetEntry:
    """Describes a net that is built by name, and its cost at width 1.0 for `labels` labels and pictures of `size_px`.

    `size_px` is that of the published quality, which is None if none is published: the `measure` (0..1) of the float
    net. The cost of a net that is trained as branches is that of its re-parameterised form.
    """

    name: str
    task: Task
    paper: str
    size_px: int | tuple[int, int]
    labels: int
    params_m: float
    madds_m: float
    measure: str
    quality: float | None


def list_nets() -> tuple[NetEntry, ...]:
    """Lists every net that `build_net` builds, in a second or two: only shapes are computed."""
    return tuple(_classifier(name, family) for name, family in families().items())


def list_detectors() -> tuple[NetEntry, ...]:
    """Lists SSDLite on every backbone of `build_detector`, for COCO's 90 labels at 320 px."""
    return tuple(_detector(name, precision) for name, precision in _DETECTORS.items())


def list_segmenters() -> tuple[NetEntry, ...]:
    """Lists LR-ASPP on every backbone of `build_segmenter`, for Cityscapes' 19 labels at 1024 × 2048 px."""
    return tuple(_segmenter(name, overlap) for name, overlap in _SEGMENTERS.items())


def as_json() -> str:
    """Returns the three lists as the JSON that listing.json holds."""
    entries = (*list_nets(), *list_detectors(), *list_segmenters())
    return json.dumps([asdict(entry) for entry in entries], indent=1)


def _classifier(name: str, family: Family) -> NetEntry:
    with torch.device("meta"):
        net = family.build(1000)
    return _entry(
        reparameterised(net) if is_reparameterisable(net) else net,
        name=name,
        task="classification",
        paper=family.paper,
        size_px=family.size_px,
        labels=1000,
        measure="ImageNet top-1",
        quality=family.top1_accuracy,
    )


def _detector(name: str, precision: float | None) -> NetEntry:
    image = ImageSpec(size_px=320, fit="stretch")
    contract = Contract(name=name, task="detection", labels=_numbered(90), image=image, detection=DetectionSpec())
    return _entry(
        build_detector(name, contract),
        name=name,
        task="detection",
        paper=_SSDLITE,
        size_px=image.size_px,
        labels=len(contract.labels),
        measure="COCO AP",
        quality=precision,
    )


def _segmenter(name: str, overlap: float | None) -> NetEntry:
    image = ImageSpec(size_px=(1024, 2048), fit="stretch")
    contract = Contract(name=name, task="segmentation", labels=_numbered(19), image=image)
    return _entry(
        build_segmenter(name, contract),
        name=name,
        task="segmentation",
        paper=_LR_ASPP,
        size_px=image.size_px,
        labels=len(contract.labels),
        measure="Cityscapes mIoU",
        quality=overlap,
    )


def _entry(net: nn.Module, *, size_px: int | tuple[int, int], **told: Any) -> NetEntry:
    cost = count_cost(net, size_px)
    return NetEntry(size_px=size_px, params_m=cost.parameters / 1e6, madds_m=cost.multiply_adds / 1e6, **told)


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))
