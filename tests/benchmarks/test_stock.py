"""The stock flow that benchmarks compare with: it trains, converts and runs as its documentation says."""

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.against import stock
from benchmarks.against.form import of_pte


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


def test_what_the_stock_tool_leaves_in_float32_is_counted(net: nn.Module, tmp_path: Path) -> None:
    pictures = torch.randn(2, 3, 16, 16)
    throughout = stock.quantize_pt2e(net, [pictures])
    form = of_pte(stock.lower_to_pte(throughout, pictures[:1], tmp_path / "model.pte"))
    assert (form.partitions, form.islands) == (1, {})
    with_silu = stock.quantize_pt2e(nn.Sequential(net[0], nn.SiLU(), *net[3:]), [pictures])  # type: ignore[index]
    form = of_pte(stock.lower_to_pte(with_silu, pictures[:1], tmp_path / "silu.pte"))
    assert dict(form.islands) == {"Sigmoid": 1, "Multiply": 1}


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.near, self.far = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 4, 1), nn.Conv2d(8, 2, 1, 2)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        body = torch.relu(self.body(x))
        return [self.near(body), self.far(body)]


def test_a_stock_file_gives_each_output_of_every_picture(tmp_path: Path) -> None:
    torch.manual_seed(0)
    heads, pictures = TwoHeads().eval(), torch.randn(3, 3, 16, 16)
    converted = stock.quantize_pt2e(heads, [pictures])
    model = stock.load_pte(stock.lower_to_pte(converted, pictures[:1], tmp_path / "model.pte"))
    found = model.outputs(pictures)
    assert [each.shape for each in found] == [(3, 4 * 8 * 8), (3, 2 * 4 * 4)]
    for expected, each in zip(heads(pictures), found, strict=True):
        assert sqnr_db(expected.detach().flatten(1), torch.from_numpy(each)) > 20


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
