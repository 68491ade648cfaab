"""A core's abilities are the prior of a latency, and bound it: errors of the newer phones, with nets left out."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.latency_model.multi_hardware import BLOCKS, multi_hardware_graph
from benchmarks.latency_model.published_work import work_of
from mobile_sdk.latency.cross_validation import (
    mean_error_share,
    share_within,
    unseen_family_errors,
    unseen_net_errors,
)
from mobile_sdk.latency.fit import Sample, fit_models
from mobile_sdk.latency.model import Setup
from mobile_sdk.latency.processors import DENSE, Processor, processors
from mobile_sdk.latency.published import PublishedNet, published_models, published_rows, published_samples
from mobile_sdk.latency.work import AMOUNTS, count_work

CORES = st.sampled_from(list(processors().values()))
NEWER = ("pixel-6", "galaxy-s23")


@given(CORES, CORES)
def test_costs_of_two_cores_beside_each_other_are_inverse(one: Processor, other: Processor) -> None:
    for precision in ("int8", "float32"):
        there, back = one.costs_beside(other, precision), other.costs_beside(one, precision)
        assert set(there) == set(AMOUNTS)
        assert all(there[name] * back[name] == pytest.approx(1) for name in AMOUNTS)


def test_dot_products_speed_up_dense_work_in_int8_alone() -> None:
    core = processors()["pixel-6"]
    without = replace(core, int8_dot_macs_per_cycle=0)
    factors = core.costs_beside(without, "int8")
    assert {name for name, factor in factors.items() if factor < 1} == set(DENSE)
    assert set(core.costs_beside(without, "float32").values()) == {1.0}


def test_every_phone_with_latencies_has_a_processor() -> None:
    assert {row.setup.device for row in published_rows()} <= processors().keys()


def test_no_published_model_multiplies_faster_than_its_cores_peak() -> None:
    for model in published_models():
        peak = processors()[model.setup.device].dense_gmac_per_s(model.setup.precision) * model.setup.threads
        for name in DENSE:
            assert model.costs_ns[name] * peak >= 0.999, (model.setup, name)


def test_an_impossible_latency_is_not_believed() -> None:
    """Ten times faster than the phone's peak: the fit keeps to the peak, and without the core it would not."""
    fast = [replace(each, latency_ms=each.latency_ms / 10) for each in published_samples() if is_of("pixel-6", each)]
    setup, peak = fast[0].setup, processors()["pixel-6"].dense_gmac_per_s("int8")
    assert fit_models(fast)[setup].costs_ns["pointwise_macs"] * peak == pytest.approx(1)
    assert fit_models(fast, cores={})[setup].costs_ns["pointwise_macs"] * peak < 0.5


def test_several_threads_say_nothing_of_one() -> None:
    one = [each for each in published_samples() if is_of("pixel-6", each)]
    four = [replace(each, setup=each.setup.model_copy(update={"threads": 4}), latency_ms=9.0) for each in one]
    setup = one[0].setup
    assert fit_models([*one, *four])[setup].costs_ns == pytest.approx(fit_models(one)[setup].costs_ns)


def test_cores_make_the_newer_phones_better() -> None:
    samples = [each for each in published_samples() if each.setup.device in NEWER]
    for errors in (unseen_net_errors, unseen_family_errors):
        after = mean_error_share(errors(samples), lambda setup: True)
        before = mean_error_share(errors(samples, lambda seen: fit_models(seen, cores={})), lambda setup: True)
        assert after is not None and before is not None and after < before


@pytest.mark.parametrize(("device", "rows"), [("pixel-6", 9), ("galaxy-s23", 7)])
def test_newer_phones_keep_their_bounds_with_a_net_left_out(device: str, rows: int) -> None:
    errors = {each: error for each, error in unseen_net_errors(published_samples()).items() if is_of(device, each)}
    share = mean_error_share(errors, lambda setup: True)
    assert len(errors) == rows and share is not None and share <= 0.08
    assert share_within(errors, 0.2, lambda setup: True) == 1.0


def test_the_share_within_a_bound_counts_both_signs() -> None:
    first, second, third, *_ = published_samples()
    errors = {first: -0.04, second: 0.05, third: 0.3}
    assert share_within(errors, 0.05, lambda setup: True) == pytest.approx(2 / 3)
    assert share_within(errors, 0.05, lambda setup: False) is None


@pytest.mark.parametrize(("name", "millions"), [("mobilenet_multi_max", 8.9), ("mobilenet_multi_avg", 10.0)])
def test_multi_hardware_nets_have_the_weights_that_are_published(name: str, millions: float) -> None:
    work = count_work(multi_hardware_graph(name, width=1.5, size_px=224, classes=1000))
    assert work.weights / 1e6 == pytest.approx(millions, abs=0.06)
    assert name in BLOCKS and work_of(net(name, 1.5, 224), is_int8=True) == work
    assert {each.work for each in published_samples() if each.net == net(name, 1.5, 224).title} == {work}


def test_work_of_the_newer_nets_is_that_of_the_nets() -> None:
    chosen = net("mobilenet_v4_conv_small", 1.0, 224)
    assert {each.work for each in published_samples() if each.net == chosen.title} == {work_of(chosen, is_int8=True)}


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("mobilenet_v3_small_minimalistic", "mobilenet_v3"),
        ("mobilenet_v4_conv_large", "mobilenet_v4"),
        ("mobilenet_multi_avg", "mobilenet_multi"),
        ("mobileone_s4", "mobileone"),
        ("efficientnet_lite0", "efficientnet"),
    ],
)
def test_families(name: str, family: str) -> None:
    assert net(name, 1.0, 224).family == family


def net(name: str, width: float, size_px: int) -> PublishedNet:
    return PublishedNet(name=name, width=width, hidden=None, size_px=size_px)


def is_of(device: str, sample: Sample) -> bool:
    return sample.setup == Setup(device=device, runtime="xnnpack-2024", precision="int8")
