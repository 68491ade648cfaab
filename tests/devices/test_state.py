"""A device's report of itself is parsed, and hot devices are waited for."""

import pytest

from mobile_sdk.benchmarking.place import wait_until_cool
from mobile_sdk.devices.state import DeviceState, read_state
from mobile_sdk.errors import MachineError

CPU = "/sys/devices/system/cpu"
PHONE = f"""
machine=aarch64
kernel=Linux 4.14.117
ro.soc.model=SM8150
ro.product.model=Pixel 4
ro.build.version.release=13
{CPU}/cpu0/cpufreq/cpuinfo_max_freq=1785600
{CPU}/cpu0/cpufreq/scaling_max_freq=1785600
{CPU}/cpu1/cpufreq/cpuinfo_max_freq=2841600
{CPU}/cpu1/cpufreq/scaling_max_freq=1920000
{CPU}/cpu1/cpufreq/scaling_cur_freq=825600
{CPU}/cpu1/cpufreq/scaling_governor=schedutil
{CPU}/online=0-1
/sys/class/thermal/thermal_zone0/temp=41800
/sys/class/thermal/thermal_zone1/temp=38
/sys/class/thermal/thermal_zone2/temp=-274000
MemTotal:        5638412 kB
processor	: 0
Features	: fp asimd asimddp
CPU implementer	: 0x51
CPU part	: 0x804
Thermal Status: 2
battery Current Battery Service state:
battery status: 3
battery level: 87
"""


def test_a_phone_is_understood() -> None:
    state = read_state(PHONE)
    assert (state.machine, state.processor, state.system) == ("aarch64", "SM8150", "Android 13")
    assert state.is_android and state.features == ("asimddp",) and state.memory_mib == 5506
    assert [core.max_mhz for core in state.cores] == [1785.6, 2841.6]
    assert (state.cores[1].limit_mhz, state.cores[1].now_mhz) == (1920.0, 825.6)
    assert state.cores[1].governor == "schedutil"
    assert (state.temperature_c, state.thermal_status) == (41.8, 2)
    assert (state.battery_share, state.charger) == (0.87, "discharging")


def test_a_board_with_a_battery_of_its_own_is_understood() -> None:
    supply = "/sys/class/power_supply/BAT0"
    told = f'machine=aarch64\nkernel=Linux 6\nPRETTY_NAME="Debian 13"\n{supply}/type=Battery\n{supply}/capacity=50\n'
    state = read_state(told + f"{supply}/status=Charging\n")
    assert (state.system, state.battery_share, state.charger) == ("Debian 13", 0.5, "charging")
    assert not state.is_android


def test_what_is_not_told_is_none() -> None:
    state = read_state("machine=x86_64\nkernel=Linux 6\n")
    assert (state.processor, state.temperature_c, state.thermal_status, state.battery_share) == (None,) * 4
    assert [core.max_mhz for core in state.cores] == [None]


def cooling(*states: DeviceState) -> tuple[list[str], list[float]]:
    """Returns the messages and the seconds of sleep until the last of `states`."""
    said: list[str] = []
    slept: list[float] = []
    left = list(states)
    wait_until_cool(lambda: left.pop(0) if len(left) > 1 else left[0], said.append, sleep=slept.append)
    return said, slept


def test_a_hot_device_is_waited_for() -> None:
    cool = read_state("machine=aarch64\nkernel=Linux 6\n/sys/class/thermal/thermal_zone0/temp=40000\n")
    hot = cool.model_copy(update={"temperature_c": 75.0})
    throttling = cool.model_copy(update={"thermal_status": 1})
    assert cooling(cool) == ([], [])
    said, slept = cooling(hot, throttling, cool)
    assert said == ["waiting: it is at 75 °C, above 60", "waiting: it throttles (thermal status 1)"]
    assert len(slept) == 2


def test_a_device_that_stays_hot_is_given_up_with_the_reason() -> None:
    hot = read_state(PHONE)
    with pytest.raises(MachineError, match=r"it throttles \(thermal status 2\) after 120 s of rest"):
        cooling(hot)
