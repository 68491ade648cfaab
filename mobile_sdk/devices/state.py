"""Reads a device's processor, clocks, temperature and battery with one script that any shell runs."""

import re
from collections.abc import Mapping

from mobile_sdk.document import Document

# Prints "path=first line" for every file that can be read, "name=value" for every property. Shells of phones and of
# small systems have echo, cat and little else.
SCRIPT = r"""
echo "machine=$(uname -m)"; echo "kernel=$(uname -s) $(uname -r)"
for name in ro.soc.model ro.board.platform ro.product.model ro.build.version.release; do
  value=$(getprop $name 2>/dev/null) && [ -n "$value" ] && echo "$name=$value"
done
for file in /sys/devices/system/cpu/cpu[0-9]*/cpufreq/*_max_freq /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_* \
  /sys/devices/system/cpu/online /sys/class/thermal/thermal_zone*/temp /sys/class/power_supply/*/type \
  /sys/class/power_supply/*/capacity /sys/class/power_supply/*/status; do
  value=$(cat "$file" 2>/dev/null) && echo "$file=$value"
done
while read -r line; do case $line in MemTotal*) echo "$line";; esac; done < /proc/meminfo
while read -r line; do case $line in PRETTY_NAME*) echo "$line";; esac; done < /etc/os-release 2>/dev/null
while read -r line; do case $line in "") break;; *) echo "$line";; esac; done < /proc/cpuinfo
dumpsys thermalservice 2>/dev/null | while read -r line; do case $line in "Thermal Status"*) echo "$line";; esac; done
dumpsys battery 2>/dev/null | while read -r line; do echo "battery $line"; done
exit 0
"""

_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "asimddp", "i8mm", "sve2")
_MAX_CELSIUS = 150.0  # zones that report more, or less than zero, are no thermometers
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
    temperature_c: float | None  # of the hottest zone
    thermal_status: int | None  # Android's: 0 none, 1 light … 6 shutdown
    battery_share: float | None
    charger: str | None

    @property
    def is_android(self) -> bool:
        """Tells whether programs for it are built with an NDK."""
        return (self.system or "").startswith("Android")


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
        temperature_c=_temperature_c(values),
        thermal_status=int(status) if status and status.isdigit() else None,
        battery_share=battery_share,
        charger=charger,
    )


def _processor(values: Mapping[str, str], fields: Mapping[str, str]) -> str | None:
    told = (
        values.get("ro.soc.model"),
        values.get("ro.board.platform"),
        fields.get("Hardware"),
        fields.get("model name"),
    )
    if found := next((name for name in told if name), None):
        return found
    if "CPU part" in fields:
        return f"Arm implementer {fields.get('CPU implementer', '?')} part {fields['CPU part']}"
    return None


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


def _temperature_c(values: Mapping[str, str]) -> float | None:
    zones = [value for path, value in values.items() if path.startswith("/sys/class/thermal/")]
    told = [float(zone) for zone in zones if re.fullmatch(r"-?\d+", zone)]
    degrees = [value / 1000 if abs(value) > _MAX_CELSIUS else value for value in told]
    return max((value for value in degrees if 0 < value < _MAX_CELSIUS), default=None)


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
