"""Fits costs to measured latencies: they are few, never negative, and near the prior where latencies say little.

A latency is a sum over kinds of work of amount times cost. The prior holds the costs relative to each other: those of
a core without dot products (`_KNOWN`), each scaled by the resource of the device's own core that limits it
(`Processor.costs_beside`), so that devices of one generation of kernels differ by their cores and little else. A
setup's speed is unknown. The estimate is the most probable one (maximum a posteriori) if a latency misses by 5 %, a
cost of all devices with the same kernels is 50 % off the prior (twice that for kinds that no published net has), and a
cost of one setup is 25 % off that of all in one thread (one standard deviation each). No dense multiply-add is faster
than the peak of the core's instructions. It solves a bounded least-squares problem; the formula
is in docs/guides/latency.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.latency.model import LatencyModel, Precision, Setup
from mobile_sdk.latency.processors import DENSE, Processor, processors
from mobile_sdk.latency.work import AMOUNTS, Work
from mobile_sdk.packages import check_installed, needed

Vector = NDArray[np.float64]

_LATENCY_DEVIATION_SHARE = 0.05
_KERNEL_DEVIATION_SHARE = 0.50
_DEVIATIONS = {  # of guessed costs
    **dict.fromkeys(("grouped_macs", "pooled_elements", "padded_pixels", "joined_elements", "sliced_elements"), 2.0),
    **dict.fromkeys(("shuffled_elements", "resized_elements", "moved_pixels", "row_elements"), 2.0),
    **dict.fromkeys(("converted_elements", "decoded_elements"), 2.0),
    "runs": 30.0,  # hardly anything in an app, and microseconds under Python
}
_KERNEL_DEVIATIONS = np.array([_DEVIATIONS.get(name, _KERNEL_DEVIATION_SHARE) for name in AMOUNTS])
_MEASURED_SHARE = 0.01  # of a latency: a kind that makes up less keeps its prior cost
_SETUP_DEVIATION_SHARE = 0.25
_SOLVER = ("scipy", "predicted latencies")
_ROUNDS = 60  # at most, of alternating between speeds and costs
_CONVERGED = 1e-7

_IS_DENSE = np.array([name in DENSE for name in AMOUNTS], np.float64)
_REFERENCE = Processor(  # one that `_KNOWN` holds for; what it is called does not matter
    device="", clock_ghz=2.5, fp32_macs_per_cycle=4, int8_dot_macs_per_cycle=0, memory_gb_per_s=30
)

# In units of a dense multiply-add, on a processor with 128-bit vectors and no dot products, rounded. A depthwise
# multiply-add loads its input and shares it with no other output; 8-bit integers speed up dense ones threefold and
# loads hardly at all. A weight comes from memory, and has 4 bytes or 1. Copies move bytes; a shuffle moves them three
# times, one by one. A call costs much the same nanoseconds in both precisions.
_KNOWN: dict[Precision, Work] = {
    "float32": Work(
        pointwise_macs=1,
        spatial_macs=1,
        grouped_macs=1,
        depthwise_macs=5,
        large_depthwise_macs=5,
        weights=4,
        moved_elements=1,
        summed_elements=5,
        scaled_elements=5,
        gated_elements=5,
        averaged_elements=5,
        pooled_elements=2,
        padded_pixels=250,
        joined_elements=3,
        sliced_elements=3,
        shuffled_elements=50,
        resized_elements=10,
        moved_pixels=250,
        row_elements=3,
        converted_elements=5,
        decoded_elements=25,
        operators=25_000,
        runs=100_000,
    ),
    "int8": Work(
        pointwise_macs=1,
        spatial_macs=1,
        grouped_macs=1,
        depthwise_macs=10,
        large_depthwise_macs=10,
        weights=3,
        moved_elements=3,
        summed_elements=15,
        scaled_elements=15,
        gated_elements=15,
        averaged_elements=15,
        pooled_elements=5,
        padded_pixels=750,
        joined_elements=5,
        sliced_elements=5,
        shuffled_elements=100,
        resized_elements=30,
        moved_pixels=750,
        row_elements=3,
        converted_elements=15,
        decoded_elements=75,
        operators=40_000,
        runs=100_000,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Holds a measured latency and its work; `net` and `family` say which samples are left out together."""

    setup: Setup
    net: str
    family: str
    work: Work
    latency_ms: float


@dataclass(frozen=True, kw_only=True)
class _Kernels:
    """Holds the samples that ran the same kernels, as arrays.

    `rows` are the prior's share of each latency by kind of work, (samples, kinds); `priors_ms` the prior costs of each
    setup, (setups, kinds); `of_setup` the index of each sample's setup. `least` is the least multiple of its prior that
    a dense multiply-add of each setup can cost: that of the peak on all its threads, 0 where no peak is known.
    """

    setups: Sequence[Setup]
    of_setup: NDArray[np.intp]
    priors_ms: Vector
    rows: Vector
    least: Vector

    def of_one_thread(self) -> "_Kernels":
        """Returns the part that ran in one thread, or all if there is none.

        Several threads share the memory and wait for each other between calls, so their costs relate otherwise: they
        take from those of one thread and say nothing of them.
        """
        chosen = np.array([setup.threads == 1 for setup in self.setups])
        if not chosen.any():
            return self
        rows = chosen[self.of_setup]
        return _Kernels(
            setups=[setup for setup in self.setups if setup.threads == 1],
            of_setup=(np.cumsum(chosen) - 1)[self.of_setup[rows]],
            priors_ms=self.priors_ms[chosen],
            rows=self.rows[rows],
            least=self.least[chosen],
        )


def fit_models(samples: Sequence[Sample], cores: Mapping[str, Processor] | None = None) -> dict[Setup, LatencyModel]:
    """Returns a model for every setup that has samples; setups with the same kernels inform each other.

    `cores` are the processors of devices, by their names; those of the table if None. A device that is not there has
    the prior costs of a core without dot products, and no peak.
    """
    known = processors() if cores is None else cores
    models = {}
    for kernels in dict.fromkeys(sample.setup.kernels for sample in samples):
        group = [sample for sample in samples if sample.setup.kernels == kernels]
        models.update(_fit_kernels(_arrays(group, kernels[1], known)))
    return models


def _arrays(samples: Sequence[Sample], precision: Precision, cores: Mapping[str, Processor]) -> _Kernels:
    setups = list(dict.fromkeys(sample.setup for sample in samples))
    of_setup = np.array([setups.index(sample.setup) for sample in samples])
    priors_ms = np.array([_prior_ms(precision, cores.get(setup.device)) for setup in setups])
    amounts = np.array([sample.work.amounts() / sample.latency_ms for sample in samples])
    return _Kernels(
        setups=setups,
        of_setup=of_setup,
        priors_ms=priors_ms,
        rows=amounts * priors_ms[of_setup],
        least=np.array([1 / setup.threads if setup.device in cores else 0.0 for setup in setups]),
    )


def check_can_fit() -> None:
    """Raises MachineError if the package that solves for the costs is not installed."""
    check_installed(*_SOLVER, extra="latency")


def _prior_ms(precision: Precision, core: Processor | None) -> Vector:
    """Returns the prior milliseconds of each kind on a core whose dense multiply-adds reach their peak."""
    known_ms: Vector = 1e-6 * _KNOWN[precision].amounts() / _REFERENCE.dense_gmac_per_s(precision)
    if core is None:
        return known_ms
    factors = core.costs_beside(_REFERENCE, precision)
    scaled: Vector = known_ms * np.array([factors[name] for name in AMOUNTS])
    return scaled


def _fit_kernels(kernels: _Kernels) -> dict[Setup, LatencyModel]:
    # Rows are divided by their latency, so residuals are relative errors. Columns are in units of the prior.
    common = _common_costs(kernels.of_one_thread())
    speeds = _scales(kernels.rows @ common, kernels.of_setup)
    measured = _measured_kinds(kernels.rows * common * speeds[kernels.of_setup, None])
    models = {}
    for index, setup in enumerate(kernels.setups):
        rows = kernels.rows[kernels.of_setup == index] * common
        least = np.divide(kernels.least[index] * _IS_DENSE, common, out=np.zeros_like(common), where=common > 0)
        own_ms = _own_costs(rows, speeds[index], least) * common * kernels.priors_ms[index]
        costs = dict(zip(AMOUNTS, (1e6 * own_ms).tolist(), strict=True))
        models[setup] = LatencyModel(setup=setup, costs_ns=costs, rows=len(rows), measured=measured)
    return models


def _measured_kinds(shares: Vector) -> tuple[str, ...]:
    """Returns the kinds that make up enough of some latency to be identified; rows are shares of a latency."""
    most = shares.max(axis=0)
    return tuple(name for name, share in zip(AMOUNTS, most, strict=True) if share >= _MEASURED_SHARE)


def _common_costs(kernels: _Kernels) -> Vector:
    """Returns factors on the prior, about 1, that all setups share."""
    of_setup, kinds = kernels.of_setup, kernels.rows.shape[1]
    factors: Vector = np.ones(kinds)
    scales = _scales(kernels.rows @ factors, of_setup)
    for _ in range(_ROUNDS):
        rows = kernels.rows * scales[of_setup, None]
        least = min(1.0, float((kernels.least / scales).max())) * _IS_DENSE
        before = factors
        factors = _most_probable(rows, np.ones(len(rows)), np.eye(kinds), np.ones(kinds), _KERNEL_DEVIATIONS, least)
        scales = _scales(kernels.rows @ factors, of_setup)
        if np.allclose(factors, before, rtol=_CONVERGED, atol=_CONVERGED):
            break
    return factors


def _own_costs(rows: Vector, scale: float, least: Vector) -> Vector:
    """Returns a setup's costs, near to a common scale that is itself unknown (the last column), `least` or more."""
    kinds = rows.shape[1]
    no_scale = np.zeros((len(rows), 1))
    apart = np.hstack([np.eye(kinds), -np.ones((kinds, 1))]) / scale
    deviations = np.full(kinds, _SETUP_DEVIATION_SHARE)
    targets, means = np.ones(len(rows)), np.zeros(kinds)
    found = _most_probable(np.hstack([rows, no_scale]), targets, apart, means, deviations, np.append(least, 0.0))
    return found[:kinds]


def _scales(relative: Vector, of_setup: NDArray[np.intp]) -> Vector:
    """Returns the scale of each setup that brings its rows nearest to 1."""
    sums = np.bincount(of_setup, relative)
    return np.asarray(sums / np.bincount(of_setup, relative**2))


def _most_probable(
    rows: Vector, targets: Vector, prior: Vector, means: Vector, deviations: Vector, least: Vector
) -> Vector:
    """Returns the most probable unknowns that are `least` or more; the solver takes what they have beyond it."""
    weighted = np.vstack([rows / _LATENCY_DEVIATION_SHARE, prior / deviations[:, None]])
    wanted = np.concatenate([targets / _LATENCY_DEVIATION_SHARE, means / deviations])
    solver = needed(*_SOLVER, extra="latency", module="scipy.optimize")
    beyond, _ = solver.nnls(weighted, wanted - weighted @ least)
    return np.asarray(beyond + least)
