"""This room runs model files on this host, a phone over adb, a board over ssh, or an emulated processor."""

from difflib import get_close_matches

from mobile_sdk.devices.adb import Adb, open_adb, serials
from mobile_sdk.devices.android_app.demo_app import APP, DemoApp, open_app
from mobile_sdk.devices.android_app.state import AppState
from mobile_sdk.devices.base import Device, Pictures, Run
from mobile_sdk.devices.emulated import EmulatedCore, emulated_cores
from mobile_sdk.devices.farm import Farm
from mobile_sdk.devices.host import Host
from mobile_sdk.devices.ios.iphone import IPhone, iphones
from mobile_sdk.devices.ios.requests import choose_phone, is_iphone
from mobile_sdk.devices.remote import Remote
from mobile_sdk.devices.ssh import Ssh
from mobile_sdk.devices.state import DeviceState
from mobile_sdk.errors import SettingError

__all__ = [
    "AppState",
    "DemoApp",
    "Device",
    "EmulatedCore",
    "Farm",
    "Host",
    "IPhone",
    "Pictures",
    "Remote",
    "Run",
    "attached",
    "check_measures_time",
    "devices",
    "emulated_cores",
    "open_device",
    "state_of",
]


def devices() -> tuple[Device, ...]:
    """Returns every device that is always there, ready or not."""
    return (Host(), *emulated_cores())


def attached() -> tuple[Remote | IPhone, ...]:
    """Returns every device that adb or Xcode knows, ready or not; the user names boards over ssh."""
    return (*(Remote(connection=Adb(serial=serial)) for serial in serials()), *iphones())


def open_device(name: str) -> Device:
    """Returns the device that `--device` names: "host", "adb:SERIAL", "ssh:user@host", "app:SERIAL", "emulated:max".

    "adb" alone selects every phone that is ready. Raises SettingError for another name, MachineError if none is ready.
    """
    kind, _, rest = name.partition(":")
    if kind == "adb":
        members = open_adb(rest or None)
        return members[0] if len(members) == 1 else Farm(name=name, members=members)
    if kind == "ssh" and rest and not rest.startswith("-"):
        return Remote(connection=Ssh(address=rest))
    if kind == APP:
        return open_app(name)
    if is_iphone(name):
        choose_phone(name)
        return IPhone(name=name)
    known = {device.name: device for device in devices()}
    if name not in known:
        choices = (*known, "adb", "adb:SERIAL", "ssh:user@host", "app", "app:SERIAL", "ios")
        near = get_close_matches(name, known, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else "a phone on USB is adb; list all with mobile-sdk devices"
        raise SettingError(f"expected a device ({', '.join(choices)}), found {name!r}", hint=hint)
    return known[name]


def state_of(device: Device) -> DeviceState | None:
    """Returns a device's properties and state; None if it reports none. Raises MachineError if it does not answer."""
    return device.state() if isinstance(device, Host | Remote | DemoApp) else None


def check_measures_time(device: Device) -> None:
    """Raises SettingError if times measured on `device` would mean nothing."""
    if not device.measures_time:
        raise SettingError(
            f"expected a device whose times mean something, found {device.name}, which shows exactness only",
            hint="measure on host or on one phone (adb:SERIAL); use this device with verify",
        )
