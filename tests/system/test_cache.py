"""A fetched folder in the cache is whole or missing, and made by one process at a time."""

import threading
from pathlib import Path

import pytest

from mobile_sdk.system.cache import cache_folder, made_once
from tests.support.child_process import wait_until


def test_the_cache_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mobile-sdk"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "mobile-sdk"


def test_an_interrupted_make_leaves_nothing_that_counts_as_made(tmp_path: Path) -> None:
    def interrupted(unfinished: Path) -> None:
        (unfinished / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made_once(tmp_path / "thing", interrupted)
    assert not (tmp_path / "thing").exists()

    made = made_once(tmp_path / "thing", lambda unfinished: (unfinished / "whole").touch())
    assert [path.name for path in made.iterdir()] == ["whole"]


def test_two_at_once_make_it_once(tmp_path: Path) -> None:
    makes: list[Path] = []
    asked: list[int] = []

    def make(unfinished: Path) -> None:
        makes.append(unfinished)
        wait_until(lambda: len(asked) == 4)

    def ask() -> None:
        asked.append(1)
        made_once(tmp_path / "thing", make)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(makes) == 1
    assert (tmp_path / "thing").is_dir()


def test_what_is_made_is_not_made_again(tmp_path: Path) -> None:
    made_once(tmp_path / "thing", lambda unfinished: None)
    made_once(tmp_path / "thing", lambda unfinished: pytest.fail("made twice"))
