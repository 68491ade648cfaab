"""Reads what a device draws: the rails of a phone's power meter, a battery's current, a processor's counters.

Android's power-stats service prints the cumulated energy of every rail that the phone meters, in millijoules (mWs), as
Pixel 6 and later do: `PowerStats::dumpEnergyMeter` in AOSP's hardware/interfaces/power/stats. A battery's gauge has
`current_now` in µA and `voltage_now` in µV (Linux, Documentation/ABI/testing/sysfs-class-power). Intel's and AMD's
processors count microjoules (Linux, Documentation/power/powercap).
"""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mobile_sdk.errors import MachineError

Shell = Callable[[str], str]
"""It returns what a script prints in the device's shell, or raises MachineError."""
Rails = Mapping[str, float]
"""It maps rails to millijoules."""

_RAILS = "dumpsys android.hardware.power.stats.IPowerStats/default 2>/dev/null; true"
_RAIL_LINE = re.compile(r"^\s*(\[\S+\]:.*?)\s+(-?\d+\.\d+) mWs\s*$")
_RAILS_BEGIN, _RAILS_END = "PowerStats HAL 2.0 energy meter =", "End of PowerStats HAL 2.0 energy meter"
_BATTERY = "/sys/class/power_supply/battery"
_PROCESSOR = (
    "for each in /sys/class/powercap/intel-rapl:[0-9]; do "
    "echo $each $(cat $each/energy_uj $each/max_energy_range_uj 2>/dev/null); done"
)
_SAMPLE_EVERY_S = 0.25
_FEWEST_SAMPLES = 4
_CHARGED = "it charges, and its battery's current is the charger's: connect over Wi-Fi (adb tcpip 5555), and unplug it"


@dataclass(frozen=True, kw_only=True)
class Window:
    """Holds what was drawn while something ran: seconds by the device's clock, and millijoules by rail."""

    seconds: float
    rails_mj: Rails

    @property
    def total_mj(self) -> float:
        """Returns the energy of all rails."""
        return sum(self.rails_mj.values())


class Meter(Protocol):
    """A meter tells what a device draws while something runs."""

    source: str

    def over(self, work: Callable[[], object], expected_s: float) -> Window:
        """Returns what was drawn during `work`, which takes some `expected_s`; raises MachineError without a number."""
        ...


def find_meter(shell: Shell) -> Meter | str:
    """Returns the first meter that the device lets its shell read, or why there is none."""
    if _rails(shell(_RAILS)):
        return CountingMeter("the rails of its power meter", shell, _RAILS, _rails)
    if _processors(shell(_PROCESSOR)):
        return CountingMeter("its processor's counters", shell, _PROCESSOR, _processors)
    words = shell(f"cat {_BATTERY}/current_now {_BATTERY}/voltage_now {_BATTERY}/status 2>/dev/null; true").split("\n")
    if len(words) >= 3 and _whole(words[0]) and _whole(words[1]):
        return BatteryMeter(shell) if words[2].strip() == "Discharging" else _CHARGED
    return "it tells its shell neither the energy of its rails nor its battery's current"


class CountingMeter:
    """Reads counters of energy before and after; each may begin anew at its largest number."""

    def __init__(self, source: str, shell: Shell, script: str, read: Callable[[str], dict[str, "Counter"]]) -> None:
        self.source, self._shell, self._script, self._read = source, shell, script, read

    def over(self, work: Callable[[], object], expected_s: float) -> Window:
        """Returns the difference of all counters; raises MachineError if they are gone or stand still."""
        before_s, before = self._reading()
        work()
        after_s, after = self._reading()
        rails = {name: counter.since(before[name]) for name, counter in after.items() if name in before}
        if after_s <= before_s or not any(rails.values()):
            raise MachineError(
                f"expected {self.source} to count, found that they stand still",
                hint="measure without --energy: this device does not meter itself",
            )
        return Window(seconds=after_s - before_s, rails_mj=rails)

    def _reading(self) -> tuple[float, dict[str, "Counter"]]:
        told = self._shell(f"cat /proc/uptime; {self._script}")
        return float(told.split(maxsplit=1)[0]), self._read(told)


@dataclass(frozen=True, kw_only=True)
class Counter:
    """Holds a counter's number, in millijoules, and where it begins anew; None if it never does."""

    mj: float
    wraps_at_mj: float | None = None

    def since(self, before: "Counter") -> float:
        """Returns what was counted since `before`."""
        counted = self.mj - before.mj
        return counted + self.wraps_at_mj if counted < 0 and self.wraps_at_mj else max(counted, 0.0)


class BatteryMeter:
    """Samples a discharging battery's current and voltage, four times a second."""

    source = "its battery's current"

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def over(self, work: Callable[[], object], expected_s: float) -> Window:
        """Returns mean power times duration; raises MachineError if the battery charges or tells too little."""
        samples, failed = list[str](), list[Exception]()

        def sample() -> None:
            count = int(expected_s / _SAMPLE_EVERY_S) + _FEWEST_SAMPLES
            try:
                samples.extend(self._shell(_sampling(count)).splitlines())
            except MachineError as error:
                failed.append(error)

        sampling = threading.Thread(target=sample)
        before_s = self._uptime()
        sampling.start()
        work()
        after_s = self._uptime()
        sampling.join()
        if failed:
            raise failed[0]
        watts = [watt for at_s, watt in map(_sample, samples) if before_s <= at_s <= after_s]
        if len(watts) < _FEWEST_SAMPLES:
            raise MachineError(
                f"expected {_FEWEST_SAMPLES} samples of the battery's current, found {len(watts)}",
                hint="look whether adb answers quickly, and measure again",
            )
        seconds = after_s - before_s
        return Window(seconds=seconds, rails_mj={"battery": 1000 * seconds * sum(watts) / len(watts)})

    def _uptime(self) -> float:
        return float(self._shell("cat /proc/uptime").split(maxsplit=1)[0])


def _sampling(count: int) -> str:
    read = f"echo $(cat /proc/uptime {_BATTERY}/current_now {_BATTERY}/voltage_now {_BATTERY}/status)"
    return f"i=0; while [ $i -lt {count} ]; do {read}; sleep {_SAMPLE_EVERY_S}; i=$((i+1)); done"


def _sample(line: str) -> tuple[float, float]:
    """Returns uptime and watts of a sample; raises MachineError if the battery charges."""
    uptime, _, current, voltage, *status = (*line.split(maxsplit=4), *[""] * 4)
    state = status[0] if status else ""
    if state != "Discharging" or not (_whole(current) and _whole(voltage)):
        raise MachineError(
            f"expected a battery that is discharged, found it {state.lower() or 'silent'}", hint=_CHARGED
        )
    return float(uptime), abs(int(current)) * int(voltage) / 1e12  # its sign means drawn or charged, as makers like


def _rails(told: str) -> dict[str, Counter]:
    _, begins, rest = told.partition(_RAILS_BEGIN)
    section = rest.partition(_RAILS_END)[0] if begins else ""
    found = (_RAIL_LINE.match(line) for line in section.splitlines())
    return {each[1]: Counter(mj=float(each[2])) for each in found if each}


def _processors(told: str) -> dict[str, Counter]:
    found = {}
    for line in told.splitlines():
        path, *numbers = line.split() or [""]
        if path.startswith("/sys/class/powercap/") and len(numbers) == 2 and all(map(_whole, numbers)):
            counted, largest = (int(number) / 1000 for number in numbers)
            found[path.rpartition("/")[2]] = Counter(mj=counted, wraps_at_mj=largest)
    return found


def _whole(text: str) -> bool:
    return re.fullmatch(r"-?\d+", text.strip()) is not None
