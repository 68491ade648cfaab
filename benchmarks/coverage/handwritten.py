"""Defines small nets as people write them by hand for phones, under their names in the list."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.core.public_nets import Written, conv, ds_cnn, inverted, pooled, separable
from mobile_sdk.contract import Contract, ImageSpec
from qat.nets import build_net


def yamnet() -> nn.Module:
    """Returns a MobileNetV1 on 96 frames of 64 mel bands, with YAMNet's 521 sigmoids."""
    widths = ((32, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 512, 2), (512, 512, 1))
    body = (conv(1, 32, 3, 2), *(separable(*row) for row in widths))
    return nn.Sequential(*body, pooled(512, 521), nn.Sigmoid())


def yolo(act: Any, mode: str) -> nn.Module:
    """Returns a small detector with two maps of scores, after a pyramid that resizes by `mode`."""

    def forward(self: Any, x: Tensor) -> list[Tensor]:
        near = self.near(x)
        far = self.far(near)
        joined = torch.cat([F.interpolate(self.across(far), scale_factor=2, mode=mode), near], 1)
        return [self.of_near(joined), self.of_far(far)]

    near = nn.Sequential(*(conv(*row, 3, 2, act=act) for row in ((3, 16), (16, 32), (32, 64))))
    heads = {"of_near": nn.Conv2d(64 + 32, 24, 1), "of_far": nn.Conv2d(64, 24, 1)}
    return Written(forward, near=near, far=conv(64, 64, 3, 2, act=act), across=conv(64, 32, 1, act=act), **heads)


def yolo_vector() -> nn.Module:
    """Returns a detector's body with spatial pyramid pooling, and one vector."""

    def pyramid(self: Any, x: Tensor) -> Tensor:
        parts = [self.reduce(x)]
        for _ in range(3):
            parts.append(F.max_pool2d(parts[-1], 5, 1, 2))
        joined: Tensor = self.join(torch.cat(parts, 1))
        return joined

    swish = nn.Hardswish
    body = [conv(*row, 3, 2, act=swish) for row in ((3, 16), (16, 32), (32, 64), (64, 64))]
    spp = Written(pyramid, reduce=conv(64, 32, 1, act=swish), join=conv(128, 64, 1, act=swish))
    return nn.Sequential(*body, spp, pooled(64, 24))


def mcunet_vww() -> nn.Module:
    """Returns inverted bottlenecks with a mean over one axis after the other."""
    rows = ((16, 8, 1, 1), (8, 16, 2, 3), (16, 16, 1, 4), (16, 24, 2, 4), (24, 40, 2, 4), (40, 40, 1, 5))
    body = nn.Sequential(conv(3, 16, 3, 2, act=nn.ReLU6), *(inverted(*row) for row in rows))
    return Written(lambda self, x: self.head(self.body(x).mean(3).mean(2)), body=body, head=nn.Linear(40, 2))


def crnn() -> nn.Module:
    """Returns a text reader: convolutions that leave one row, and a linear layer for each column."""

    def forward(self: Any, x: Tensor) -> Tensor:
        rows: Tensor = self.head(self.body(x).mean(2).permute(0, 2, 1))
        return rows

    body = nn.Sequential(conv(3, 32), nn.MaxPool2d(2), conv(32, 64), nn.MaxPool2d(2), conv(64, 128))
    return Written(forward, body=body, head=nn.Linear(128, 37))


def oblong() -> nn.Module:
    """Returns inverted bottlenecks for pictures that are wider than high."""
    rows = ((16, 16), (16, 24, 2), (24, 24), (24, 40, 2), (40, 40))
    return nn.Sequential(conv(3, 16, 3, 2, act=nn.ReLU6), *(inverted(*row) for row in rows), pooled(40, 10))


def mobilenet(labels: int) -> nn.Module:
    """Returns the project's MobileNetV3-Small."""
    names = tuple(f"l{index}" for index in range(max(labels, 2)))
    net = build_net("mobilenet_v3_small", Contract(name="n", labels=names, image=ImageSpec(size_px=128)))
    if labels < 2:
        *_, (path, last) = ((path, part) for path, part in net.named_modules() if isinstance(part, nn.Linear))
        parent, _, name = path.rpartition(".")
        setattr(net.get_submodule(parent), name, nn.Linear(last.in_features, labels))
    return net


def normalising() -> nn.Module:
    """Returns a net that normalises its pictures itself."""
    net = Written(lambda self, x: self.net((x - self.mean) / self.std), net=mobilenet(10))
    net.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1))
    net.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1))
    return net


def two_heads() -> nn.Module:
    """Returns a net that tells age and sex."""
    rows = ((16, 16), (16, 24, 2), (24, 40, 2), (40, 40))
    body = nn.Sequential(conv(3, 16, 3, 2, act=nn.Hardswish), *(inverted(*row, act=nn.Hardswish) for row in rows))
    flat = nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    heads = {"age": nn.Linear(40, 7), "sex": nn.Linear(40, 2)}
    return Written(lambda self, x: [head(self.flat(x)) for head in (self.age, self.sex)], flat=flat, **heads)


def lenet() -> nn.Module:
    """Returns LeNet-5 with ReLU, for grey pictures of 28 pixels."""
    body = (nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2))
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.Linear(84, 10))


def blaze_block(before: int, after: int, stride: int, act: Any) -> nn.Module:
    """Returns BlazeFace's block (arXiv 1907.05047): the shortcut is pooled, and its channels padded with zeros."""

    def forward(self: Any, x: Tensor) -> Tensor:
        short = F.max_pool2d(x, stride) if stride > 1 else x
        added: Tensor = self.act(self.body(x) + F.pad(short, (0, 0, 0, 0, 0, after - before)))
        return added

    depthwise = nn.Conv2d(before, before, 5, stride, 2, groups=before)
    return Written(forward, body=nn.Sequential(depthwise, nn.Conv2d(before, after, 1)), act=act())


def blaze(act: Any) -> nn.Module:
    """Returns BlazeFace's body: 3 × 128 × 128 → 88 × 16 × 16."""
    rows = ((24, 24, 1), (24, 28, 1), (28, 32, 2), (32, 48, 1), (48, 88, 2))
    return nn.Sequential(nn.Conv2d(3, 24, 5, 2, 2), act(), *(blaze_block(*row, act) for row in rows))


def blaze_face() -> nn.Module:
    """Returns BlazeFace, with 896 anchors' boxes and scores."""

    def forward(self: Any, x: Tensor) -> list[Tensor]:
        near = self.body(x)
        far = self.down(near)
        results = []
        for width, heads in ((16, (self.boxes_near, self.boxes_far)), (1, (self.near, self.far))):
            maps = [head(m).permute(0, 2, 3, 1).reshape(len(x), -1, width) for head, m in zip(heads, (near, far))]  # noqa: B905
            results.append(torch.cat(maps, 1))
        return results

    heads = {"boxes_near": nn.Conv2d(88, 32, 1), "boxes_far": nn.Conv2d(96, 96, 1)}
    heads |= {"near": nn.Conv2d(88, 2, 1), "far": nn.Conv2d(96, 6, 1)}
    return Written(forward, body=blaze(nn.PReLU), down=blaze_block(88, 96, 2, nn.PReLU), **heads)


def mobile_face_net() -> nn.Module:
    """Returns MobileFaceNet's design (Chen et al., arXiv 1804.07573): PReLU, a global depthwise layer, unit length."""

    def act(width: int) -> nn.Module:
        return nn.PReLU(width)

    stem = nn.Sequential(conv(3, 32, 3, 2, act=nn.Identity), act(32), conv(32, 32, 3, 1, 32, nn.Identity), act(32))
    rows = ((32, 32, 2), (32, 48, 2), (48, 48, 1), (48, 64, 2))
    body = nn.Sequential(stem, *(inverted(*row, 2, nn.PReLU) for row in rows))
    last = nn.Sequential(nn.Conv2d(64, 64, 7, groups=64), nn.BatchNorm2d(64), nn.Conv2d(64, 128, 1), nn.Flatten())
    return Written(lambda self, x: F.normalize(self.last(self.body(x))), body=body, last=last)


def heatmaps(mode: str) -> nn.Module:
    """Returns a net of 17 heatmaps at a quarter of the side, after a pyramid that resizes by `mode`."""

    def forward(self: Any, x: Tensor) -> Tensor:
        quarter = self.quarter(x)
        eighth = self.eighth(quarter)
        top = self.across8(eighth) + F.interpolate(self.sixteenth(eighth), scale_factor=2, mode=mode)
        maps: Tensor = self.head(self.across4(quarter) + F.interpolate(top, scale_factor=2, mode=mode))
        return maps

    quarter = nn.Sequential(conv(3, 16, 3, 2, act=nn.ReLU6), inverted(16, 24, 2))
    parts = {"eighth": inverted(24, 32, 2), "sixteenth": nn.Sequential(inverted(32, 64, 2), nn.Conv2d(64, 24, 1))}
    parts |= {"across8": nn.Conv2d(32, 24, 1), "across4": nn.Conv2d(24, 24, 1)}
    return Written(forward, quarter=quarter, head=nn.Sequential(separable(24, 24), nn.Conv2d(24, 17, 1)), **parts)


def u_net() -> nn.Module:
    """Returns a small U-Net that resizes by repeating pixels."""

    def forward(self: Any, x: Tensor) -> Tensor:
        first = self.first(x)
        second = self.second(F.max_pool2d(first, 2))
        third = self.third(F.max_pool2d(second, 2))
        second = self.up2(torch.cat([F.interpolate(third, scale_factor=2), second], 1))
        scores: Tensor = self.head(self.up1(torch.cat([F.interpolate(second, scale_factor=2), first], 1)))
        return scores

    down = {"first": conv(3, 16), "second": conv(16, 32), "third": conv(32, 64)}
    return Written(forward, **down, up2=conv(96, 32), up1=conv(48, 16), head=nn.Conv2d(16, 4, 1))


def espcn(act: Any) -> nn.Module:
    """Returns ESPCN (Shi et al., arXiv 1609.05158), which doubles the sides by a pixel shuffle."""
    layers = (nn.Conv2d(3, 64, 5, padding=2), act(), nn.Conv2d(64, 32, 3, padding=1), act())
    return nn.Sequential(*layers, nn.Conv2d(32, 12, 3, padding=1), nn.PixelShuffle(2))


HANDWRITTEN: Mapping[str, Callable[[], nn.Module]] = {
    "DS-CNN keyword spotting (1 x 49 x 10)": ds_cnn,
    "YAMNet-like MobileNetV1 on 1 x 96 x 64 mel": yamnet,
    "YOLO-style, LeakyReLU, nearest, two maps": lambda: yolo(nn.LeakyReLU, "nearest"),
    "YOLO-style, ReLU6, bilinear, two maps": lambda: yolo(nn.ReLU6, "bilinear"),
    "YOLO-style, h-swish, SPPF, one vector": yolo_vector,
    "MCUNet-like VWW": mcunet_vww,
    "CRNN text reader (3 x 32 x 96, conv + linear per column)": crnn,
    "MobileNetV2-like on non-square 3 x 96 x 160": oblong,
    "MobileNetV3 binary classifier, 1 logit": lambda: mobilenet(1),
    "MobileNetV3 that normalises its input itself": normalising,
    "MobileNetV3 with two heads (age, sex)": two_heads,
    "grey 1-channel LeNet (28 px)": lenet,
    "BlazeFace (PReLU)": blaze_face,
    "BlazeFace body as classifier (ReLU)": lambda: nn.Sequential(blaze(nn.ReLU), pooled(88, 6)),
    "MobileFaceNet (PReLU, L2-normalised embedding)": mobile_face_net,
    "MoveNet-like heatmaps at 1/4 (bilinear FPN)": lambda: heatmaps("bilinear"),
    "MoveNet-like heatmaps at 1/4 (nearest FPN)": lambda: heatmaps("nearest"),
    "U-Net, nearest": u_net,
    "ESPCN x2 (ReLU, PixelShuffle)": lambda: espcn(nn.ReLU),
    "ESPCN x2 (Tanh, PixelShuffle)": lambda: espcn(nn.Tanh),
}
