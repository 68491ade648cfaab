"""Reads a device's processor, clocks, temperature and battery with one script that any shell runs."""

import re
from collections.abc import Mapping, Sequence

from mobile_sdk.document import Document

# Prints "path=first line" for every file that can be read, "name=value" for every property. Shells of phones and of
# small systems have echo, cat and little else.
SCRIPT = r"""
echo "machine=$(uname -m)"; echo "kernel=$(uname -s) $(uname -r)"
for name in ro.soc.model ro.board.platform ro.product.model ro.build.version.release; do
  value=$(getprop $name 2>/dev/null) && [ -n "$value" ] && echo "$name=$value"
done
for file in /sys/devices/system/cpu/cpu[0-9]*/cpufreq/*_max_freq /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_* \
  /sys/devices/system/cpu/online /sys/class/thermal/thermal_zone*/temp /sys/class/thermal/thermal_zone*/type \
  /sys/class/power_supply/*/type /sys/class/power_supply/*/capacity /sys/class/power_supply/*/status; do
  value=$(cat "$file" 2>/dev/null) && echo "$file=$value"
done
while read -r line; do case $line in MemTotal*) echo "$line";; esac; done < /proc/meminfo
while read -r line; do case $line in PRETTY_NAME*) echo "$line";; esac; done < /etc/os-release 2>/dev/null
while read -r line; do case $line in "") break;; *) echo "$line";; esac; done < /proc/cpuinfo
dumpsys thermalservice 2>/dev/null | while read -r line; do
  case $line in "Thermal Status"*|"Current temperatures"*|*Temperature{*) echo "$line";; esac
done
dumpsys battery 2>/dev/null | while read -r line; do echo "battery $line"; done
exit 0
"""

_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "asimddp", "i8mm", "sve2")
_MAX_CELSIUS = 150.0  # zones that report more, or less than zero, are no thermometers
# Of the names of zones; others measure batteries, chargers and radios, or a limit of the battery's current in percent.
_PROCESSOR_OR_SKIN = re.compile(r"cpu|skin|^(big|mid|little)|x86_pkg|soc[-_]thermal|tsens", re.IGNORECASE)
_HAL_TYPES = ("0", "3")  # CPU and SKIN of android.hardware.thermal's TemperatureType
_HAL_LINE = re.compile(r"Temperature\{mValue=([-\d.]+), mType=(\d+)")
_CHARGING = {"2": "charging", "3": "discharging", "4": "not charging", "5": "full"}  # Android's BatteryManager


class Core(Document):
    """Describes one core of the processor."""

    index: int
    max_mhz: float | None
    limit_mhz: float | None  # the clock it may reach now: below the maximum if the system slows it down
    now_mhz: float | None
    governor: str | None


class DeviceState(Document):
    """Describes one device at one time. A value that could not be read is None, never a guess."""

    machine: str  # the architecture, as `uname -m` names it
    processor: str | None
    features: tuple[str, ...]
    system: str | None
    kernel: str
    memory_mib: int | None
    cores: tuple[Core, ...]
    temperature_c: float | None  # of the processor or the skin, whichever is hotter
    thermal_status: int | None  # Android's: 0 none, 1 light … 6 shutdown
    battery_share: float | None
    charger: str | None


def read_state(output: str) -> DeviceState:
    """Parses the output of the script."""
    lines = [line.strip() for line in output.splitlines()]
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines if ":" in line)}
    battery_share, charger = _battery(values, fields)
    android = values.get("ro.build.version.release")
    status = fields.get("Thermal Status")
    return DeviceState(
        machine=values.get("machine", "unknown"),
        processor=_processor(values, fields),
        features=tuple(
            name for name in _FEATURES if name in (fields.get("flags") or fields.get("Features", "")).split()
        ),
        system=f"Android {android}" if android else values.get("PRETTY_NAME", "").strip('"') or None,
        kernel=values.get("kernel", "unknown"),
        memory_mib=int(fields["MemTotal"].split()[0]) // 1024 if fields.get("MemTotal") else None,
        cores=_cores(values),
        temperature_c=_hottest(_told_by_android(lines) or _told_by_zones(values)),
        thermal_status=int(status) if status and status.isdigit() else None,
        battery_share=battery_share,
        charger=charger,
    )


def _processor(values: Mapping[str, str], fields: Mapping[str, str]) -> str | None:
    told = (
        values.get("ro.soc.model"),
        values.get("ro.board.platform"),
        fields.get("Hardware"),
    )
    if found := next((name for name in told if name), None):
        return found
    if "CPU part" in fields:
        return f"Arm implementer {fields.get('CPU implementer', '?')} part {fields['CPU part']}"
    return fields.get("model name")  # that of an Arm processor, if it has one, says no more than "ARMv8"


def _cores(values: Mapping[str, str]) -> tuple[Core, ...]:
    first, _, last = values.get("/sys/devices/system/cpu/online", "0").split(",")[-1].partition("-")
    count = int(last or first) + 1

    def mhz(index: int, name: str) -> float | None:
        value = values.get(f"/sys/devices/system/cpu/cpu{index}/cpufreq/{name}", "")
        return int(value) / 1000 if value.isdigit() else None

    return tuple(
        Core(
            index=index,
            max_mhz=mhz(index, "cpuinfo_max_freq"),
            limit_mhz=mhz(index, "scaling_max_freq"),
            now_mhz=mhz(index, "scaling_cur_freq"),
            governor=values.get(f"/sys/devices/system/cpu/cpu{index}/cpufreq/scaling_governor"),
        )
        for index in range(count)
    )


def _told_by_android(lines: Sequence[str]) -> list[float]:
    """Returns the temperatures of CPU and skin that Android's thermal service has now; it keeps older ones as well."""
    start = next((index for index, line in enumerate(lines) if line.startswith("Current temperatures")), 0)
    found = (_HAL_LINE.search(line) for line in lines[start:])
    return [float(each[1]) for each in found if each and each[2] in _HAL_TYPES]


def _told_by_zones(values: Mapping[str, str]) -> list[float]:
    """Returns the temperatures of the kernel's zones whose names are those of a processor or the skin."""
    zones = [path.removesuffix("/type") for path, name in values.items() if _is_zone_of_interest(path, name)]
    told = [float(text) for zone in zones if re.fullmatch(r"-?\d+", text := values.get(f"{zone}/temp", ""))]
    return [value / 1000 if abs(value) > _MAX_CELSIUS else value for value in told]


def _is_zone_of_interest(path: str, name: str) -> bool:
    is_name = path.startswith("/sys/class/thermal/") and path.endswith("/type")
    return is_name and _PROCESSOR_OR_SKIN.search(name) is not None


def _hottest(temperatures: Sequence[float]) -> float | None:
    return max((value for value in temperatures if 0 < value < _MAX_CELSIUS), default=None)


def _battery(values: Mapping[str, str], fields: Mapping[str, str]) -> tuple[float | None, str | None]:
    """Returns the charge, 0..1, and whether it charges."""
    if level := fields.get("battery level"):
        return int(level) / 100, _CHARGING.get(fields.get("battery status", ""))
    for path, kind in values.items():
        if path.startswith("/sys/class/power_supply/") and path.endswith("/type") and kind == "Battery":
            folder = path.removesuffix("type")
            capacity, status = values.get(f"{folder}capacity", ""), values.get(f"{folder}status")
            return int(capacity) / 100 if capacity.isdigit() else None, status.lower() if status else None
    return None, None
