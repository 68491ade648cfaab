"""The interval of a share of images that come in clusters, as crops of few pictures do."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mobile_sdk.benchmarking.statistics import wilson_interval
from mobile_sdk.errors import SettingError
from mobile_sdk.workflow.tasks.clustered_share import LEAST_CORRELATION, clustered_interval, correlation

Hits = list[NDArray[np.bool_]]


def drawn(random: np.random.Generator, share: float, alike: float, clusters: int, images: int) -> Hits:
    """Clusters whose own shares are drawn from a beta distribution: two images of one have the correlation `alike`."""
    spread = 1 / alike - 1
    shares = random.beta(share * spread, (1 - share) * spread, clusters)
    return [random.random(images) < each for each in shares]


def hits(*rights: int, of: int) -> Hits:
    return [np.arange(of) < right for right in rights]


def test_single_images_have_wilsons_interval() -> None:
    assert clustered_interval(hits(*[1] * 81, *[0] * 182, of=1)) == wilson_interval(81, 263)


@pytest.mark.parametrize("clusters", [2, 3, 10])
@pytest.mark.parametrize("share", [0.9, 0.97])
def test_the_interval_covers_the_share_on_other_pictures_where_one_of_independent_crops_does_not(
    clusters: int, share: float
) -> None:
    random, draws = np.random.default_rng(clusters), 400
    found = [drawn(random, share, 0.1, clusters, 100 // clusters) for _ in range(draws)]
    held = [interval.low <= share <= interval.high for interval in map(clustered_interval, found)]
    alone = [wilson_interval(sum(int(each.sum()) for each in one), sum(each.size for each in one)) for one in found]
    assert sum(held) / draws >= 0.93
    assert sum(interval.low <= share <= interval.high for interval in alone) < min(0.94 * draws, sum(held))


def test_crops_of_more_pictures_say_more() -> None:
    lows = [clustered_interval(hits(*[100 // count] * count, of=100 // count)).low for count in (1, 2, 4, 10, 100)]
    assert lows == sorted(lows) and len(set(lows)) == 5
    assert lows[-1] == wilson_interval(100, 100).low


def test_pictures_that_differ_widen_the_interval() -> None:
    even, uneven = (clustered_interval(hits(*rights, of=20)) for rights in ((16, 16, 16, 16, 16), (20, 20, 20, 20, 0)))
    assert uneven.high - uneven.low > 1.5 * (even.high - even.low)
    assert even.low < 0.8 < even.high and uneven.low < 0.8 < uneven.high


def test_the_correlation_is_that_of_the_draws() -> None:
    random = np.random.default_rng(5)
    found = [correlation(drawn(random, 0.8, 0.3, 60, 10)) for _ in range(60)]
    assert np.mean(found) == pytest.approx(0.3, abs=0.02)
    assert correlation(hits(5, 5, of=5)) == correlation(hits(3, of=5)) == correlation(hits(1, 0, 1, of=1)) == 0


def test_no_cluster_or_an_empty_one_is_refused() -> None:
    assert LEAST_CORRELATION > 0
    for empty in ([], [np.zeros(0, np.bool_)]):
        with pytest.raises(SettingError, match="found an empty one"):
            clustered_interval(empty)
