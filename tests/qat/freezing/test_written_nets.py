"""Nets made at random are right or refused in one line: never another net, never a step apart, never a crash."""

import pytest

from tests.support.nets.written_nets import judged

SEEDS = range(36)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_net_is_exact_in_both_runtimes_or_refused_in_one_line(seed, tmp_path):
    assert judged(seed, tmp_path).fault == ""


def test_few_written_nets_are_refused(tmp_path):
    refused = [outcome.refusal for seed in SEEDS[:12] if (outcome := judged(seed, tmp_path)).refusal]
    assert len(refused) <= 3, refused
