"""A phone that is not ready is one line: what adb says of it, and what to do."""

import pytest

from mobile_sdk.devices import adb
from mobile_sdk.errors import MachineError

UDEV = (
    "no permissions (missing udev rules? user is in the plugdev group); see [http://developer.android.com/tools/device]"
)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Adb lists one phone in that state."""
    lines = f"List of devices attached\n8A1X0Q2\t{request.param}\n"
    monkeypatch.setattr(adb.shutil, "which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr(adb, "call_or_fail", lambda *words: lines)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (UDEV, "this user may not open its USB port: install udev rules"),
        ("no permissions", "this user may not open its USB port: install udev rules"),
        ("unauthorized", "it is unauthorized: allow USB debugging"),
        ("offline", "it is offline: unplug it"),
        ("recovery", "its state is recovery"),
    ],
    indirect=["told"],
)
@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("serial", ["8A1X0Q2", None])
def test_a_phone_that_is_not_ready_says_why_by_its_name_and_as_the_only_one(said: str, serial: str | None) -> None:
    with pytest.raises(MachineError, match=said):
        adb.open_adb(serial)
