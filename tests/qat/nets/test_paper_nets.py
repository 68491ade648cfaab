"""The papers' comparison nets: parameters and multiply-adds are the published ones, options do what they say."""

import functools

import pytest
import torch
from torch import nn

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import SettingError
from qat.nets import Cost, build_net, count_cost
from qat.nets.classifiers.mnasnet import mnasnet_a1
from qat.nets.classifiers.mobilenet_v2 import InvertedResidual, WideShortcuts, mobilenet_v2
from qat.nets.classifiers.shufflenet_v1 import shufflenet_v1
from qat.nets.classifiers.shufflenet_v2 import shufflenet_v2
from qat.nets.classifiers.squeezenet import squeezenet
from qat.nets.classifiers.xception import SeparableConv, xception

CONTRACT = Contract(name="fruit", labels=("apple", "banana"), image=ImageSpec(size_px=32))

PUBLISHED = (
    # net, settings, size, multiply-adds in millions, how far ours are from them at most, source
    (mnasnet_a1, {}, 224, 312, 0.002, "MnasNet, Table 1"),
    (mnasnet_a1, {"width": 0.35}, 224, 63, 0.022, "MnasNet, Table 4; its widths are rounded by an unpublished rule"),
    (xception, {}, 299, 8400, 0.006, "timm, legacy_xception"),
    (squeezenet, {}, 224, 833, 0.001, "ShuffleNet, Table 6; MobileNetV1's 1700 counts both halves of a multiply-add"),
    (shufflenet_v1, {"groups": 1}, 224, 143, 0.002, "ShuffleNet, Table 1"),
    (shufflenet_v1, {"groups": 2}, 224, 140, 0.007, "ShuffleNet, Table 1"),
    (shufflenet_v1, {}, 224, 137, 0.004, "ShuffleNet, Table 1"),
    (shufflenet_v1, {"groups": 4}, 224, 133, 0.011, "ShuffleNet, Table 1"),
    (shufflenet_v1, {"groups": 8}, 224, 137, 0.011, "ShuffleNet, Table 1"),
    (shufflenet_v1, {"width": 0.5}, 224, 38, 0.011, "ShuffleNet, Table 8"),
    (shufflenet_v1, {"width": 1.5}, 224, 292, 0.002, "ShuffleNet, Table 5, and MobileNetV2, Table 4"),
    (shufflenet_v1, {"width": 2.0}, 224, 524, 0.001, "ShuffleNet, Table 5, and MobileNetV2, Table 4"),
    (shufflenet_v2, {"width": 0.5}, 224, 41, 0.013, "ShuffleNetV2, Table 5"),
    (shufflenet_v2, {}, 224, 146, 0.008, "ShuffleNetV2, Table 5"),
    (shufflenet_v2, {"width": 1.5}, 224, 299, 0.011, "ShuffleNetV2, Table 5"),
    (shufflenet_v2, {"width": 2.0}, 224, 591, 0.014, "ShuffleNetV2, Table 5"),
)


@functools.cache
def built(build, **settings):
    with torch.device("meta"):
        return build(1000, **settings)


@functools.cache
def cost(build, size_px: int = 224, **settings) -> Cost:
    return count_cost(built(build, **settings), size_px)


@pytest.mark.parametrize(("build", "settings", "size_px", "published_m", "share", "source"), PUBLISHED)
def test_multiply_adds_are_the_published_ones(build, settings, size_px, published_m, share, source):
    counted_m = cost(build, size_px, **settings).multiply_adds / 1e6
    assert abs(counted_m / published_m - 1) <= share, f"{counted_m:.2f} M; {source}"


@pytest.mark.parametrize(
    ("build", "settings", "exact"),
    [
        (xception, {}, 22_855_952),  # the paper's Table 3
        (squeezenet, {}, 1_248_424),  # the published Caffe model and torchvision's 1.0
        (shufflenet_v2, {"width": 0.5}, 1_366_792),  # torchvision's
        (shufflenet_v2, {}, 2_278_604),
        (shufflenet_v2, {"width": 1.5}, 3_503_624),
        (shufflenet_v2, {"width": 2.0}, 7_393_996),
    ],
)
def test_parameters_are_the_published_ones_to_the_last(build, settings, exact):
    assert cost(build, **settings).parameters == exact


@pytest.mark.parametrize(
    ("build", "settings", "published_m"),
    [
        (mnasnet_a1, {}, 3.9),  # MnasNet, Table 1
        (mnasnet_a1, {"width": 0.35}, 1.7),  # MnasNet, Table 4
        (shufflenet_v1, {"width": 1.5}, 3.4),  # MobileNetV2, Table 4
        (shufflenet_v1, {"width": 2.0}, 5.4),
    ],
)
def test_parameters_but_for_batch_norms_are_the_published_ones_to_a_digit(build, settings, published_m):
    counted = cost(build, **settings)
    assert round((counted.parameters - counted.batch_norm_parameters) / 1e6, 1) == published_m


def test_squeezenet_has_the_maps_of_its_table_at_224_px():
    seen = []
    net = built(squeezenet)
    hooks = [layer.register_forward_hook(lambda _, __, map_: seen.append(map_.shape[2])) for layer in net.features]
    with torch.no_grad():
        net.eval()(torch.empty(1, 3, 224, 224, device="meta"))
    for hook in hooks:
        hook.remove()
    assert seen == [111, 55, 55, 55, 55, 27, 27, 27, 27, 27, 13, 13, 13, 13]


def test_mnasnet_squeezes_to_a_quarter_of_the_blocks_inputs_where_v3_takes_the_expanded():
    squeezed = [module.fc1 for module in built(mnasnet_a1).modules() if hasattr(module, "fc1")]
    sizes = [(conv.in_channels, conv.out_channels) for conv in squeezed]
    assert sizes == [(72, 6), (120, 10), (120, 10), (480, 20), (672, 28), (672, 28), (960, 40), (960, 40)]


def kinds_of(layers: nn.Module) -> list[str]:
    return [
        ("depthwise" if layer.groups > 1 else "pointwise") if isinstance(layer, nn.Conv2d) else type(layer).__name__
        for layer in layers
    ]


@pytest.mark.parametrize(
    ("settings", "order"),
    [
        ({}, ["depthwise", "pointwise", "BatchNorm2d"]),
        ({"pointwise_first": True}, ["pointwise", "depthwise", "BatchNorm2d"]),
        ({"inner_relu": True}, ["depthwise", "ReLU", "pointwise", "BatchNorm2d"]),
        ({"pointwise_first": True, "inner_relu": True}, ["pointwise", "ReLU", "depthwise", "BatchNorm2d"]),
    ],
)
def test_xceptions_separable_convolution_has_inceptions_order_and_nonlinearity_only_where_asked(settings, order):
    separable = [layer for layer in built(xception, **settings).modules() if isinstance(layer, SeparableConv)]
    assert len(separable) == 2 * 3 + 8 * 3 + 2 + 2
    assert all(kinds_of(layer) == order for layer in separable)


def test_either_order_is_the_same_map_where_nothing_but_channels_of_one_filter_lie_between():
    """A 1×1 commutes with a filter that all channels share; with filters of their own it does not."""
    torch.manual_seed(0)
    first, then = (SeparableConv(4, 4, pointwise_first=order, inner_relu=False).eval() for order in (False, True))
    picture = torch.randn(1, 4, 6, 6)
    with torch.no_grad():
        then[0].weight.copy_(first[1].weight)
        then[1].weight.copy_(first[0].weight)
        assert not torch.allclose(first(picture), then(picture), atol=1e-3)
        for depthwise in (first[0], then[1]):
            depthwise.weight.copy_(depthwise.weight.new_ones(4, 1, 3, 3))
        torch.testing.assert_close(first(picture), then(picture))


def test_xception_is_linear_along_its_shortcuts():
    """With every separable convolution silent, what is left of a module that does not pool is its input."""
    net = xception(2, width=0.1).eval()
    middle = net.features[5]
    for layer in middle.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.zeros_(layer.weight)
    x = torch.randn(1, middle.block[1][0].in_channels, 4, 4)
    torch.testing.assert_close(middle(x), x)


def test_shufflenet_shuffles_between_its_group_convolutions_and_begins_with_one_group():
    units = [module for module in built(shufflenet_v1).features if hasattr(module, "shortcut")]
    assert len(units) == 16
    groups = [(unit.block[0][0].groups, unit.block[1].groups, unit.block[3][0].groups) for unit in units]
    assert groups == [(1, 3, 3), *[(3, 3, 3)] * 15]


@pytest.mark.parametrize("width", [0.35, 1.0, 4.0])
@pytest.mark.parametrize("groups", [1, 2, 3, 4, 8])
def test_shufflenet_builds_with_any_groups_at_any_width(groups, width):
    with torch.device("meta"):
        net = build_net("shufflenet_v1", CONTRACT, width=width, groups=groups).eval()
        assert net(torch.empty(1, 3, 32, 32)).shape == (1, 2)


def test_shufflenet_v2_passes_half_of_the_channels_by():
    net = shufflenet_v2(2, width=0.5).eval()
    unit = net.features[3]
    x = torch.randn(1, 48, 4, 4)
    with torch.no_grad():
        torch.testing.assert_close(unit(x)[:, ::2], x[:, :24])


@pytest.mark.parametrize("width", [0.5, 1.0, 1.5, 2.0])
def test_shufflenet_v2_learns_at_every_width_of_its_paper(width):
    torch.manual_seed(0)
    net = build_net("shufflenet_v2", CONTRACT, width=width)
    net(torch.randn(2, 3, 32, 32)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in net.parameters())


@pytest.mark.parametrize(
    ("name", "settings", "found"),
    [
        ("shufflenet_v1", {"groups": 5}, "groups in 1, 2, 3, 4, 8, found 5"),
        ("shufflenet_v1", {"groups": True}, "found True"),
        ("xception", {"groups": 2}, "no groups for xception, which takes width, pointwise_first and inner_relu"),
        ("mobilenet_v2", {"shortcut": "all"}, "shortcut in bottlenecks, expansions, none, found all"),
        ("mobilenet_v2", {"linear": 0}, "linear in True, False, found 0"),
        ("squeezenet", {"expansion": 2}, "no expansion for squeezenet, which takes width"),
    ],
)
def test_a_setting_that_a_net_does_not_have_or_take_is_refused(name, settings, found):
    with pytest.raises(SettingError) as refusal:
        build_net(name, CONTRACT, **settings)
    assert found in refusal.value.message and refusal.value.hint


# -- the ablations of MobileNetV2's section 6.4


def test_a_nonlinear_bottleneck_ends_in_relu6_and_costs_nothing_more():
    plain, bent = (built(mobilenet_v2, linear=linear) for linear in (True, False))
    blocks = [[layer for layer in net.features if isinstance(layer, InvertedResidual)] for net in (plain, bent)]
    assert all(isinstance(block.conv[-1], nn.BatchNorm2d) for block in blocks[0])
    assert all(isinstance(block.conv[-1], nn.ReLU6) for block in blocks[1])
    assert cost(mobilenet_v2, linear=False) == cost(mobilenet_v2)


def additions(net: nn.Module) -> list[tuple[int, ...]]:
    """The shapes of all sums of a net, in order."""
    exported = torch.export.export(net.eval(), (torch.zeros(2, 3, 64, 64),), strict=False)
    return [tuple(node.meta["val"].shape[1:]) for node in exported.graph.nodes if "add.Tensor" in str(node.target)]


def test_shortcuts_join_bottlenecks_or_expansions_as_many_of_each_or_nothing():
    narrow = additions(mobilenet_v2(2, width=0.35))
    wide = additions(mobilenet_v2(2, width=0.35, shortcut="expansions"))
    assert len(narrow) == len(wide) == 10
    assert [channels for channels, *_ in wide] == [6 * channels for channels, *_ in narrow]
    assert additions(mobilenet_v2(2, width=0.35, shortcut="none")) == []


@pytest.mark.parametrize("shortcut", ["bottlenecks", "expansions", "none"])
def test_ablations_have_the_same_parameters_under_the_same_names(shortcut):
    net, paper = built(mobilenet_v2, shortcut=shortcut), built(mobilenet_v2)
    assert net.state_dict().keys() == paper.state_dict().keys()
    assert isinstance(net.features, WideShortcuts) == (shortcut == "expansions")
