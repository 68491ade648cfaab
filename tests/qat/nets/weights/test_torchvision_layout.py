"""The nets have torchvision's keys and shapes, so that published checkpoints load key for key.

The layout is written down here from torchvision's printed modules, independently of the nets; torchvision itself
cannot be installed beside this build of torch.
"""

import itertools
from collections import OrderedDict

import pytest
import torch

from mobile_sdk.contract import Contract
from qat.nets import build_net
from qat.nets.classifiers.mobilenet_v2 import mobilenet_v2
from qat.nets.classifiers.mobilenet_v3 import mobilenet_v3_large, mobilenet_v3_small
from qat.nets.weights.published import load_weights
from tests.support.nets.layouts import V3_SMALL_BLOCKS, affine, conv_bn


def v2_layout():
    yield from conv_bn("features.0.0", "features.0.1", 32, 3, 3)
    yield from conv_bn("features.1.conv.0.0", "features.1.conv.0.1", 32, 1, 3)
    yield from conv_bn("features.1.conv.1", "features.1.conv.2", 16, 32, 1)
    widths = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320]
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths), start=2):
        at = f"features.{index}.conv"
        yield from conv_bn(f"{at}.0.0", f"{at}.0.1", 6 * inputs, inputs, 1)
        yield from conv_bn(f"{at}.1.0", f"{at}.1.1", 6 * inputs, 1, 3)
        yield from conv_bn(f"{at}.2", f"{at}.3", outputs, 6 * inputs, 1)
    yield from conv_bn("features.18.0", "features.18.1", 1280, 320, 1)
    yield from affine("classifier.1", 1000, 1280)


V3_LARGE_BLOCKS = (
    # inputs, kernel, expanded, squeezed (0: no squeeze-and-excite), outputs
    (16, 3, 16, 0, 16),
    (16, 3, 64, 0, 24),
    (24, 3, 72, 0, 24),
    (24, 5, 72, 24, 40),
    (40, 5, 120, 32, 40),
    (40, 5, 120, 32, 40),
    (40, 3, 240, 0, 80),
    (80, 3, 200, 0, 80),
    (80, 3, 184, 0, 80),
    (80, 3, 184, 0, 80),
    (80, 3, 480, 120, 112),
    (112, 3, 672, 168, 112),
    (112, 5, 672, 168, 160),
    (160, 5, 960, 240, 160),
    (160, 5, 960, 240, 160),
)


def v3_layout(blocks, last, hidden):
    yield from conv_bn("features.0.0", "features.0.1", 16, 3, 3)
    for index, (inputs, kernel, expanded, squeezed, outputs) in enumerate(blocks, start=1):
        at, part = f"features.{index}.block", 0
        if expanded != inputs:
            yield from conv_bn(f"{at}.0.0", f"{at}.0.1", expanded, inputs, 1)
            part += 1
        yield from conv_bn(f"{at}.{part}.0", f"{at}.{part}.1", expanded, 1, kernel)
        part += 1
        if squeezed:
            yield from affine(f"{at}.{part}.fc1", squeezed, expanded, 1, 1)
            yield from affine(f"{at}.{part}.fc2", expanded, squeezed, 1, 1)
            part += 1
        yield from conv_bn(f"{at}.{part}.0", f"{at}.{part}.1", outputs, expanded, 1)
    end = len(blocks) + 1
    yield from conv_bn(f"features.{end}.0", f"features.{end}.1", last, blocks[-1][-1], 1)
    yield from affine("classifier.0", hidden, last)
    yield from affine("classifier.3", 1000, hidden)


TORCHVISION = {
    "mobilenet_v2": (mobilenet_v2, dict(v2_layout()), 3_504_872, 314),
    "mobilenet_v3_large": (mobilenet_v3_large, dict(v3_layout(V3_LARGE_BLOCKS, 960, 1280)), 5_483_032, 312),
    "mobilenet_v3_small": (mobilenet_v3_small, dict(v3_layout(V3_SMALL_BLOCKS, 576, 1024)), 2_542_856, 244),
}


def random_checkpoint(layout, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return OrderedDict(
        (key, torch.rand(shape, generator=generator) if shape else torch.tensor(7)) for key, shape in layout.items()
    )


def contract(classes):
    return Contract(name="fruit", labels=tuple(f"label {index}" for index in range(classes)))


@pytest.mark.parametrize("name", TORCHVISION)
def test_keys_and_shapes_are_torchvisions(name):
    build, layout, parameters, tensors = TORCHVISION[name]
    with torch.device("meta"):
        ours = {key: tuple(value.shape) for key, value in build(1000).state_dict().items()}
    assert ours == layout
    assert len(layout) == tensors
    learned = [shape for key, shape in layout.items() if not key.endswith(("_mean", "_var", "_tracked"))]
    assert sum(torch.Size(shape).numel() for shape in learned) == parameters


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_checkpoint_in_torchvisions_layout_loads_key_for_key(name, tmp_path):
    checkpoint = random_checkpoint(TORCHVISION[name][1])
    torch.save(checkpoint, tmp_path / "published.pth")
    net = build_net(name, contract(1000))
    report = load_weights(net, tmp_path / "published.pth")
    assert (report.tensors, report.replaced_head) == (len(checkpoint), ())
    assert all(value.equal(checkpoint[key]) for key, value in net.state_dict().items())
    assert str(report) == f"{len(checkpoint)} tensors from {tmp_path / 'published.pth'}"


def test_a_head_of_another_size_is_replaced_and_said_so(tmp_path):
    checkpoint = random_checkpoint(TORCHVISION["mobilenet_v3_small"][1])
    torch.save(checkpoint, tmp_path / "published.pth")
    net = build_net("mobilenet_v3_small", contract(5))
    fresh = {key: value.clone() for key, value in net.classifier[3].state_dict().items()}
    report = load_weights(net, tmp_path / "published.pth")
    assert report.replaced_head == ("classifier.3.weight", "classifier.3.bias")
    assert (report.classes_in_file, report.classes_in_net, report.tensors) == (1000, 5, 242)
    assert "the head is replaced" in str(report) and "1000 classes in the file, 5 in the net" in str(report)
    assert all(value.equal(fresh[key]) for key, value in net.classifier[3].state_dict().items())
    assert all(value.equal(checkpoint[key]) for key, value in net.state_dict().items() if "classifier.3" not in key)
