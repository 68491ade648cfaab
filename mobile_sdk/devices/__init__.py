"""Where a model file runs: this host, or an emulated processor."""

from difflib import get_close_matches

from mobile_sdk.devices.base import Device, Pictures
from mobile_sdk.devices.emulated import CortexA76
from mobile_sdk.devices.host import Host
from mobile_sdk.errors import SettingError

__all__ = ["CortexA76", "Device", "Host", "Pictures", "check_measures_time", "devices", "open_device"]


def devices() -> tuple[Device, ...]:
    """Every device that this SDK knows, reachable now or not."""
    return (Host(), CortexA76())


def open_device(name: str) -> Device:
    """The device of that name, as `--device` takes it: "host", "emulated:cortex-a76". Raises SettingError."""
    known = {device.name: device for device in devices()}
    if name not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else "list them with mobile-sdk devices"
        raise SettingError(f"expected a device ({', '.join(known)}), found {name!r}", hint=hint)
    return known[name]


def check_measures_time(device: Device) -> None:
    """Raises SettingError where a time measured on `device` would mean nothing."""
    if not device.measures_time:
        raise SettingError(
            f"expected a device whose times mean something, found {device.name}, which shows exactness only",
            hint="measure on host; use this device with verify",
        )
