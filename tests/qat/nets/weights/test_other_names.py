"""Weights under timm's names, and those of MobileOne's authors, load, and give the scores that they give there.

The layouts and what is computed with them are written down here from timm's printed modules, independently of the nets;
timm itself is not among the tests' packages.
"""

import functools
import math
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional as F

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import DataError
from qat.nets import build_net, reparameterised
from qat.nets.weights.other_names import pads_unevenly, renamed
from qat.nets.weights.published import load_weights
from qat.nets.weights.recognition import recognise
from tests.support.nets.layouts import V3_SMALL_BLOCKS, Entries, affine, conv_bn

Weights = dict[str, Tensor]
Activation = Callable[[Tensor], Tensor]


def contract(classes: int = 7) -> Contract:
    return Contract(name="net", labels=tuple(map(str, range(classes))), image=ImageSpec(size_px=64))


def inverted(at: str, inputs: int, kernel: int, expanded: int, squeezed: int, outputs: int, expands: bool) -> Entries:
    """The entries of timm's InvertedResidual, and of its DepthwiseSeparableConv if it does not expand."""
    if expands:
        yield from conv_bn(f"{at}.conv_pw", f"{at}.bn1", expanded, inputs, 1)
    yield from conv_bn(f"{at}.conv_dw", f"{at}.bn{1 + expands}", expanded, 1, kernel)
    if squeezed:
        yield from affine(f"{at}.se.conv_reduce", squeezed, expanded, 1, 1)
        yield from affine(f"{at}.se.conv_expand", expanded, squeezed, 1, 1)
    last, norm = ("conv_pwl", "bn3") if expands else ("conv_pw", "bn2")
    yield from conv_bn(f"{at}.{last}", f"{at}.{norm}", outputs, expanded, 1)


def six_times(rows: tuple[tuple[int, int, int], ...]) -> Entries:
    """The entries of a net of ReLU6 that expands by 6: kernel, channels and repeats of each stage."""
    yield from conv_bn("conv_stem", "bn1", 32, 3, 3)
    inputs = 32
    for stage, (kernel, channels, repeats) in enumerate(rows):
        for index in range(repeats):
            expanded = inputs * 6 if stage else inputs
            yield from inverted(f"blocks.{stage}.{index}", inputs, kernel, expanded, 0, channels, stage > 0)
            inputs = channels
    yield from conv_bn("conv_head", "bn2", 1280, 320, 1)
    yield from affine("classifier", 7, 1280)


def v3_small() -> Entries:
    yield from conv_bn("conv_stem", "bn1", 16, 3, 3)
    places = [(stage, index) for stage, count in enumerate((1, 2, 3, 2, 3)) for index in range(count)]
    for (stage, index), (inputs, kernel, expanded, squeezed, outputs) in zip(places, V3_SMALL_BLOCKS, strict=True):
        yield from inverted(f"blocks.{stage}.{index}", inputs, kernel, expanded, squeezed, outputs, stage > 0)
    yield from conv_bn("blocks.5.0.conv", "blocks.5.0.bn1", 576, 96, 1)
    yield from affine("conv_head", 1024, 576, 1, 1)
    yield from affine("classifier", 7, 1024)


V4_SMALL = (
    # inputs, kernels before and after the expansion (0: none), expanded, outputs, of stages 2 and 3
    ((64, 5, 5, 192, 96), *4 * ((96, 0, 3, 192, 96),), (96, 3, 0, 384, 96)),
    (
        *((96, 3, 3, 576, 128), (128, 5, 5, 512, 128), (128, 0, 5, 512, 128)),
        *((128, 0, 5, 384, 128), (128, 0, 3, 512, 128), (128, 0, 3, 512, 128)),
    ),
)


def v4_small() -> Entries:
    yield from conv_bn("conv_stem", "bn1", 32, 3, 3)
    for at, outputs, inputs, kernel in (("0.0", 32, 32, 3), ("0.1", 32, 32, 1), ("1.0", 96, 32, 3), ("1.1", 64, 96, 1)):
        yield from conv_bn(f"blocks.{at}.conv", f"blocks.{at}.bn1", outputs, inputs, kernel)
    for stage, rows in enumerate(V4_SMALL, start=2):
        for index, (inputs, first, middle, expanded, outputs) in enumerate(rows):
            at = f"blocks.{stage}.{index}"
            if first:
                yield from conv_bn(f"{at}.dw_start.conv", f"{at}.dw_start.bn", inputs, 1, first)
            yield from conv_bn(f"{at}.pw_exp.conv", f"{at}.pw_exp.bn", expanded, inputs, 1)
            if middle:
                yield from conv_bn(f"{at}.dw_mid.conv", f"{at}.dw_mid.bn", expanded, 1, middle)
            yield from conv_bn(f"{at}.pw_proj.conv", f"{at}.pw_proj.bn", outputs, expanded, 1)
    yield from conv_bn("blocks.4.0.conv", "blocks.4.0.bn1", 960, 128, 1)
    yield from conv_bn("conv_head", "norm_head", 1280, 960, 1)
    yield from affine("classifier", 7, 1280)


# the input, the convolutions, the 1×1 beside them, squeeze-and-excite's two
TIMM = ("identity", "conv_kxk", "conv_scale", "attn.fc1", "attn.fc2")
AUTHORS = ("rbr_skip", "rbr_conv", "rbr_scale", "se.reduce", "se.expand")


def one_block(
    at: str, names: tuple[str, ...], inputs: int, outputs: int, kernel: int, branches: int, skips: bool, squeezes: bool
) -> Entries:
    skip, conv, scale, reduce, expand = names
    read = 1 if kernel == 3 and inputs == outputs else inputs
    if skips:
        yield from ((key, shape) for key, shape in conv_bn("", f"{at}.{skip}", outputs, 1, 1) if key != ".weight")
    for index in range(branches):
        yield from conv_bn(f"{at}.{conv}.{index}.conv", f"{at}.{conv}.{index}.bn", outputs, read, kernel)
    if kernel > 1:
        yield from conv_bn(f"{at}.{scale}.conv", f"{at}.{scale}.bn", outputs, read, 1)
    if squeezes:
        yield from affine(f"{at}.{reduce}", outputs // 16, outputs, 1, 1)
        yield from affine(f"{at}.{expand}", outputs, outputs // 16, 1, 1)


def mobileone(
    widths: tuple[int, ...], branches: int, squeezing: tuple[int, ...], names: tuple[str, ...], head: str, at: str
) -> Entries:
    """The entries of a MobileOne; `at` is the path of a block of a stage, counted from 0."""
    inputs = min(64, widths[0])
    stem = "stem" if names is TIMM else "stage0"
    yield from one_block(stem, names, 3, inputs, 3, 1, False, False)
    for stage, (outputs, blocks, last) in enumerate(zip(widths, (2, 8, 10, 1), squeezing, strict=True)):
        for index in range(blocks):
            squeezes, place = index >= blocks - last, at.format(stage if names is TIMM else stage + 1, "{}")
            yield from one_block(place.format(2 * index), names, inputs, inputs, 3, branches, index > 0, squeezes)
            skips = inputs == outputs
            yield from one_block(place.format(2 * index + 1), names, inputs, outputs, 1, branches, skips, squeezes)
            inputs = outputs
    yield from affine(head, 7, inputs)


S0, S4 = ((48, 128, 256, 1024), 4, (0, 0, 0, 0)), ((192, 448, 896, 2048), 1, (0, 0, 5, 1))
LITE0 = ((3, 16, 1), (3, 24, 2), (5, 40, 2), (3, 80, 3), (5, 112, 3), (5, 192, 4), (3, 320, 1))
V2 = ((3, 16, 1), (3, 24, 2), (3, 32, 3), (3, 64, 4), (3, 96, 3), (3, 160, 3), (3, 320, 1))
LAYOUTS = {
    # net and library: entries, tensors of timm's net
    ("mobilenet_v2", "timm"): (lambda: six_times(V2), 314),
    ("mobilenet_v3_small", "timm"): (v3_small, 244),
    ("mobilenet_v4_conv_small", "timm"): (v4_small, 278),
    ("efficientnet_lite0", "timm"): (lambda: six_times(LITE0), 296),
    ("mobileone_s0", "timm"): (lambda: mobileone(*S0, TIMM, "head.fc", "stages.{}.{}"), 1323),
    ("mobileone_s4", "timm"): (lambda: mobileone(*S4, TIMM, "head.fc", "stages.{}.{}"), 610),
    ("mobileone_s0", "authors"): (lambda: mobileone(*S0, AUTHORS, "linear", "stage{}.{}"), 1323),
    ("mobileone_s4", "authors"): (lambda: mobileone(*S4, AUTHORS, "linear", "stage{}.{}"), 610),
}


@functools.cache
def weights_of(name: str, library: str) -> Weights:
    """Random weights under the library's names, sorted as safetensors sorts them."""
    generator = torch.Generator().manual_seed(0)
    made: Weights = {}
    for key, shape in sorted(LAYOUTS[name, library][0]()):
        values = torch.rand(shape, generator=generator) if shape else torch.tensor(7)
        if len(shape) > 1:
            values = (values - 0.5) * (12 / math.prod(shape[1:])) ** 0.5
        made[key] = values * 1.5 + 1e-3 if key.endswith("running_var") else values
    return made


class Interpreter:
    """Computes what timm's modules compute, in float64, from weights under timm's names."""

    def __init__(self, weights: Weights) -> None:
        self.weights = {key: value.double() for key, value in weights.items()}

    def __contains__(self, layer: str) -> bool:
        return f"{layer}.weight" in self.weights

    def conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = self.weights[f"{name}.weight"]
        groups = x.shape[1] // weight.shape[1]
        bias = self.weights.get(f"{name}.bias")
        return F.conv2d(x, weight, bias, stride, padding=weight.shape[2] // 2, groups=groups)

    def norm(self, x: Tensor, name: str) -> Tensor:
        own = (self.weights[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *own, eps=1e-5)

    def gated(self, x: Tensor, reduce: str, expand: str, gate: Activation) -> Tensor:
        if reduce not in self:
            return x
        return x * gate(self.conv(F.relu(self.conv(x.mean((2, 3), keepdim=True), reduce)), expand))

    def scores(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x.mean((2, 3)), self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def block(self, x: Tensor, at: str, stride: int, act: Activation) -> Tensor:
        """Computes a block of timm's EfficientNet or MobileNetV3."""
        if f"{at}.conv" in self:
            return act(self.norm(self.conv(x, f"{at}.conv", stride), f"{at}.bn1"))
        y = x
        if f"{at}.pw_proj.conv" in self:
            for part, is_wide, step in (("dw_start", False, 1), ("pw_exp", True, 1), ("dw_mid", True, stride)):
                if f"{at}.{part}.conv" in self:
                    alone = part == "dw_start" and f"{at}.dw_mid.conv" not in self
                    y = self.norm(self.conv(y, f"{at}.{part}.conv", stride if alone else step), f"{at}.{part}.bn")
                    y = act(y) if is_wide else y
            y = self.norm(self.conv(y, f"{at}.pw_proj.conv"), f"{at}.pw_proj.bn")
        elif f"{at}.conv_pwl" in self:
            y = act(self.norm(self.conv(y, f"{at}.conv_pw"), f"{at}.bn1"))
            y = act(self.norm(self.conv(y, f"{at}.conv_dw", stride), f"{at}.bn2"))
            y = self.gated(y, f"{at}.se.conv_reduce", f"{at}.se.conv_expand", F.hardsigmoid)
            y = self.norm(self.conv(y, f"{at}.conv_pwl"), f"{at}.bn3")
        else:
            y = act(self.norm(self.conv(y, f"{at}.conv_dw", stride), f"{at}.bn1"))
            y = self.gated(y, f"{at}.se.conv_reduce", f"{at}.se.conv_expand", F.hardsigmoid)
            y = self.norm(self.conv(y, f"{at}.conv_pw"), f"{at}.bn2")
        return x + y if stride == 1 and x.shape == y.shape else y

    def mobilenet(self, x: Tensor, strides: tuple[int, ...], acts: tuple[Activation, ...], last: Activation) -> Tensor:
        """Computes timm's EfficientNet or MobileNetV3: a stage's first block strides; `last` is also the stem's."""
        x = last(self.norm(self.conv(x, "conv_stem", 2), "bn1"))
        for stage, (stride, act) in enumerate(zip(strides, acts, strict=True)):
            index = 0
            while any(key.startswith(f"blocks.{stage}.{index}.") for key in self.weights):
                x = self.block(x, f"blocks.{stage}.{index}", stride if index == 0 else 1, act)
                index += 1
        if "bn2" in self:
            return self.scores(last(self.norm(self.conv(x, "conv_head"), "bn2")), "classifier")
        x = self.conv(x.mean((2, 3), keepdim=True), "conv_head")
        return self.scores(last(self.norm(x, "norm_head") if "norm_head" in self else x), "classifier")

    def mobileone(self, x: Tensor) -> Tensor:
        """Computes timm's ByobNet with the blocks of MobileOne."""
        for at in ("stem", *(f"stages.{stage}.{each}" for stage, n in enumerate((4, 16, 20, 2)) for each in range(n))):
            stride = 2 if at == "stem" or at.endswith(".0") else 1
            names = [f"{at}.conv_kxk.{index}" for index in range(4)] + [f"{at}.conv_scale"]
            parts = [self.norm(self.conv(x, f"{each}.conv", stride), f"{each}.bn") for each in names
                     if f"{each}.conv" in self]  # fmt: skip
            parts += [self.norm(x, f"{at}.identity")] if f"{at}.identity" in self else []
            x = F.relu(self.gated(torch.stack(parts).sum(0), f"{at}.attn.fc1", f"{at}.attn.fc2", torch.sigmoid))
        return self.scores(x, "head.fc")


SCORES: dict[str, Callable[[Interpreter, Tensor], Tensor]] = {
    "mobilenet_v2": lambda timm, x: timm.mobilenet(x, (1, 2, 2, 2, 1, 2, 1), (F.relu6,) * 7, F.relu6),
    "mobilenet_v3_small": lambda timm, x: timm.mobilenet(
        x, (2, 2, 2, 1, 2, 1), (F.relu, F.relu, *4 * (F.hardswish,)), F.hardswish
    ),
    "mobilenet_v4_conv_small": lambda timm, x: timm.mobilenet(x, (2, 2, 2, 2, 1), (F.relu,) * 5, F.relu),
    "efficientnet_lite0": lambda timm, x: timm.mobilenet(x, (1, 2, 2, 2, 1, 2, 1), (F.relu6,) * 7, F.relu6),
    "mobileone_s0": Interpreter.mobileone,
    "mobileone_s4": Interpreter.mobileone,
}


@pytest.mark.parametrize(("name", "library"), LAYOUTS)
def test_weights_under_another_librarys_names_load_and_it_is_said(name: str, library: str, tmp_path: Path) -> None:
    weights = weights_of(name, library)
    assert len(weights) == LAYOUTS[name, library][1]
    safetensors.torch.save_file(weights, tmp_path / "model.safetensors")
    net = build_net(name, contract())
    report = load_weights(net, tmp_path / "model.safetensors")
    assert (report.tensors, report.replaced_head) == (len(weights), ())
    assert report.source == ("timm's names" if library == "timm" else "MobileOne's authors' names")


@pytest.mark.parametrize("name", SCORES)
def test_the_scores_are_timms(name: str, tmp_path: Path) -> None:
    weights = weights_of(name, "timm")
    wide = {key: value.double() if value.is_floating_point() else value for key, value in weights.items()}
    safetensors.torch.save_file(wide, tmp_path / "w.safetensors")
    net = build_net(name, contract()).double()
    load_weights(net, tmp_path / "w.safetensors")
    pictures = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        expected = SCORES[name](Interpreter(weights), pictures)
        found, fused = net.eval()(pictures), reparameterised(net)(pictures)
    assert expected.abs().max() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(fused, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["mobileone_s0", "mobileone_s4"])
def test_the_authors_names_give_the_weights_that_timms_give(name: str, tmp_path: Path) -> None:
    renames = (("rbr_skip", "identity"), ("rbr_conv", "conv_kxk"), ("rbr_scale", "conv_scale"), ("linear", "head.fc"))
    nets = []
    for library in ("timm", "authors"):
        weights = weights_of(name, "authors")
        if library == "timm":
            for theirs, timms in (*renames, ("se.reduce", "attn.fc1"), ("se.expand", "attn.fc2"), ("stage0.", "stem.")):
                weights = {key.replace(theirs, timms): value for key, value in weights.items()}
            for stage in range(1, 5):
                own = f"stages.{stage - 1}."
                weights = {key.replace(f"stage{stage}.", own): value for key, value in weights.items()}
        torch.save(weights, tmp_path / "weights.pth")
        nets.append(build_net(name, contract()))
        load_weights(nets[-1], tmp_path / "weights.pth")
    timms, authors = (net.state_dict() for net in nets)
    assert timms.keys() == authors.keys() and all(value.equal(authors[key]) for key, value in timms.items())


def test_names_load_behind_a_prefix_and_the_average_first(tmp_path: Path) -> None:
    weights = weights_of("efficientnet_lite0", "timm")
    zeros = {key: torch.zeros_like(value) for key, value in weights.items()}
    content = {"state_dict": {f"module.{key}": value for key, value in zeros.items()}, "state_dict_ema": weights}
    torch.save(content, tmp_path / "checkpoint.pth")
    net = build_net("efficientnet_lite0", contract())
    assert "averaged weights (EMA): timm's names; key 'state_dict_ema'" in str(
        load_weights(net, tmp_path / "checkpoint.pth")
    )
    assert net.features[0][0].weight.equal(weights["conv_stem.weight"])


def test_a_head_of_another_size_is_replaced(tmp_path: Path) -> None:
    torch.save(weights_of("mobilenet_v4_conv_small", "timm"), tmp_path / "weights.pth")
    report = load_weights(build_net("mobilenet_v4_conv_small", contract(3)), tmp_path / "weights.pth")
    assert report.replaced_head == ("classifier.1.weight", "classifier.1.bias")
    assert (report.classes_in_file, report.classes_in_net) == (7, 3)


def test_the_form_that_phones_run_loads_into_its_like(tmp_path: Path) -> None:
    """A file with one convolution a block, as timm's and the authors' re-parameterised nets have it."""
    net = reparameterised(build_net("mobileone_s4", contract()))
    own = net.state_dict()
    blocks = [f"stages.{stage}.{each}" for stage, count in enumerate((4, 16, 20, 2)) for each in range(count)]
    weights: OrderedDict[str, Tensor] = OrderedDict()
    for key, value in own.items():
        theirs = key.replace("classifier.0", "head.fc").replace("squeeze.fc", "attn.fc")
        for index, at in enumerate(("stem", *blocks)):
            theirs = theirs.replace(f"features.{index}.conv.", f"{at}.reparam_conv.")
            theirs = theirs.replace(f"features.{index}.", f"{at}.")
        weights[theirs] = torch.rand_like(value)
    torch.save(weights, tmp_path / "fused.pth")
    assert load_weights(net, tmp_path / "fused.pth").source == "timm's names"
    assert all(value.equal(new) for value, new in zip(net.state_dict().values(), weights.values(), strict=True))
    with pytest.raises(DataError, match="missing"):
        load_weights(build_net("mobileone_s4", contract()), tmp_path / "fused.pth")


@pytest.mark.parametrize(("name", "library"), LAYOUTS)
def test_the_net_of_such_weights_is_recognised(name: str, library: str) -> None:
    assert recognise({"model": weights_of(name, library)}) == (name, 1.0)


def test_weights_of_another_net_are_named(tmp_path: Path) -> None:
    torch.save(weights_of("mobilenet_v4_conv_small", "timm"), tmp_path / "weights.pth")
    with pytest.raises(DataError, match="found those of mobilenet_v4_conv_small, width 1") as refusal:
        load_weights(build_net("mobilenet_v2", contract()), tmp_path / "weights.pth")
    assert refusal.value.hint == "build that net: --net mobilenet_v4_conv_small"


PADDED = ("tf_mobilenetv3_small_100.pth", "models--timm--tf_efficientnet_lite0.in1k/model.safetensors")


@pytest.mark.parametrize("file", PADDED)
def test_a_file_named_after_a_net_that_pads_as_tensorflow_does_is_refused(file: str, tmp_path: Path) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    name = "mobilenet_v3_small" if "v3" in file else "efficientnet_lite0"
    if path.suffix == ".pth":
        torch.save(weights_of(name, "timm"), path)
    else:
        safetensors.torch.save_file(weights_of(name, "timm"), path)
    net = build_net(name, contract())
    before = net.features[0][0].weight.clone()
    with pytest.raises(DataError, match="pads evenly, found those of one that pads as TensorFlow does") as refusal:
        load_weights(net, path)
    assert "--net timm:tf_" in str(refusal.value.hint) and "\n" not in str(refusal.value)
    assert net.features[0][0].weight.equal(before)


@pytest.mark.parametrize(
    "file", ["mobilenetv3_small_100.pth", "tf_weights.pth", "notf_mobilenet.pth", "net.safetensors"]
)
def test_other_files_are_not_taken_for_it(file: str) -> None:
    assert not pads_unevenly(file)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("mobilenet_v3_small_minimalistic", {}), ("mnasnet_a1", {}), ("mobilenet_v2", {"linear": False})],
)
def test_a_net_that_computes_something_else_takes_no_such_names(name: str, settings: dict[str, bool]) -> None:
    net = build_net(name, contract(), **settings)
    assert [*renamed(weights_of("mobilenet_v2", "timm"), net)] == []


def test_tensors_of_other_things_keep_their_names() -> None:
    weights = weights_of("efficientnet_lite0", "timm")
    more = {**weights, "loss.weight": torch.ones(3)}
    ((library, found),) = renamed(more, build_net("efficientnet_lite0", contract()))
    assert library == "timm" and found.keys() >= {"loss.weight", "features.0.0.weight", "classifier.1.bias"}


def test_a_layer_that_is_missing_or_unknown_is_no_such_layout() -> None:
    """Sabotage: layers are told by their place, so that one too few or too many must not shift the rest."""
    weights = weights_of("efficientnet_lite0", "timm")
    net = build_net("efficientnet_lite0", contract())
    fewer = {key: value for key, value in weights.items() if not key.startswith("blocks.1.0.conv_dw")}
    other = {key.replace("blocks.1.0.conv_dw", "blocks.1.0.conv_xx"): value for key, value in weights.items()}
    assert [*renamed(fewer, net)] == [] and [*renamed(other, net)] == []


def test_an_epsilon_that_differs_is_made_up_for() -> None:
    """MobileNetV3 has 0.001 here and 0.00001 in timm: the gains are equal, the other tensors as they were."""
    weights = weights_of("mobilenet_v3_small", "timm")
    ((_, found),) = renamed(weights, build_net("mobilenet_v3_small", contract()))
    gain = weights["bn1.weight"].double() / (weights["bn1.running_var"].double() + 1e-5).sqrt()
    own = found["features.0.1.weight"].double() / (found["features.0.1.running_var"].double() + 1e-3).sqrt()
    torch.testing.assert_close(own, gain, rtol=1e-6, atol=0)
    assert found["features.0.1.bias"].equal(weights["bn1.bias"])
    assert found["classifier.0.weight"].equal(weights["conv_head.weight"][:, :, 0, 0])
