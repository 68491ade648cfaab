"""Chooses 4 or 8 bits for every layer by what each costs, and calibrates the net with them."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from mobile_sdk.contract import Contract
from mobile_sdk.program.record import BitAllocation, FrontierPoint
from qat.arguments.bit_target import BitTarget
from qat.bit_allocation.frontier import MIB, Candidate, above_floor, frontier, within_budget
from qat.bit_allocation.sensitivities import FOUR_BITS, noise_shares
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
from qat.preparation.weight_bits import four_bit_layers, layer_bytes
from qat.progress import say
from qat.training.checkpoint import hash_net

_METHOD = "1"  # other numbers of earlier releases are not taken up
_BEFORE_ROUNDING = ("extremes", "range search", "equalisation", "range measurement")


@dataclass(frozen=True, kw_only=True)
class AllocatedNet:
    """Holds the calibrated net, the bits of its layers by name, calibration's stages, and how the bits were chosen."""

    net: FakeQuantNet
    bits: dict[str, int]
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
) -> AllocatedNet:
    """Returns `net` with the fewest bits that keep the quality of `target`, or the best that keep its size, calibrated.

    Layers that cannot have four bits keep 8, and those in `keep_float` float32. What is measured is written in
    `folder` at once, and a call for the same net, pictures and plan goes on from there. Raises SettingError for a size
    below that of 4 bits everywhere, and for a quality above that of 8.
    """
    return _Allocation(net, contract, pictures, plan or CalibrationPlan(), keep_float, folder).choose(target)


class _Allocation:
    def __init__(
        self,
        net: nn.Module,
        contract: Contract,
        pictures: PictureSet,
        plan: CalibrationPlan,
        keep_float: Sequence[str],
        folder: Path | None,
    ) -> None:
        self._net, self._contract, self._plan, self._keep_float = net, contract, plan, keep_float
        self._pictures = pictures[:CALIBRATION_PICTURES]
        self._seen, self._judged = hold_back(self._pictures, contract.input, plan)
        self._in_int8 = self._prepared({})
        self._layers = four_bit_layers(self._in_int8)
        self._file = SensitivitiesFile(folder, self._fingerprint())
        self._calibrated: dict[int, tuple[FakeQuantNet, tuple[Stage, ...]]] = {}
        self._points: tuple[FrontierPoint, ...] = ()
        self._measured: set[int] = {0}  # an earlier call's other points are no part of this one's record

    def choose(self, target: BitTarget) -> AllocatedNet:
        """Measures what is not known yet, and returns the chosen net."""
        self._measure_layers()
        known = self._file.content
        assert known.int8_db is not None
        of_layers = layer_bytes(self._in_int8)
        candidates = [
            Candidate(layer=layer, saved_bytes=of_layers[layer] // 2, noise_share=known.noise_shares[layer])
            for layer in self._layers
        ]
        self._points = frontier(candidates, int8_bytes=sum(of_layers.values()), int8_db=known.int8_db)
        if target.max_mib is not None:
            chosen = within_budget(self._points, target.max_mib)
        else:
            assert target.min_db is not None
            chosen = above_floor(self._points, target.min_db, self._measured_db)
        point, found_db = self._points[chosen], self._measured_db(chosen)
        size, whole = (f"{each.weight_bytes / MIB:.3f}" for each in (point, self._points[0]))
        say(
            f"bits of layers: 4 in {chosen} of {len(candidates)} that can have them, {size} MiB of weights "
            f"({whole} with 8), {found_db:.1f} dB ({known.int8_db:.1f} with 8)"
        )
        return self._result(target, chosen)

    def _result(self, target: BitTarget, chosen: int) -> AllocatedNet:
        net, stages = self._net_of(chosen)
        measured_db = self._file.content.measured_db
        points = tuple(
            point.model_copy(update={"measured_db": measured_db[index]}) if index in self._measured else point
            for index, point in enumerate(self._points)
        )
        allocation = BitAllocation(
            max_mib=target.max_mib, min_db=target.min_db, images=len(self._judged), frontier=points, chosen=chosen
        )
        return AllocatedNet(net=net, bits=self._bits_of(chosen), stages=stages, allocation=allocation)

    def _measure_layers(self) -> None:
        """Measures the net with 8 bits, and every layer alone with 4, as far as the file does not say it."""
        known = self._file.content
        missing = {layer: modules for layer, modules in self._layers.items() if layer not in known.noise_shares}
        if known.int8_db is not None and not missing:
            return
        ranged, stages = self._in_int8, list[Stage]()
        for stage in calibration_stages(self._in_int8, self._pictures, self._plan):
            stages.append(stage)
            if stage.name in _BEFORE_ROUNDING:
                ranged = copy.deepcopy(self._in_int8)
        self._calibrated[0] = self._in_int8, tuple(stages)
        self._keep_measured(0, stages)
        spec = self._contract.input
        views = at_once(self._seen[:CALIBRATED_CROPS].tensors(spec))
        for layer, share in noise_shares(ranged, missing, views, self._judged.tensors(spec)):
            self._file.keep(noise_shares={layer: share})

    def _measured_db(self, count: int) -> float:
        """Returns the SQNR of the calibrated net whose first `count` layers of the frontier have four bits."""
        self._measured.add(count)
        if count not in self._file.content.measured_db:
            self._net_of(count)
        return self._file.content.measured_db[count]

    def _net_of(self, count: int) -> tuple[FakeQuantNet, tuple[Stage, ...]]:
        if count not in self._calibrated:
            net = self._prepared(self._bits_of(count))
            stages = tuple(calibration_stages(net, self._pictures, self._plan))
            self._calibrated[count] = net, stages
            self._keep_measured(count, stages)
        return self._calibrated[count]

    def _keep_measured(self, count: int, stages: Sequence[Stage]) -> None:
        found_db = [stage.sqnr_db for stage in stages if stage.is_kept][-1]
        self._file.keep(int8_db=found_db if count == 0 else None, measured_db={count: found_db})

    def _bits_of(self, count: int) -> dict[str, int]:
        few = {point.layer for point in self._points[1 : count + 1]}
        return {layer: FOUR_BITS if layer in few else 8 for layer in self._layers}

    def _prepared(self, bits: dict[str, int]) -> FakeQuantNet:
        return prepare(
            self._net, self._contract, keep_float=self._keep_float, weight_bits=bits, pictures=self._pictures
        )

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
