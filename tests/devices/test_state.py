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
/sys/class/thermal/thermal_zone3/temp=65
/sys/class/thermal/thermal_zone4/temp=71000
/sys/class/thermal/thermal_zone0/type=cpu-1-0-usr
/sys/class/thermal/thermal_zone1/type=skin-therm
/sys/class/thermal/thermal_zone2/type=cpuss-0
/sys/class/thermal/thermal_zone3/type=pmic-ibat-lvl0
/sys/class/thermal/thermal_zone4/type=battery
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
    assert state.features == ("asimddp",) and state.memory_mib == 5506
    assert [core.max_mhz for core in state.cores] == [1785.6, 2841.6]
    assert (state.cores[1].limit_mhz, state.cores[1].now_mhz) == (1920.0, 825.6)
    assert state.cores[1].governor == "schedutil"
    assert (state.temperature_c, state.thermal_status) == (41.8, 2)
    assert (state.battery_share, state.charger) == (0.87, "discharging")


def test_a_limit_of_the_batterys_current_is_no_temperature() -> None:
    zones = "/sys/class/thermal/thermal_zone0"
    for name in ("google,bcl", "socd", "soc", "vbat", "charger", "modem-lte-sub6-pa1"):
        assert read_state(f"machine=aarch64\n{zones}/temp=65\n{zones}/type={name}\n").temperature_c is None, name
    for name in ("cpu-1-0-usr", "BIG", "VIRTUAL-SKIN", "x86_pkg_temp", "cpu-thermal", "soc_thermal"):
        assert read_state(f"machine=aarch64\n{zones}/temp=65000\n{zones}/type={name}\n").temperature_c == 65, name


def test_androids_own_thermal_service_is_asked_first_and_only_of_now() -> None:
    line = "Temperature{{mValue={}, mType={}, mName={}, mStatus=0}}"
    told = ["Cached temperatures:", line.format(99.0, 0, "CPU0"), "Current temperatures from HAL:"]
    told += [line.format(48.5, 0, "CPU0"), line.format(36.1, 3, "skin"), line.format(77.0, 2, "battery")]
    assert read_state("\n".join([PHONE, *told])).temperature_c == 48.5


def test_a_board_with_a_battery_of_its_own_is_understood() -> None:
    supply = "/sys/class/power_supply/BAT0"
    told = f'machine=aarch64\nkernel=Linux 6\nPRETTY_NAME="Debian 13"\n{supply}/type=Battery\n{supply}/capacity=50\n'
    state = read_state(told + f"{supply}/status=Charging\n")
    assert (state.system, state.battery_share, state.charger) == ("Debian 13", 0.5, "charging")


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
