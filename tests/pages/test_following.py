"""A page's blocks are run in order, and its outputs match those of another run, but for fractions and times."""

from pathlib import Path

import pytest

from docs.follow import blocks, matches, printed, with_printed

PAGE = """
<!-- saved as add.py -->
```python
print(2 + 2, "apples in 0.25 s")
```

```sh
python add.py
```

```text
4 apples in 1.5 s
```

<!-- not run: it needs the network -->
```sh
curl nowhere
```

```sh
true
```

A sentence.

```text
this is no output
```
"""


def test_blocks_are_those_that_are_run_with_the_outputs_right_below_them() -> None:
    saved, run, silent = blocks(PAGE)
    assert (saved.saved_as, saved.shown) == ("add.py", None)
    assert (run.text, run.shown) == ("python add.py\n", "4 apples in 1.5 s\n")
    assert (silent.text, silent.shown) == ("true\n", None)


def test_blocks_share_a_folder_and_the_output_is_all_that_is_printed(tmp_path: Path) -> None:
    assert [printed(block, tmp_path) for block in blocks(PAGE)] == ["", "4 apples in 0.25 s\n", ""]


def test_a_block_that_fails_says_what_it_printed(tmp_path: Path) -> None:
    (block,) = blocks("```sh\necho before\nfalse\necho after\n```\n")
    with pytest.raises(AssertionError, match=r"exit code 1:\nbefore\n"):
        printed(block, tmp_path)


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ("98.20 %", "97.9 %"),
        ("rate 2.95e-03", "rate 1.5e-05"),
        ("done in 83 s", "done in 4 s"),
        ("2.4 s", "31.95 s"),
        ("done in 2 min", "done in 95 s"),
        ("334 pictures/s, about 82 s left", "1044 pictures/s, about 2 min left"),
        ("a   b", "a b"),
        ("────", "──────────"),
        ("digest: …", "digest: 0bdb87f"),
        ("first\n…\nlast", "first\nsecond\nthird\nlast\n"),
        ("first\n…\nlast", "first\nlast"),
        ("  indented", "indented"),
        ("first\nlast", "first\nepoch 3/10: 15 of 62\nbench: round 15 (57%)\nlast"),
    ],
)
def test_these_outputs_match(shown: str, found: str) -> None:
    assert matches(shown, found)


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ("0 steps apart", "1 steps apart"),
        ("128 images", "129 images"),
        ("pass", "FAIL"),
        ("98.20 %", "not run"),
        ("first\nlast", "first\nsecond\nlast"),
        ("first", "first\nsecond"),
        ("first\nlast", "first\nint8: 15 of 62 images\nlast"),
        ("a\n…\nb", "a"),
    ],
)
def test_these_outputs_do_not_match(shown: str, found: str) -> None:
    assert not matches(shown, found)


def test_outputs_that_no_longer_match_are_written_anew_and_the_others_stay(tmp_path: Path) -> None:
    page = "```sh\necho 1.5 s\n```\n\n```text\n2.5 s\n```\n\n```sh\necho pass\n```\n\n```text\nfail\n```\n"
    assert with_printed(page, tmp_path) == page.replace("fail", "pass")
