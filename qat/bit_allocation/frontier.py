"""Orders layers by the noise that they add for every byte that they save, and chooses how many get four bits."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mobile_sdk.errors import SettingError
from mobile_sdk.program.record import FrontierPoint

MIB = 2**20
TRIES = 6  # nets that are calibrated to find the smallest above a floor
LEAST_NOISE = 1e-30


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Describes a layer that can have four bits: the bytes that it saves, and the noise share that it adds."""

    layer: str
    saved_bytes: int
    noise_share: float


def frontier(candidates: Iterable[Candidate], *, int8_bytes: int, int8_db: float) -> tuple[FrontierPoint, ...]:
    """Returns the choices from 8 bits everywhere, which have `int8_bytes` and `int8_db`, to 4 in all candidates.

    Every point gives four bits to one layer more, the one with the least noise for a byte of those that are left.
    Noises are taken to add up.
    """
    points = [FrontierPoint(weight_bytes=int8_bytes, predicted_db=int8_db, measured_db=int8_db)]
    noise, size_bytes = noise_of(int8_db), int8_bytes
    for each in sorted(candidates, key=lambda candidate: candidate.noise_share / candidate.saved_bytes):
        noise, size_bytes = noise + each.noise_share, size_bytes - each.saved_bytes
        points.append(
            FrontierPoint(
                layer=each.layer,
                weight_bytes=size_bytes,
                noise_share=each.noise_share,
                predicted_db=-10 * math.log10(max(noise, LEAST_NOISE)),
            )
        )
    return tuple(points)


def within_budget(points: Sequence[FrontierPoint], max_mib: float) -> int:
    """Returns the first point of at most `max_mib`; raises SettingError, with the sizes, if there is none."""
    for index, point in enumerate(points):
        if point.weight_bytes <= max_mib * MIB:
            return index
    least, most = (math.ceil(point.weight_bytes / MIB * 1000) / 1000 for point in (points[-1], points[0]))
    raise SettingError(
        f"expected --max-mib of {least:.3f} or more, the weights with 4 bits wherever they can be, found {max_mib:g}",
        hint=f"with 8 bits they have {most:.3f} MiB; choose a budget in between, or a smaller net",
    )


def above_floor(points: Sequence[FrontierPoint], min_db: float, measure: Callable[[int], float]) -> int:
    """Returns the last point found whose calibrated net has `min_db` or more; `measure` returns a point's dB.

    Predictions choose what is measured, and every measurement corrects them: calibration takes back a part of the
    noise. At most `TRIES` points are measured. Raises SettingError, with the figures, if 8 bits do not reach the floor.
    """
    int8_db = points[0].predicted_db
    if int8_db < min_db:
        raise SettingError(
            f"expected --min-db of {math.floor(int8_db * 10) / 10:.1f} or less, the SQNR with 8 bits everywhere, "
            f"found {min_db:g}",
            hint="lower it, or calibrate better: more pictures, or other stages of --calibration",
        )
    start, most = noise_of(int8_db), noise_of(min_db)
    added = [max(noise_of(point.predicted_db) - start, LEAST_NOISE) for point in points]
    met, missed, factor = 0, len(points), 1.0
    for _ in range(TRIES):
        fits = [index for index in range(met + 1, missed) if start + factor * added[index] <= most]
        if not fits:
            break
        found_db = measure(fits[-1])
        factor = max(noise_of(found_db) - start, 0.0) / added[fits[-1]]
        met, missed = (fits[-1], missed) if found_db >= min_db else (met, fits[-1])
    return met


def noise_of(decibels: float) -> float:
    """Returns the share of noise, in power, that an SQNR in decibels says."""
    return float(10 ** (-decibels / 10))
