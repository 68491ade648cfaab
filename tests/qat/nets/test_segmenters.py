"""Segmenters cost what the papers' tables say; atrous convolutions see as far as strides did."""

import pytest
import torch
from torch import nn

from benchmarks.papers.segmentation import TABLES, Published, cost_of
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import SettingError
from qat.nets.classifiers.mobilenet_v2 import mobilenet_v2
from qat.nets.segmenters import build_segmenter, dilate

UNEXPLAINED = TABLES[1]
"""DeepLabv3 on MobileNetV1 with an output stride of 8: 5 % less in the paper, while V2's rows agree."""


def contract(labels: int = 21, size_px: int = 64) -> Contract:
    names = tuple(f"label {index}" for index in range(labels))
    return Contract(name="scenes", task="segmentation", labels=names, image=ImageSpec(size_px=size_px, fit="stretch"))


@pytest.mark.parametrize("published", TABLES, ids=lambda published: published.title)
def test_segmenters_cost_what_the_tables_say_within_2_percent(published: Published) -> None:
    parameters, multiply_adds, _ = cost_of(published)
    if published.parameters_m is not None and published.width != 0.35:
        assert parameters / 1e6 == pytest.approx(published.parameters_m, rel=0.02)
    if published is not UNEXPLAINED:
        assert multiply_adds / 1e9 == pytest.approx(published.multiply_adds_b, rel=0.02)


def test_mobilenet_v2_at_width_0_35_has_the_tables_parameters_cut_after_two_digits() -> None:
    (narrow,) = (published for published in TABLES if published.width == 0.35)
    assert int(cost_of(narrow)[0] / 1e4) / 100 == narrow.parameters_m


@pytest.mark.parametrize("head", ["aspp", "r-aspp", "lr-aspp"])
@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small"])
def test_every_pixel_gets_a_score_a_label(name: str, head: str) -> None:
    net = build_segmenter(name, contract(5), head=head, output_stride=32, width=0.25, filters=16).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        assert net(torch.zeros(2, 3, 64, 96)).shape == (2, 5, 64, 96)


@pytest.mark.parametrize("stride", [8, 16])
def test_a_dilated_backbone_computes_what_the_strided_one_does_where_that_looks(stride: int) -> None:
    """The strided net's last map is every second (or fourth) position of the dilated one's, away from the edges."""
    torch.manual_seed(0)
    strided = mobilenet_v2(2, width=0.35).features[:-1].eval()
    dilated = mobilenet_v2(2, width=0.35).features[:-1].eval()
    dilated.load_state_dict(strided.state_dict())
    assert isinstance(dilated, nn.Sequential)
    dilate(dilated, stride)
    x = torch.randn(1, 3, 1024, 64).movedim(2, 3)
    with torch.no_grad():
        coarse, fine = strided(x), dilated(x)
    step = 32 // stride
    assert fine.shape[3] == step * coarse.shape[3]
    inner = slice(12, -12)
    torch.testing.assert_close(fine[..., ::step, ::step][:, :, :1, inner], coarse[:, :, :1, inner])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "mobilenet_v9"}, "expected a backbone"),
        ({"head": "u-net"}, "expected a head"),
        ({"output_stride": 4}, "expected an output stride"),
        ({"width": 0.0}, "expected a width above 0"),
    ],
)
def test_a_segmenter_that_cannot_be_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        build_segmenter(contract=contract(), **{"name": "mobilenet_v2", **settings})  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="a multiple of 32 px"):
        build_segmenter("mobilenet_v2", contract(size_px=100))
