"""Nets are built as asked or refused politely, and every operator in them is a named module."""

import functools
import operator
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import SettingError
from qat.nets import build_net, list_nets
from qat.nets.blocks import SqueezeExcitation, make_divisible
from qat.nets.classifiers.mobilenet_v2 import mobilenet_v2
from qat.nets.classifiers.mobilenet_v3 import (
    mobilenet_v3_large,
    mobilenet_v3_large_minimalistic,
    mobilenet_v3_small_minimalistic,
)

NAMES = (
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "mobilenet_v3_large_minimalistic",
    "mobilenet_v3_small_minimalistic",
    "mobilenet_v4_conv_small",
    "mobilenet_v4_conv_medium",
    "mobilenet_v4_conv_large",
    "mobileone_s0",
    "mobileone_s1",
    "mobileone_s2",
    "mobileone_s3",
    "mobileone_s4",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "efficientnet_lite3",
    "efficientnet_lite4",
    "mnasnet_a1",
)
OTHERS = (
    "xception",
    "shufflenet_v1",
    "shufflenet_v2",
    "squeezenet",
)  # not a thirty-second of the picture, or with functions
LABELS = ("apple", "banana", "cherry", "date", "elderberry")


@functools.cache
def built(build, **given):
    with torch.device("meta"):
        return build(1000, **given)


def contract(size_px: int = 32) -> Contract:
    return Contract(name="fruit", labels=LABELS, image=ImageSpec(size_px=size_px))


def test_every_net_of_the_registry_is_tested_here():
    assert {*NAMES, *OTHERS} == {entry.name for entry in list_nets()}


@pytest.mark.parametrize("name", NAMES + OTHERS)
def test_a_net_learns_from_32_px_pictures(name):
    torch.manual_seed(0)
    net = build_net(name, contract(32), width=0.35)
    logits = net(torch.randn(4, 3, 32, 32))
    assert logits.shape == (4, len(LABELS))
    logits.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in net.parameters())


@pytest.mark.parametrize("name", [*NAMES, *OTHERS])
def test_every_operator_but_add_mul_and_what_joins_and_parts_is_a_module(name):
    traced = torch.fx.symbolic_trace(build_net(name, contract()))
    functions = {node.target for node in traced.graph.nodes if node.op == "call_function"}
    assert functions <= {operator.add, operator.mul, torch.cat, torch.chunk, operator.getitem}
    assert not [node for node in traced.graph.nodes if node.op in ("call_method", "get_attr")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size_px", [224, 97])
def test_features_are_a_thirty_second_of_the_picture_rounded_up(name, size_px):
    with torch.device("meta"), torch.no_grad():
        features = build_net(name, contract(size_px)).eval().features(torch.empty(1, 3, size_px, size_px))
    assert features.shape[2:] == (-(-size_px // 32),) * 2


@pytest.mark.parametrize("build", [mobilenet_v3_large_minimalistic, mobilenet_v3_small_minimalistic])
def test_minimalistic_nets_have_neither_se_nor_h_swish_nor_5x5(build):
    modules = list(built(build).modules())
    assert not [module for module in modules if isinstance(module, SqueezeExcitation | nn.Hardswish | nn.Hardsigmoid)]
    assert {module.kernel_size for module in modules if isinstance(module, nn.Conv2d)} == {(1, 1), (3, 3)}


def test_v3_large_has_8_se_blocks_of_a_quarter_and_h_swish_from_80_channels_on():
    modules = list(built(mobilenet_v3_large).modules())
    squeezes = [module for module in modules if isinstance(module, SqueezeExcitation)]
    assert [module.fc1.out_channels for module in squeezes] == [24, 32, 32, 120, 168, 168, 240, 240]
    assert sum(isinstance(module, nn.Hardswish) for module in modules) == 1 + 2 * 9 + 2  # stem, 9 blocks, head


def test_v2_without_expansion_has_no_expanding_convolution():
    plain, paper = built(mobilenet_v2, expansion=1), built(mobilenet_v2)
    count = {net: sum(isinstance(module, nn.Conv2d) for module in net.modules()) for net in (plain, paper)}
    assert count[paper] - count[plain] == 16
    assert paper.features[2].conv[0][0].out_channels == 6 * 16
    assert built(mobilenet_v2, expansion=4).features[2].conv[0][0].out_channels == 4 * 16


def test_batch_norm_is_set_as_in_the_published_checkpoints():
    norms = {build: built(build).features[0][1] for build in (mobilenet_v2, mobilenet_v3_large)}
    assert [(norm.eps, norm.momentum) for norm in norms.values()] == [(1e-5, 0.1), (0.001, 0.01)]


def test_weights_start_from_he_normal_and_the_head_from_a_hundredth():
    torch.manual_seed(0)
    net = mobilenet_v2(1000)
    last, head = net.features[18][0].weight, net.classifier[1]
    assert last.std().item() == pytest.approx((2 / 1280) ** 0.5, rel=0.01)
    assert head.weight.std().item() == pytest.approx(0.01, rel=0.01) and not head.bias.any()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mobilnet_v2", "did you mean mobilenet_v2?"),
        ("MobileNet-V3-Small", "did you mean mobilenet_v3_small?"),
        ("resnet50", "run `mobile-sdk nets` to see them"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(name, hint):
    with pytest.raises(SettingError) as refusal:
        build_net(name, contract())
    assert refusal.value.hint == hint and repr(name) in refusal.value.message


@pytest.mark.parametrize(
    ("name", "settings", "found"),
    [
        ("mobilenet_v1", {"width": 0.0}, "width above 0"),
        ("mobilenet_v1", {"width": -1.0}, "found -1.0"),
        ("mobilenet_v2", {"width": float("nan")}, "found nan"),
        ("mobilenet_v2", {"width": float("inf")}, "found inf"),
        ("mobilenet_v2", {"width": 4.01}, "found 4.01"),
        ("mobilenet_v1", {"expansion": 6}, "no expansion for mobilenet_v1, which takes width"),
        (
            "mobilenet_v2",
            {"hidden": 1280},
            "no hidden for mobilenet_v2, which takes width, expansion, linear and shortcut",
        ),
        ("mobilenet_v2", {"expansion": 0}, "expansion in 1..16, found 0"),
        ("mobilenet_v2", {"expansion": float("nan")}, "found nan"),
        ("mobilenet_v3_small", {"hidden": 0}, "hidden in 8..8192, found 0"),
    ],
)
def test_an_impossible_setting_is_refused_in_one_line(name, settings, found):
    with pytest.raises(SettingError) as refusal:
        build_net(name, contract(), **settings)
    assert found in refusal.value.message and "\n" not in str(refusal.value) and refusal.value.hint


def test_pictures_too_small_for_five_halvings_are_refused():
    with pytest.raises(SettingError, match="at least 32 px for mobilenet_v1, found size_px=31"):
        build_net("mobilenet_v1", contract(31))


@settings(max_examples=15)
@given(name=st.sampled_from(NAMES + OTHERS), width=st.floats(0, 4, exclude_min=True))
def test_every_width_in_range_builds(name, width):
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("error")
        net = build_net(name, contract(), width=width)
        assert net.eval()(torch.empty(1, 3, 32, 32)).shape == (1, len(LABELS))


@given(st.floats(0.01, 1e5))
def test_make_divisible_keeps_at_least_nine_tenths(channels):
    rounded = make_divisible(channels)
    assert rounded % 8 == 0 and rounded >= 8 and rounded >= 0.9 * channels
    assert rounded <= max(8, channels + 8)
