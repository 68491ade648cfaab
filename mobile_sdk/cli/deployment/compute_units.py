"""Applies `--compute`, which means something where Core ML itself computes."""

import sys

from mobile_sdk.errors import SettingError


def choose_compute_units(name: str | None, device: str) -> None:
    """Chooses the processors that Core ML may use; None leaves each bundle its own.

    Raises SettingError for a name that is none, and where no Core ML computes: on other devices, and off a Mac.
    """
    from mobile_sdk.devices.ios.requests import is_iphone
    from mobile_sdk.runtimes.compute_units import choose

    if name is not None and not is_iphone(device) and (device != "host" or sys.platform != "darwin"):
        found = device if device != "host" else f"this machine, which runs {sys.platform}"
        raise SettingError(f"expected --compute on a Mac or an iPhone, found {found}", hint="leave --compute out")
    choose(name)
