"""The stock flow that benchmarks compare with: it trains, converts and runs as its documentation says."""

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.against import stock


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    body = [nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU6(), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*body, nn.Flatten(), nn.Dropout(0.5), nn.Linear(8, 5))


def sqnr_db(expected: torch.Tensor, found: torch.Tensor) -> float:
    return float(10 * torch.log10(expected.square().sum() / (found - expected).square().sum()))


def test_calibrated_net_runs_in_executorch_close_to_float(net: nn.Module, tmp_path: Path) -> None:
    pictures = torch.randn(8, 3, 16, 16)
    converted = stock.quantize_pt2e(net, [pictures])
    model = stock.load_pte(stock.lower_to_pte(converted, pictures[:1], tmp_path / "model.pte"))
    assert sqnr_db(net.eval()(pictures).detach(), torch.from_numpy(model.logits(pictures))) > 20


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # torch's own, of its exported modules
def test_fake_quantized_net_trains_and_switches_modes(net: nn.Module) -> None:
    pictures = torch.randn(8, 3, 16, 16)
    prepared = stock.prepare_qat(net, pictures[:2])
    optimizer = torch.optim.SGD(prepared.parameters(), lr=0.1)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(prepared(pictures), torch.arange(8) % 5)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    stock.freeze_qat(prepared)
    assert not torch.equal(prepared(pictures), prepared(pictures)), "dropout works in training"
    prepared.eval()
    assert torch.equal(prepared(pictures), prepared(pictures))
    converted = stock.convert_qat(prepared)
    scores = torch.cat([converted(picture[None]) for picture in pictures])
    assert sqnr_db(prepared(pictures).detach(), scores.detach()) > 20
