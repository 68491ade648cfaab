"""Benchmarks stay on the big cores, where a processor has such."""

import os
import sys
from pathlib import Path

import pytest

from mobile_sdk.benchmarking import big_cores

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="affinity is Linux's")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[set[int]]:
    """Collects the requests to the system, on a processor of four small cores and two big ones."""
    kept: list[set[int]] = []
    monkeypatch.setattr(big_cores, "_PROCESSORS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3, 4, 5})
    monkeypatch.setattr(os, "sched_setaffinity", lambda process, cores: kept.append(set(cores)))
    for core in range(6):
        (tmp_path / f"cpu{core}/cpufreq").mkdir(parents=True)
        clock_khz = 2_800_000 if core >= 4 else 1_800_000
        (tmp_path / f"cpu{core}/cpufreq/cpuinfo_max_freq").write_text(f"{clock_khz}\n")
    return kept


def test_one_and_two_threads_stay_on_the_two_big_cores(asked: list[set[int]]) -> None:
    assert big_cores.use_big_cores(1) == [4, 5]
    assert big_cores.use_big_cores(2) == [4, 5]
    assert asked == [{4, 5}, {4, 5}]


def test_more_threads_than_big_cores_take_the_next_fastest(asked: list[set[int]], tmp_path: Path) -> None:
    (tmp_path / "cpu2/cpufreq/cpuinfo_max_freq").write_text("2200000\n")
    assert big_cores.use_big_cores(3) == [2, 4, 5]
    assert big_cores.use_big_cores(4) == big_cores.use_big_cores(9) == [0, 1, 2, 3, 4, 5]
    assert asked == [{2, 4, 5}, {0, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 4, 5}]


def test_capacity_decides_where_no_clock_is_told(asked: list[set[int]], tmp_path: Path) -> None:
    for core in range(6):
        (tmp_path / f"cpu{core}/cpufreq/cpuinfo_max_freq").unlink()
        (tmp_path / f"cpu{core}/cpu_capacity").write_text("1024" if core == 2 else "300")
    assert big_cores.use_big_cores(1) == [2]


def test_cores_that_are_alike_are_all_used(asked: list[set[int]], tmp_path: Path) -> None:
    for core in range(6):
        (tmp_path / f"cpu{core}/cpufreq/cpuinfo_max_freq").unlink()
    assert big_cores.use_big_cores(1) == [0, 1, 2, 3, 4, 5]
