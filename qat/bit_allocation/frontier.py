"""Orders layers by the noise that fewer bits add for every byte saved, and chooses how far to go down that order."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mobile_sdk.errors import SettingError
from mobile_sdk.program.record import FrontierPoint, int8_index

MIB = 2**20
TRIES = 6  # nets that are calibrated to find the smallest above a floor
MOST_IN_FLOAT = 8  # layers: what the eight noisiest do not bring, more of them hardly will
LEAST_NOISE = 1e-30

Measure = Callable[[int], float]
"""It returns the quality of the calibrated net of a point of the frontier, by the point's index."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Describes a layer that can have fewer bits: the bytes that it saves by them, and the noise share that it adds."""

    layer: str
    saved_bytes: int
    noise_share: float

    @property
    def noise_per_byte(self) -> float:
        """Returns the noise share that it adds for every byte that it saves."""
        return self.noise_share / self.saved_bytes


def frontier(
    candidates: Iterable[Candidate],
    *,
    int8_bytes: int,
    int8_db: float,
    in_float: Sequence[Candidate] = (),
    activations_share: float = 0.0,
) -> tuple[FrontierPoint, ...]:
    """Returns the choices through 8 bits everywhere, which have `int8_bytes` and `int8_db`, to 4 in all candidates.

    Every point gives fewer bits to one layer more, the one with the least noise for a byte of those that are left.
    Noises are taken to add up. `in_float` are layers that can stay in float32, with what 8 bits add to them and save:
    the noisiest for a byte stay longest, `MOST_IN_FLOAT` at most, and one is always left in int8. The noise share of
    the activations, which are rounded anyway, stays.
    """
    points = [FrontierPoint(weight_bytes=int8_bytes, predicted_db=int8_db, measured_db=int8_db)]
    noise, size_bytes = noise_of(int8_db), int8_bytes
    for each in sorted(candidates, key=lambda candidate: candidate.noise_per_byte):
        noise, size_bytes = noise + each.noise_share, size_bytes - each.saved_bytes
        points.append(_point(each, size_bytes, noise))
    noise, size_bytes = noise_of(int8_db), int8_bytes
    of_weights = max(noise - activations_share, 0.0)  # reconstruction takes back a part of either
    part = min(1.0, of_weights / max(sum(each.noise_share for each in in_float), LEAST_NOISE))
    noisiest = sorted(in_float, key=lambda candidate: candidate.noise_per_byte, reverse=True)
    for each in noisiest[: min(MOST_IN_FLOAT, len(in_float) - 1)]:
        noise, size_bytes = noise - part * each.noise_share, size_bytes + each.saved_bytes
        points.insert(0, _point(each, size_bytes, noise))
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


def above_floor(points: Sequence[FrontierPoint], min_db: float, measure: Measure) -> int:
    """Returns the last point found whose calibrated net has `min_db` or more; `measure` returns a point's dB.

    Predictions choose what is measured, and every measurement corrects them: calibration takes back a part of the
    noise. At most `TRIES` points are measured. If 8 bits do not reach the floor, points with layers in float32 are
    tried; SettingError, with the figures, says that none of them does.
    """
    int8 = int8_index(points)
    int8_db = points[int8].predicted_db
    start, most = noise_of(int8_db), noise_of(min_db)
    changes = [_at_least(noise_of(point.predicted_db) - start, index - int8) for index, point in enumerate(points)]
    met, missed = (int8, len(points)) if int8_db >= min_db else (-1, int8)
    factor, found_db = 1.0, {int8: int8_db}
    for _ in range(TRIES):
        fits = [index for index in range(met + 1, missed) if start + factor * changes[index] <= most]
        if met < 0 and (missed < int8 or not fits):
            fits = [0] if missed else []  # all that float32 can do, before it is refused
        if not fits:
            break
        tried = fits[-1]
        found_db[tried] = measure(tried)
        factor = max((noise_of(found_db[tried]) - start) / changes[tried], 0.0)
        met, missed = (tried, missed) if found_db[tried] >= min_db else (met, tried)
    if met < 0:
        raise _refusal(points, found_db, min_db)
    return met


def above_accuracy(points: Sequence[FrontierPoint], min_accuracy: float, measure: Measure) -> int:
    """Returns the last point found whose calibrated net has an accuracy of `min_accuracy`; `measure` returns a point's.

    The points are bisected: those after 8 bits everywhere, or, if these do not reach it, those with layers in float32.
    At most `TRIES` points are measured besides the ends. Raises SettingError, with the figures, if none reaches it.
    """
    int8 = int8_index(points)
    found = {int8: measure(int8)}
    met, missed = int8, len(points)
    if found[int8] < min_accuracy:
        met, missed = 0, int8
        if int8:
            found[0] = measure(0)
        if found[0] < min_accuracy:
            raise _refusal(points, found, min_accuracy, is_accuracy=True)
    for _ in range(TRIES):
        if missed - met <= 1:
            break
        middle = (met + missed) // 2
        met, missed = (middle, missed) if measure(middle) >= min_accuracy else (met, middle)
    return met


def noise_of(decibels: float) -> float:
    """Returns the share of noise, in power, that an SQNR in decibels says."""
    return float(10 ** (-decibels / 10))


def _point(candidate: Candidate, size_bytes: int, noise: float) -> FrontierPoint:
    return FrontierPoint(
        layer=candidate.layer,
        weight_bytes=size_bytes,
        noise_share=candidate.noise_share,
        predicted_db=-10 * math.log10(max(noise, LEAST_NOISE)),
    )


def _at_least(change: float, direction: int) -> float:
    """Returns a change of the noise that is none in the wrong direction, and never zero."""
    return max(change, LEAST_NOISE) if direction > 0 else min(change, -LEAST_NOISE)


def _refusal(
    points: Sequence[FrontierPoint], found: dict[int, float], floor: float, *, is_accuracy: bool = False
) -> SettingError:
    """Returns what is said if no point has the floor: the best that was found, and what float32 brought for its size.

    `found` is the quality of the points that were measured, by index.
    """
    int8 = int8_index(points)
    best = max(found, key=lambda index: (found[index], index))
    option, noun = ("--min-accuracy", "accuracy") if is_accuracy else ("--min-db", "SQNR")
    digits, unit = (3, "") if is_accuracy else (1, " dB")
    said = {index: f"{math.floor(value * 10**digits) / 10**digits:.{digits}f}{unit}" for index, value in found.items()}
    tried = max((index for index in found if index != int8), key=lambda index: found[index], default=int8)
    whole = points[int8].weight_bytes / MIB
    in_float = (
        f"; {_where(int8 - tried)} brought {said[tried]} instead of {said[int8]}, in "
        f"{points[tried].weight_bytes / MIB:.3f} MiB of weights instead of {whole:.3f}"
    )
    return SettingError(
        f"expected {option} of {said[best].removesuffix(unit)} or less, the {noun} with {_where(int8 - best)}, "
        f"found {floor:g}",
        hint="lower it, or calibrate better: more pictures, or other stages of --calibration"
        + (in_float if tried != int8 else ""),
    )


def _where(count: int) -> str:
    """Returns how many layers are in float32, in words."""
    return f"{count} layer{'s' if count > 1 else ''} in float32" if count else "8 bits everywhere"
