"""SSD and SSDLite cost what the papers' tables say; their anchors and box coder are SSD's."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mobile_sdk.contract import Contract, DetectionSpec, ImageSpec
from mobile_sdk.errors import SettingError
from qat.layers.anchors import anchors_of
from qat.layers.box_decoder import VARIANCE, Decoder
from qat.nets import count_cost
from qat.nets.ssd import build_detector

# MobileNetV2 paper, Table 6 (80 labels), and MobileNetV3 paper, Table 6, whose own rows count COCO's 90 identities.
TABLE_6 = (
    # net, width, labels, parameters in millions, multiply-adds in billions
    ("mobilenet_v1", 1.0, 80, 5.1, 1.3),
    ("mobilenet_v2", 1.0, 80, 4.3, 0.8),
    ("mobilenet_v2", 0.5, 90, 1.54, 0.27),
    ("mobilenet_v3_large_full", 1.0, 90, 4.97, 0.62),
    ("mobilenet_v3_large", 1.0, 90, 3.22, 0.51),
    ("mobilenet_v3_small_full", 1.0, 90, 2.49, 0.21),
    ("mobilenet_v3_small", 1.0, 90, 1.77, 0.16),
)


def contract(labels: int, size_px: int = 320) -> Contract:
    return Contract(
        name="things",
        task="detection",
        labels=tuple(f"thing {index}" for index in range(labels)),
        image=ImageSpec(size_px=size_px, fit="stretch"),
        detection=DetectionSpec(),
    )


@pytest.mark.parametrize(("name", "width", "labels", "parameters_m", "multiply_adds_b"), TABLE_6)
def test_detectors_cost_what_table_6_says_within_2_percent(
    name: str, width: float, labels: int, parameters_m: float, multiply_adds_b: float
) -> None:
    cost = count_cost(build_detector(name, contract(labels), width=width), 320)
    assert cost.parameters / 1e6 == pytest.approx(parameters_m, rel=0.02)
    assert cost.multiply_adds / 1e9 == pytest.approx(multiply_adds_b, rel=0.02)


def test_mobilenet_v2_at_width_0_35_has_table_6s_parameters_and_its_multiply_adds_only_with_80_labels() -> None:
    assert count_cost(build_detector("mobilenet_v2", contract(90), width=0.35), 320).parameters == 947_709  # 0.93 M
    few = count_cost(build_detector("mobilenet_v2", contract(80), width=0.35), 320)
    assert few.multiply_adds / 1e9 == pytest.approx(0.16, rel=0.02)


def test_the_layers_that_detect_cost_what_table_5_says() -> None:
    """All but the backbone. The table's 0.35 B for SSDLite is twice what Table 6's sum of 0.8 B leaves room for."""
    nets = [build_detector("mobilenet_v2", contract(80), is_lite=is_lite) for is_lite in (True, False)]
    body, *whole = (count_cost(net, 320) for net in (nets[0].features, *nets))
    lite, regular = ((each.parameters - body.parameters) / 1e6 for each in whole)
    assert (lite, regular) == (pytest.approx(2.1, rel=0.02), pytest.approx(14.8, rel=0.02))
    lite, regular = ((each.multiply_adds - body.multiply_adds) / 1e9 for each in whole)
    assert (2 * lite, regular) == (pytest.approx(0.35, rel=0.02), pytest.approx(1.25, rel=0.02))


def test_a_detector_of_320_px_has_six_maps_and_2034_anchors() -> None:
    net = build_detector("mobilenet_v3_small", contract(3))
    assert len(net.boxes) == len(net.scores) == 6
    assert net.anchors.corners.shape == (20 * 20 * 3 + (100 + 25 + 9 + 4 + 1) * 6, 4)


def test_maps_end_at_one_pixel() -> None:
    net = build_detector("mobilenet_v3_small", contract(10, size_px=128)).eval()
    assert len(net.boxes) == 4
    with torch.no_grad():
        assert net(torch.zeros(2, 3, 128, 128)).shape == (2, 8 * 8 * 3 + (16 + 4 + 1) * 6, 4 + 1 + 10)


def test_anchors_are_centred_on_their_positions_and_keep_their_ratios() -> None:
    anchors = anchors_of([(2, 2), (1, 1)], (100, 100))
    middle = (anchors.corners[:, :2] + anchors.corners[:, 2:]) / 2
    assert torch.allclose(middle[0], torch.tensor([25.0, 25.0])) and torch.allclose(middle[3], torch.tensor([75, 25.0]))
    assert torch.allclose(anchors.sizes[1, 0] / anchors.sizes[1, 1], torch.tensor(2.0))
    assert torch.allclose(anchors.sizes[0], torch.tensor([10.0, 10.0]))


@given(st.lists(st.floats(-50, 150), min_size=4, max_size=4))
def test_what_is_encoded_decodes_to_the_same_box(corners: list[float]) -> None:
    anchors = anchors_of([(2, 2), (1, 1)], (100, 100))
    decoder = Decoder.of(anchors, scores=2)
    boxes = torch.tensor(corners).expand(len(anchors.corners), 4)
    offsets = decoder.encode(boxes)
    first = offsets[:12].reshape(1, 2, 2, 12).permute(0, 3, 1, 2)  # three anchors on each of 2 × 2 positions
    second = offsets[12:].reshape(1, 1, 1, 24).permute(0, 3, 1, 2)
    decoded = decoder([first, torch.zeros(1, 6, 2, 2), second, torch.zeros(1, 12, 1, 1)])
    assert torch.allclose(decoded[0, :, :4], boxes, atol=1e-3)


def test_an_offset_of_one_moves_a_side_by_a_tenth_of_the_anchor() -> None:
    anchors = anchors_of([(1, 1)], (100, 100))
    moved = anchors.corners + VARIANCE * anchors.sizes.repeat(1, 2)
    assert torch.allclose(Decoder.of(anchors, scores=2).encode(moved), torch.ones(3, 4), atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "mobilenet_v9"}, "expected a backbone"),
        ({"name": "mobilenet_v2", "width": 0.0}, "expected a width above 0"),
    ],
)
def test_a_detector_that_cannot_be_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        build_detector(contract=contract(2), **settings)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="64 px or more"):
        build_detector("mobilenet_v2", contract(2, size_px=32))
