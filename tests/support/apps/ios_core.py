"""The iOS app's core package, built once in a session, and its tests run by Swift's package manager."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mobile_sdk.system.cache import locked
from tests.support.apps.swift_toolchain import BUILD, FIXTURES, PACKAGE, SwiftToolchain
from tests.support.repository import ROOT

DEMO = ROOT / "ios_demo"
CORE = DEMO / "MobileSDKDemoCore"
APPLE = CORE / "Sources/MobileSDKApple"
"""The package's other product: Core ML's runner and Apple's decoders, which are nothing where Core ML is not."""
GOLDEN_TESTS = ("aWholeBundleOpens", "theGoldenPicturesGiveTheirInputs", "theGoldenOutputsHaveTheirWinners")


@dataclass(frozen=True, kw_only=True)
class IosCore:
    """A toolchain and a folder that what it builds is left in."""

    toolchain: SwiftToolchain
    build: Path

    def test(self, fixtures: Path, *, only: tuple[str, ...] = ()) -> str:
        """Returns the output of `swift test` over these fixtures, of all tests or of some.

        Every warning is an error.
        """
        done = self.run_tests(fixtures, only=only)
        assert done.returncode == 0, done.stdout[-8000:]
        return done.stdout

    def run_tests(
        self, fixtures: Path, *, only: tuple[str, ...], environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs `swift test` over these fixtures; one process at a time, as the package manager needs it."""
        with locked(self.build.with_name("ios-tests.lock")):  # of the other worker processes
            return self.toolchain.run(
                *("swift", "test", "--package-path", f"{PACKAGE}/{CORE.name}", "--scratch-path", BUILD),
                *("-c", "release", "-Xswiftc", "-enable-testing", "-Xswiftc", "-warnings-as-errors", "--no-parallel"),
                *(("--filter", "|".join(only)) if only else ()),
                folders={PACKAGE: DEMO, FIXTURES: fixtures, BUILD: self.build},
                environment={"DEMO_FIXTURES": FIXTURES, "DEMO_REPORTS": BUILD, **(environment or {})},
            )


def closing_line(said: str) -> str:
    """How many tests of those that `swift test` ran have passed and failed."""
    found = re.search(r"Test run with (\d+) tests passed", said)
    assert found, said[-2000:]
    return f"{found[1]} passed, 0 failed"
