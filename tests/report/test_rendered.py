"""A browser draws the page so that it can be read: on a desktop and on a phone, and with a keyboard."""

import json
import re
from html import escape
from pathlib import Path
from typing import Any

import pytest

from mobile_sdk.report import page as page_module
from mobile_sdk.report.page import render
from tests.support.child_process import run
from tests.support.made_up_report import numbers, report, whole_report

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--window-size=1400,900"),
)
_LOOK = """
<!doctype html><body><iframe width="WIDTH" height="900" srcdoc="PAGE"></iframe><pre id="found"></pre><script>
onload = () => {
  const page = document.querySelector("iframe").contentDocument, all = query => [...page.querySelectorAll(query)];
  const view = page.defaultView, body = page.documentElement;
  for (const each of all("details")) each.open = OPEN;
  const wide = all(".scroll").filter(each => each.scrollWidth > each.clientWidth + 1);
  const found = {
    width: view.innerWidth,
    overflow: body.scrollWidth - body.clientWidth,
    cut: all("main *, header *").filter(each => !each.closest(".scroll, svg, pre")
      && each.getBoundingClientRect().right > view.innerWidth + 1).map(each => each.outerHTML.slice(0, 80)),
    letters: all("svg text").filter(each => !each.closest(".boxes") && each.textContent.trim()).map(each => {
      const matrix = each.getScreenCTM();
      return parseFloat(view.getComputedStyle(each).fontSize) * Math.hypot(matrix.a, matrix.b);
    }),
    wide: wide.map(each => each.getAttribute("aria-label")),
    unsigned: wide.filter(each => !view.getComputedStyle(each).backgroundImage.includes("gradient")).length,
    scrolled: wide.map(each => {
      each.scrollLeft = 60;
      const first = each.querySelector("tbody th, tbody td").getBoundingClientRect();
      return first.left - each.getBoundingClientRect().left;
    }),
    unreachable: all(".scroll").filter(each => each.tabIndex !== 0 || !each.getAttribute("aria-label")).length,
    dead: all("a").filter(each => !page.querySelector(each.getAttribute("href"))).length,
    top: Object.fromEntries([".facts", ".plot", ".glance-picture"].map(
      name => [name, page.querySelector(name) && page.querySelector(name).getBoundingClientRect().top])),
  };
  document.querySelector("#found").textContent = JSON.stringify(found);
};
</script>
"""


def look(folder: Path, html: str, width: int, *, opens: bool = True) -> dict[str, Any]:
    """Returns what a browser measures of the page in a window of that width, its folds opened."""
    frame = _LOOK.replace("WIDTH", str(width)).replace("OPEN", json.dumps(opens))
    (folder / "look.html").write_text(frame.replace("PAGE", escape(html, quote=True)), encoding="utf-8")
    words = ["chromium", *_FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    done = run([*words, (folder / "look.html").as_uri()])
    assert done.returncode == 0, done.stderr
    said = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert said is not None and said[1], done.stdout[-2000:]
    found: dict[str, Any] = json.loads(said[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    return found


@pytest.mark.usefixtures("chromium")
@pytest.mark.parametrize(("width", "bundles"), [(1280, 12), (390, 5)])
def test_nothing_is_cut_off_without_a_sign_that_it_scrolls(tmp_path: Path, width: int, bundles: int) -> None:
    found = look(tmp_path, render(whole_report(bundles)), width)
    assert found["width"] == width and found["overflow"] <= 0 and found["cut"] == []
    assert "All checks" in found["wide"] and found["unsigned"] == 0
    assert all(abs(left) <= 1 for left in found["scrolled"]), "the first column stays"
    assert found["unreachable"] == 0 and found["dead"] == 0


@pytest.mark.usefixtures("chromium")
def test_no_table_of_five_bundles_has_to_scroll_on_a_desktop(tmp_path: Path) -> None:
    assert look(tmp_path, render(whole_report()), 1280)["wide"] == []


@pytest.mark.usefixtures("chromium")
def test_letters_in_plots_are_11_px_or_more_on_a_phone(tmp_path: Path) -> None:
    found = look(tmp_path, render(whole_report()), 390)
    assert len(found["letters"]) > 50 and min(found["letters"]) >= 11


@pytest.mark.usefixtures("chromium")
def test_the_first_screen_has_figures_plots_and_golden_pictures(tmp_path: Path) -> None:
    top = look(tmp_path, render(whole_report(bundles=2)), 1280, opens=False)["top"]
    assert 0 < top[".facts"] < top[".plot"] < 600 and 0 < top[".glance-picture"] < 600


@pytest.mark.usefixtures("chromium")
def test_a_bundle_of_a_long_name_breaks_no_page(tmp_path: Path) -> None:
    name = "a_bundle_whose_name_somebody_made_of_a_whole_sentence_without_a_single_space.tflite"
    measured = tuple(each.model_copy(update={"bundle": name}) for each in numbers().measurements[:1])
    lines = (report().bundles[0].model_copy(update={"title": name, "bundle": name}),)
    page = render(report(bundles=lines, numbers=numbers().model_copy(update={"measurements": measured})))
    found = look(tmp_path, page, 390)
    assert found["overflow"] <= 0 and found["cut"] == [] and min(found["letters"]) >= 11


def luminance(colour: str) -> float:
    """WCAG 2's relative luminance of #rrggbb."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_all_text_has_the_contrast_that_wcag_asks_for(mode: int) -> None:
    sheet = (Path(page_module.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", sheet.split("@media")[mode]))
    pairs = [(name, "paper") for name in ("ink", "muted", "pass", "fail")] + [("open", "open-tint"), ("ink", "tint")]
    for text, ground in pairs:
        dark, light = sorted((luminance(colours[text]), luminance(colours[ground])))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
