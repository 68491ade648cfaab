"""The pages to begin with are followed block by block: everything runs, and prints what the page shows."""

import re
from pathlib import Path

import pytest
import torch

from benchmarks.core.realistic import with_realistic_numbers
from docs.follow import CHECKPOINT, blocks, checkpoint, matches, prepare, printed
from mobile_sdk import Contract, ImageSpec
from qat.nets import build_net
from tests.support.repository import ROOT

ANSWER = re.compile(  # a class that the page's own weights see, and what a stage of calibration gains with them
    r"^ *[\d.]+ %  .*\n|^.*(?:all in int8|int8 activations alone).*\n", re.MULTILINE
)
FOLLOWED = (
    "concepts/exactness.md",
    "concepts/quality.md",
    pytest.param("start/your-photos.md", marks=pytest.mark.slow),
    pytest.param("start/published-checkpoint.md", marks=pytest.mark.slow),
)


def save_checkpoint(folder: Path) -> None:
    """A checkpoint under torchvision's names of layers, where the package that ships its own is missing."""
    contract = Contract(name="camera", labels=tuple(map(str, range(1000))), image=ImageSpec.torchvision())
    net = with_realistic_numbers(build_net("mobilenet_v2", contract), contract.image)
    torch.save(net.state_dict(), folder / CHECKPOINT)


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_page_prints_what_it_shows(name: str, tmp_path: Path) -> None:
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    prepare(tmp_path)
    if CHECKPOINT in page and checkpoint() is None:
        save_checkpoint(tmp_path)
        page = ANSWER.sub("…\n", page)
    followed = list(blocks(page))
    assert followed
    for block in followed:
        found = printed(block, tmp_path)
        assert block.shown is None or matches(block.shown, found), (
            f"{block.text} prints\n{found}\nwrite it into the page: python docs/follow.py docs/{name}"
        )


def test_the_convolution_by_hand_is_added_up_right() -> None:
    page = (ROOT / "docs" / "concepts" / "exactness.md").read_text(encoding="utf-8")
    image, weight = (_numbers(page, name) for name in ("image", "weights"))
    products = [(code + 10) * factor for code, factor in zip(image, weight, strict=True)]
    shown = page.replace("−", "-").replace(",", "")
    for code, factor, product in zip(image, weight, products, strict=True):
        assert f"{code + 10} × {factor} = {product}" in shown
    total = sum(products) - 99
    assert f"{sum(products)} - 99 = {total}" in shown
    assert f"{total} × 1/512 = {total / 512}" in shown
    assert f"{round(total / 512)} + (-128) = {round(total / 512) - 128}" in shown
    assert (
        f"1/16 × (-98 + 128) = {30 / 16}" in shown
        and f"{total / 512} / 16 = {total / 512 / 16}" in shown
        and str((total / 512 - 30) / 16) in shown
    )


def _numbers(page: str, row: str) -> list[int]:
    """Returns the nine codes of a row of the table."""
    (line,) = [each for each in page.splitlines() if each.startswith(f"| {row} |")]
    return [int(each) for each in line.split("|")[2].replace("−", "-").replace("/", ",").split(",")]
