"""Compares segmenters' cost with the papers' tables, and measures LR-ASPP on composed digits in float and int8.

Run: python -m benchmarks.papers.segmentation

LR-ASPP runs in all runtimes. Training takes some eleven minutes of one core. It leaves checkpoints in
runs/benchmarks/segmentation; after an interruption, the same command resumes.
"""

import copy
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from benchmarks.papers.composed_task import learned, row
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.system.environment import installed_versions
from mobile_sdk.workflow.tasks.segmentation import Segmentation
from qat.nets import count_cost
from qat.nets.segmenters import Head, Segmenter, build_segmenter

OUT = Path("runs/benchmarks/segmentation")
LEAST_OVERLAP = 0.85
VOC = (513, 513)  # DeepLab's pictures have one pixel more than the 512 of the papers, so that centres align
CITYSCAPES, HALF_CITYSCAPES = (1025, 2049), (513, 1025)
BARE = "B multiply-adds of the layers alone, at the papers' size"
SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)  # of "multi-scale and flip": each twice


class Published(NamedTuple):
    """Holds a row of a paper's table: a net, and its cost in millions of parameters and billions of multiply-adds."""

    net: str
    head: Head
    output_stride: int
    parameters_m: float | None
    multiply_adds_b: float
    filters: int = 256
    width: float = 1.0
    halves_tail: bool = False
    many_scales: bool = False
    size_px: tuple[int, int] = CITYSCAPES
    labels: int = 19

    @property
    def title(self) -> str:
        """Returns its name in the results."""
        width = "" if self.width == 1 else f" {self.width:g}"
        tail = ", half of the last block" if self.halves_tail else ""
        scales = ", six scales and flipped" if self.many_scales else ""
        size = f"{self.size_px[0]} × {self.size_px[1]}"
        name = f"{self.head.upper()} {self.filters} on {self.net}{width}"
        return f"{name}, stride {self.output_stride}{tail}, {size}{scales}"


def _voc(net: str, head: Head, stride: int, parameters_m: float, multiply_adds_b: float) -> Published:
    many = stride == 8
    return Published(net, head, stride, parameters_m, multiply_adds_b, many_scales=many, size_px=VOC, labels=21)


TABLES = (
    # MobileNetV2 paper, Table 7: PASCAL VOC, 21 labels; output stride 8 is its "MF", many scales and flipped pictures
    _voc("mobilenet_v1", "aspp", 16, 11.15, 14.25),
    _voc("mobilenet_v1", "aspp", 8, 11.15, 941.9),
    _voc("mobilenet_v2", "aspp", 16, 4.52, 5.8),
    _voc("mobilenet_v2", "aspp", 8, 4.52, 387.0),
    _voc("mobilenet_v2", "r-aspp", 16, 2.11, 2.75),
    _voc("mobilenet_v2", "r-aspp", 8, 2.11, 152.6),
    # MobileNetV3 paper, Table 7: Cityscapes, 19 labels
    Published("mobilenet_v2", "r-aspp", 16, 2.11, 21.29),
    Published("mobilenet_v2", "r-aspp", 16, 1.15, 13.68, halves_tail=True),
    Published("mobilenet_v2", "lr-aspp", 16, 1.02, 12.83, halves_tail=True),
    Published("mobilenet_v2", "lr-aspp", 16, 0.98, 12.57, filters=128, halves_tail=True),
    Published("mobilenet_v3_large", "r-aspp", 16, 3.60, 18.43),
    Published("mobilenet_v3_large", "r-aspp", 16, 1.76, 11.24, halves_tail=True),
    Published("mobilenet_v3_large", "lr-aspp", 16, 1.63, 10.33, halves_tail=True),
    Published("mobilenet_v3_large", "lr-aspp", 16, 1.51, 9.74, filters=128, halves_tail=True),
    Published("mobilenet_v2", "lr-aspp", 16, 0.28, 4.00, filters=128, width=0.5, halves_tail=True),
    Published("mobilenet_v2", "lr-aspp", 16, 0.16, 2.54, filters=128, width=0.35, halves_tail=True),
    Published("mobilenet_v3_small", "lr-aspp", 16, 0.47, 2.90, filters=128, halves_tail=True),
    # MobileNetV3 paper, Table 8: the two that are not in Table 7, and half resolution
    Published("mobilenet_v3_large", "lr-aspp", 32, None, 7.74, filters=128, halves_tail=True),
    Published("mobilenet_v3_small", "lr-aspp", 32, None, 2.06, filters=128, halves_tail=True),
    Published("mobilenet_v3_large", "lr-aspp", 16, None, 2.48, filters=128, halves_tail=True, size_px=HALF_CITYSCAPES),
    Published("mobilenet_v3_large", "lr-aspp", 32, None, 1.98, filters=128, halves_tail=True, size_px=HALF_CITYSCAPES),
    Published("mobilenet_v3_small", "lr-aspp", 16, None, 0.74, filters=128, halves_tail=True, size_px=HALF_CITYSCAPES),
    Published("mobilenet_v3_small", "lr-aspp", 32, None, 0.53, filters=128, halves_tail=True, size_px=HALF_CITYSCAPES),
)


def main() -> None:
    """Counts, trains, calibrates, exports and verifies."""
    quiet()
    rows, targets = counted()
    of_net, judged = learned(Segmentation(), "mIoU", OUT, at_least=LEAST_OVERLAP, lost="the mIoU")
    rows, targets = rows + of_net, targets + judged
    write_result("segmentation", rows, installed_versions(("mobile-sdk", "torch", "torchao")), targets)


def counted() -> tuple[list[dict[str, Any]], list[Target]]:
    """Returns both papers' tables; multiply-adds as TensorFlow counts them."""
    rows, targets = [], []
    for published in TABLES:
        parameters, multiply_adds, bare = cost_of(published)
        figures = [("multiply-adds", "B", published.multiply_adds_b, multiply_adds / 1e9)]
        if published.parameters_m is not None:
            figures.insert(0, ("parameters", "M", published.parameters_m, parameters / 1e6))
        for what, unit, expected, found in figures:
            rows.append(row(published.title, f"{unit} {what}", expected, found))
            work, limit = f"{published.title}: {what}", _limit(published, what)
            targets.append(Target.count(work, unit, published=expected, ours=found, limit=limit))
        rows.append(row(published.title, BARE, published.multiply_adds_b, bare / 1e9))
    return rows, targets


def cost_of(published: Published) -> tuple[int, float, float]:
    """Returns parameters, multiply-adds for all pictures of one answer, and those of `BARE`."""
    net = build_segmenter(
        published.net,
        contract(published.labels),
        head=published.head,
        output_stride=published.output_stride,
        filters=published.filters,
        width=published.width,
        halves_tail=published.halves_tail,
    )
    height, width = published.size_px
    scales, times = (SCALES, 2) if published.many_scales else ((1.0,), 1)
    multiply_adds = bare = 0.0
    for scale in scales:
        side = (round((height - 1) * scale) + 1, round((width - 1) * scale) + 1)
        cost = count_cost(net, side)
        multiply_adds += times * (cost.multiply_adds + by_tensorflow(net, side))
        bare += times * count_cost(net, (side[0] - 1, side[1] - 1)).multiply_adds
    return cost.parameters, multiply_adds, bare


def by_tensorflow(net: Segmenter, size_px: tuple[int, int]) -> float:
    """Returns TensorFlow's count for a net beside the multiply-adds of its layers.

    Atrous convolutions are computed in blocks: a map's pixels are sorted into rate × rate maps that are padded alike
    (`space_to_batch`), so that a side counts as the next multiple of the rate. And h-swish is two products and a sum of
    every element.
    """
    besides = 0.0

    def count_atrous(conv: nn.Module, _: Any, output: torch.Tensor) -> None:
        nonlocal besides
        assert isinstance(conv, nn.Conv2d)
        height, width = output.shape[2:]
        rate = conv.dilation[0]
        positions = -(-height // rate) * rate * -(-width // rate) * rate
        besides += (positions - height * width) * conv.weight.numel()

    def count_swish(_: nn.Module, __: Any, output: torch.Tensor) -> None:
        nonlocal besides
        besides += 3 * output.numel()

    shapes = copy.deepcopy(net).to("meta").eval()
    for module in shapes.modules():
        if isinstance(module, nn.Conv2d) and module.dilation[0] > 1:
            module.register_forward_hook(count_atrous)
        elif isinstance(module, nn.Hardswish):
            module.register_forward_hook(count_swish)
    with torch.no_grad():
        shapes(torch.empty(1, 3, *size_px, device="meta"))
    return besides


def contract(labels: int) -> Contract:
    """Returns a segmenter's contract; its size is not the one that is counted."""
    return Contract(
        name="scenes",
        task="segmentation",
        labels=tuple(f"label {index}" for index in range(labels)),
        image=ImageSpec(size_px=512, fit="stretch"),
    )


def _limit(published: Published, what: str) -> str:
    """Returns why a published figure differs."""
    if what == "parameters" and published.width == 0.35:
        return "the table cuts after two digits (1.159 is its 1.15): 0.169 is its 0.16"
    if what == "multiply-adds" and published.net == "mobilenet_v1" and published.many_scales:
        return "not explained: counted in the same way, V2's two rows are 0.1 % off"
    return ""


if __name__ == "__main__":
    main()
