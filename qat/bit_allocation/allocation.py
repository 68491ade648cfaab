"""Chooses the bits of every layer by what each costs, and calibrates the net with them: 4 or 8, or float32."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from mobile_sdk.contract import Contract
from mobile_sdk.program.record import BitAllocation, FrontierPoint, int8_index
from qat.arguments.bit_target import BitTarget
from qat.bit_allocation.accuracy import accuracy, with_classes
from qat.bit_allocation.frontier import MIB, Candidate, Measure, above_accuracy, above_floor, frontier, within_budget
from qat.bit_allocation.sensitivities import activations_share, noise_shares
from qat.bit_allocation.sensitivities_file import SensitivitiesFile
from qat.calibration.calibration import (
    CALIBRATION_PICTURES,
    Stage,
    at_once,
    calibration_stages,
)
from qat.calibration.held_back import CALIBRATED_CROPS, hold_back
from qat.calibration.plan import CalibrationPlan
from qat.data.content_hash import Fingerprint, hash_all
from qat.data.picture_set import PictureSet
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.preparation import prepare
from qat.preparation.weight_bits import FLOAT_BITS, four_bit_layers, int8_layers, layer_bytes
from qat.progress import say
from qat.training.checkpoint import hash_net

_METHOD = "2"  # other numbers of earlier releases are not taken up
_BEFORE_ROUNDING = ("extremes", "ranges", "equalisation", "ranges, measured")


@dataclass(frozen=True, kw_only=True)
class AllocatedNet:
    """Holds the calibrated net, calibration's stages, and how the bits of its layers were chosen.

    `bits` are those of layers that can have four, by name; `in_float` are layers chosen to stay in float32.
    """

    net: FakeQuantNet
    bits: dict[str, int]
    in_float: tuple[str, ...]
    stages: tuple[Stage, ...]
    allocation: BitAllocation


def allocate_bits(
    net: nn.Module,
    contract: Contract,
    pictures: PictureSet,
    target: BitTarget,
    plan: CalibrationPlan | None = None,
    *,
    keep_float: Sequence[str] = (),
    folder: Path | None = None,
    validation: PictureSet | None = None,
) -> AllocatedNet:
    """Returns `net` with the fewest bits that keep the quality of `target`, or the best that keep its size, calibrated.

    Layers that cannot have four bits keep 8, and those in `keep_float` float32. A quality that 8 bits everywhere do not
    reach may keep a few layers more in float32. An accuracy is that of the program on `validation`. What is measured is
    written in `folder` at once, and a call for the same net, pictures and plan goes on from there. Raises SettingError
    for a size below that of 4 bits everywhere, for a quality that is not reached, and for an accuracy without pictures
    that have classes.
    """
    judged = None if target.min_accuracy is None else with_classes(validation)
    return _Allocation(net, contract, pictures, plan or CalibrationPlan(), keep_float, folder, judged).choose(target)


class _Allocation:
    """Chooses among the nets of a frontier.

    A net goes by its number of layers: those at 4 bits, or below 0 those in float32. 0 has 8 bits everywhere.
    """

    def __init__(
        self,
        net: nn.Module,
        contract: Contract,
        pictures: PictureSet,
        plan: CalibrationPlan,
        keep_float: Sequence[str],
        folder: Path | None,
        validation: PictureSet | None,
    ) -> None:
        self._net, self._contract, self._plan, self._keep_float = net, contract, plan, keep_float
        self._pictures, self._validation = pictures[:CALIBRATION_PICTURES], validation
        self._seen, self._judged = hold_back(self._pictures, contract.input, plan)
        self._in_int8 = self._prepared({}, ())
        self._bytes = layer_bytes(self._in_int8)
        self._layers = four_bit_layers(self._in_int8)
        self._file = SensitivitiesFile(folder, self._fingerprint())
        self._ranged: FakeQuantNet | None = None
        self._calibrated: dict[int, tuple[FakeQuantNet, tuple[Stage, ...]]] = {}
        self._points: tuple[FrontierPoint, ...] = ()
        self._hash = "" if validation is None else validation.fingerprint()
        self._measured: set[int] = {0}  # an earlier call's other points are no part of this one's record

    def choose(self, target: BitTarget) -> AllocatedNet:
        """Measures what is not known yet, and returns the chosen net."""
        self._measure_layers(self._layers, 4)
        self._points = self._frontier()
        if target.max_mib is not None:
            chosen = within_budget(self._points, target.max_mib)
        elif target.min_db is not None:
            if self._measured_db(0) < target.min_db:
                self._add_float_layers()
            chosen = above_floor(self._points, target.min_db, self._of_index(self._measured_db))
        else:
            assert target.min_accuracy is not None
            if self._accuracy(0) < target.min_accuracy:
                self._add_float_layers()
            chosen = above_accuracy(self._points, target.min_accuracy, self._of_index(self._accuracy))
        return self._result(target, chosen)

    def _result(self, target: BitTarget, chosen: int) -> AllocatedNet:
        int8 = int8_index(self._points)
        count = chosen - int8
        found_db = self._measured_db(count)
        net, stages = self._net_of(count)
        allocation = BitAllocation(
            max_mib=target.max_mib,
            min_db=target.min_db,
            min_accuracy=target.min_accuracy,
            images=len(self._judged),
            accuracy_images=None if self._validation is None else len(self._validation),
            frontier=tuple(self._with_measurements(point, index - int8) for index, point in enumerate(self._points)),
            chosen=chosen,
        )
        size, whole = (f"{each.weight_bytes / MIB:.3f}" for each in (allocation.point, allocation.int8_point))
        in_float = f"float32 in {-count}, " if count < 0 else ""
        say(
            f"bits of layers: {in_float}4 in {max(count, 0)} of {len(self._layers)} that can have them, {size} MiB of "
            f"weights ({whole} with 8), {found_db:.1f} dB ({allocation.int8_point.predicted_db:.1f} with 8)"
        )
        bits = self._bits_of(count)
        return AllocatedNet(net=net, bits=bits, in_float=allocation.in_float, stages=stages, allocation=allocation)

    def _frontier(self, in_float: Sequence[Candidate] = ()) -> tuple[FrontierPoint, ...]:
        known = self._file.content
        assert known.int8_db is not None
        at_four = [self._candidate(layer, 4, known.noise_shares[layer]) for layer in self._layers]
        return frontier(
            at_four,
            int8_bytes=sum(self._bytes.values()),
            int8_db=known.int8_db,
            in_float=in_float,
            activations_share=known.activations_share or 0.0,
        )

    def _add_float_layers(self) -> None:
        """Makes points with layers in float32 part of the frontier, for a quality that 8 bits do not reach."""
        layers = int8_layers(self._in_int8)
        self._measure_layers(layers, 8)
        if self._file.content.activations_share is None:
            judged = self._judged.tensors(self._contract.input)
            self._keep(activations_share=activations_share(self._before_rounding(), judged))
        shares = self._file.content.int8_shares
        self._points = self._frontier([self._candidate(layer, 8, shares[layer]) for layer in layers])

    def _candidate(self, layer: str, bits: int, noise_share: float) -> Candidate:
        """Returns the step of a layer to so many bits: from 8 to 4, or from float32 to 8."""
        wider = self._bytes[layer] * (FLOAT_BITS if bits == 8 else 8) // 8
        return Candidate(layer=layer, saved_bytes=wider - self._bytes[layer] * bits // 8, noise_share=noise_share)

    def _measure_layers(self, layers: Mapping[str, Sequence[str]], bits: int) -> None:
        """Measures the net with 8 bits, and every layer alone with `bits`, as far as the file does not say it."""
        known, field = self._file.content, "noise_shares" if bits == 4 else "int8_shares"
        missing = {layer: modules for layer, modules in layers.items() if layer not in getattr(known, field)}
        if known.int8_db is not None and not missing:
            return
        ranged, spec = self._before_rounding(), self._contract.input
        views = at_once(self._seen[:CALIBRATED_CROPS].tensors(spec))
        for layer, share in noise_shares(ranged, missing, views, self._judged.tensors(spec), bits):
            self._keep(**{field: {**getattr(self._file.content, field), layer: share}})

    def _before_rounding(self) -> FakeQuantNet:
        """Returns the net in int8, calibrated up to the rounding of its weights."""
        if self._ranged is None:
            self._calibrate(0)
        assert self._ranged is not None
        return self._ranged

    def _of_index(self, measure: Callable[[int], float]) -> Measure:
        """Returns the measurement of a net by its point's index."""
        return lambda index: measure(index - int8_index(self._points))

    def _measured_db(self, count: int) -> float:
        """Returns the SQNR of the calibrated net."""
        self._measured.add(count)
        if count not in self._file.content.measured_db:
            self._net_of(count)
        return self._file.content.measured_db[count]

    def _accuracy(self, count: int) -> float:
        """Returns the accuracy of the calibrated net's program."""
        assert self._validation is not None
        self._measured_db(count)
        known = self._file.content.accuracies.get(self._hash, {})
        if count not in known:
            known = {**known, count: accuracy(self._net_of(count)[0], self._contract, self._validation)}
            self._keep(accuracies={**self._file.content.accuracies, self._hash: known})
        return known[count]

    def _with_measurements(self, point: FrontierPoint, count: int) -> FrontierPoint:
        """Returns the point with what this call measured of its net."""
        if count not in self._measured:
            return point
        found = None if self._validation is None else self._accuracy(count)
        return point.model_copy(update={"measured_db": self._measured_db(count), "measured_accuracy": found})

    def _net_of(self, count: int) -> tuple[FakeQuantNet, tuple[Stage, ...]]:
        if count not in self._calibrated:
            self._calibrate(count)
        return self._calibrated[count]

    def _calibrate(self, count: int) -> None:
        net = self._prepared(self._bits_of(count), self._in_float(count)) if count else self._in_int8
        stages = list[Stage]()
        for stage in calibration_stages(net, self._pictures, self._plan):
            stages.append(stage)
            if count == 0 and stage.name in _BEFORE_ROUNDING:
                self._ranged = copy.deepcopy(net)
        self._calibrated[count] = net, tuple(stages)
        found_db, known = [stage.sqnr_db for stage in stages if stage.is_kept][-1], self._file.content
        self._keep(int8_db=known.int8_db if count else found_db, measured_db={**known.measured_db, count: found_db})

    def _keep(self, **found: Any) -> None:
        self._file.keep(self._file.content.model_copy(update=found))

    def _in_float(self, count: int) -> tuple[str, ...]:
        int8 = int8_index(self._points) if count else 0
        return tuple(point.layer for point in self._points[int8 + count : int8] if point.layer)

    def _bits_of(self, count: int) -> dict[str, int]:
        int8, in_float = int8_index(self._points), self._in_float(count)
        few = {point.layer for point in self._points[int8 + 1 : int8 + count + 1]}
        return {layer: 4 if layer in few else 8 for layer in self._layers if layer not in in_float}

    def _prepared(self, bits: dict[str, int], in_float: Sequence[str]) -> FakeQuantNet:
        kept = (*self._keep_float, *in_float)
        return prepare(self._net, self._contract, keep_float=kept, weight_bits=bits, pictures=self._pictures)

    def _fingerprint(self) -> Fingerprint:
        """Returns hashes of all that measurements depend on."""
        captured = self._in_int8.captured
        return {
            "net": hash_all((captured.code.encode(), hash_net(captured).encode())),
            "pictures": self._pictures.pictures_hash(),
            "input": hash_all((self._contract.input.model_dump_json().encode(),)),
            "calibration": hash_all((repr(self._plan).encode(), *sorted(name.encode() for name in self._in_int8.kept))),
            "method": _METHOD,
        }
