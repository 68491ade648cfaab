"""Energy: a device's meters are read as they write, rest is subtracted, and a device without any is a reason."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobile_sdk.benchmarking.energy.meters import BatteryMeter, Counter, find_meter
from mobile_sdk.benchmarking.energy.windows import PAIRS, WINDOW_S, measure_energy
from mobile_sdk.errors import MachineError

Battery = tuple[BatteryMeter, Callable[[str], None]]  # what it is asked by, and how its state is set
CPU, DISPLAY = "[S2M_VDD_CPUCL2]:CPU(BIG)", "[VSYS_PWR_DISPLAY]:Display"


class Phone:
    """A played phone with a clock of its own: `rails_mw` at rest, and `busy_mw` more on the CPU's rail in runs."""

    def __init__(self, *, rails: bool = True, battery: str = "", jitter: tuple[float, ...] = (1.0,)) -> None:
        self.now_s, self.busy_mw, self.jitter = 100.0, 2000.0, jitter
        self.rails, self.battery = rails, battery
        self.drawn_mj = {CPU: 5000.0, DISPLAY: 80000.0}
        self.runs = 0

    def shell(self, script: str) -> str:
        said = f"{self.now_s:.2f} 50.00\n" if "cat /proc/uptime;" in script or script == "cat /proc/uptime" else ""
        if "dumpsys" in script and self.rails:
            rows = "".join(f"  {name:>32}   {mj:14.2f} mWs\n" for name, mj in self.drawn_mj.items())
            said += (
                "\n============= PowerStats HAL 2.0 energy consumers ==============\nCPU : 7.00 mWs\n"
                f"\n============= PowerStats HAL 2.0 energy meter ==============\n{'Channel':>32}\n{rows}"
                "========== End of PowerStats HAL 2.0 energy meter ==========\n"
            )
        elif "current_now" in script and self.battery:
            said += self.battery
        return said

    def rest(self, seconds: float) -> None:
        self._draw(seconds, 0.0)

    def run(self, runs: int) -> None:
        """Runs of 10 ms each."""
        self._draw(runs / 100, self.busy_mw * self.jitter[self.runs % len(self.jitter)])
        self.runs += 1

    def _draw(self, seconds: float, busy_mw: float) -> None:
        self.now_s += seconds
        self.drawn_mj[CPU] += seconds * (100 + busy_mw)
        self.drawn_mj[DISPLAY] += seconds * 900


def test_an_inference_costs_what_the_rails_drew_beyond_rest() -> None:
    phone = Phone()
    meter = find_meter(phone.shell)
    assert not isinstance(meter, str)
    found = measure_energy(meter, phone.run, 10.0, rest=phone.rest)
    assert (found.source, found.not_run, found.advice) == ("the rails of its power meter", None, None)
    assert found.mj == pytest.approx(20, rel=1e-3), "2,000 mW for 10 ms"
    assert found.rest_mw == pytest.approx(1000, rel=1e-3)
    assert found.runs == PAIRS * WINDOW_S * 100
    assert found.rails_mj[CPU] == pytest.approx(20, rel=1e-3) and abs(found.rails_mj[DISPLAY]) < 0.01


def test_windows_that_differ_widen_the_interval() -> None:
    phone = Phone(jitter=(0.8, 1.2, 0.9, 1.1, 1.0))
    meter = find_meter(phone.shell)
    assert not isinstance(meter, str)
    found = measure_energy(meter, phone.run, 10.0, rest=phone.rest)
    assert found.mj == pytest.approx(20, rel=1e-3)
    assert found.low_mj == pytest.approx(20 - 3.926, abs=0.01), "2.776 · 3.162 / √5, Student's of four degrees"
    assert found.high_mj == pytest.approx(20 + 3.926, abs=0.01)


def test_runs_that_drown_in_the_rest_are_said_to_say_little() -> None:
    phone = Phone(jitter=(1.0, -1.0, 0.5, -0.5, 0.1))
    meter = find_meter(phone.shell)
    assert not isinstance(meter, str)
    assert "rest draws more" in str(measure_energy(meter, phone.run, 10.0, rest=phone.rest).advice)


def test_a_meter_that_stands_still_is_no_zero() -> None:
    phone = Phone()
    meter = find_meter(phone.shell)
    assert not isinstance(meter, str)

    def still(seconds: float) -> None:
        phone.now_s += seconds

    with pytest.raises(MachineError, match="stand still"):
        meter.over(lambda: still(4.0), 4.0)


@pytest.mark.parametrize(
    ("phone", "reason"),
    [
        (Phone(rails=False), "neither the energy of its rails nor its battery's current"),
        (Phone(rails=False, battery="-412000\n4012000\nCharging\n"), "it charges"),
        (Phone(rails=False, battery="cat: Permission denied\n"), "neither"),
    ],
)
def test_a_device_that_tells_nothing_is_a_reason(phone: Phone, reason: str) -> None:
    assert reason in str(find_meter(phone.shell))


@pytest.fixture
def on_battery() -> Battery:
    status = ["Discharging"]

    def shell(script: str) -> str:
        if script == "cat /proc/uptime":
            clock.append(clock[-1] + 2.0)
            return f"{clock[-1]} 1.0"
        count = int(re.findall(r"-lt (\d+)", script)[0])
        return "".join(f"{100.5 + 2.0 * k / count:.2f} 1.0 -500000 4000000 {status[0]}\n" for k in range(count))

    clock = [98.0]
    return BatteryMeter(shell), lambda text: status.__setitem__(0, text)


def test_a_batterys_current_times_its_voltage_is_the_power(
    on_battery: Battery,
) -> None:
    found = on_battery[0].over(lambda: None, 2.0)
    assert (found.seconds, found.total_mj) == (2.0, pytest.approx(4000)), "2 W for two seconds"


def test_a_charger_that_is_plugged_in_on_the_way_is_told(
    on_battery: Battery,
) -> None:
    meter, say = on_battery
    say("Charging")
    with pytest.raises(MachineError, match="found it charging"):
        meter.over(lambda: None, 2.0)


@given(before=st.floats(0, 1e6), counted=st.floats(0, 1e5))
def test_a_counter_that_begins_anew_has_counted_on(before: float, counted: float) -> None:
    end = Counter(mj=(before + counted) % 1e6, wraps_at_mj=1e6)
    assert end.since(Counter(mj=before % 1e6, wraps_at_mj=1e6)) == pytest.approx(counted, abs=1e-6)
