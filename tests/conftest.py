"""Holds the fixtures that need the machine: tests fetch their tools once into the cache, outside the checkout."""

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.cli.freed_memory import keep_freed_memory
from mobile_sdk.devices import EmulatedCore, emulated_cores
from mobile_sdk.devices.emulated.cores import CORES
from mobile_sdk.errors import MachineError
from mobile_sdk.runtimes import litert_gpu, tflite_legacy
from mobile_sdk.system.cache import made_once
from tests.support import bundles, child_process
from tests.support.apps.android_app import AndroidApp, AppTests, build_app, run_tests
from tests.support.apps.apple_listing import fetch_listing
from tests.support.apps.ios_core import IosCore, closing_line
from tests.support.apps.kotlin_toolchain import KotlinToolchain, make_kotlin_toolchain
from tests.support.apps.swift_toolchain import SwiftToolchain, make_toolchain
from tests.support.command_line import ENVIRONMENT, SmallRun, make_small_run, read_small_run
from tests.support.devices.phones import Phones, played, why_not_here
from tests.support.fixtures.demo_fixtures import write_fixtures
from tests.support.google.google_tools import GoogleTools, make_google_tools

os.environ.clear()  # what a test calls in this process finds what a process of its own would
os.environ.update({"MPLBACKEND": "Agg", **ENVIRONMENT})
keep_freed_memory()  # as the command line does
IN_CI = os.environ.get("CI") == "true"
CLOSING_LINES: list[str] = []  # of the demo apps' own tests, a language each

# No deadline and no complaint of slowness: the machine may be busy. Examples may share what a fixture has made.
# In CI the examples are the same every time; elsewhere they are new ones.
settings.register_profile(
    "here",
    deadline=None,
    derandomize=IN_CI,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("here")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the modules that hold slow tests, so that the worker processes end at about the same time."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says at the end how many tests ran in each other language."""
    for line in CLOSING_LINES:
        terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hands the closing lines of a worker process to the process that started it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["closing_lines"] = CLOSING_LINES


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes a worker's closing lines."""
    CLOSING_LINES.extend(getattr(node, "workeroutput", {}).get("closing_lines", ()))


@pytest.fixture(autouse=True, scope="module")
def _libraries_are_no_garbage() -> None:
    """The garbage collector passes over what is loaded: looking through torch, again and again, took most of the time.

    coremltools collects garbage at every conversion, and PyTorch's exporter makes enough for many collections.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_goes_on() -> Iterator[None]:
    """A test that fails leaves no process behind that it has started."""
    yield
    child_process.end_all()


@pytest.fixture(autouse=True)
def _users_modules_are_forgotten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A module that a test wrote and imported is imported anew by the next test that writes one of its name."""
    known = set(sys.modules)
    yield
    folder = str(tmp_path_factory.getbasetemp())
    for name in set(sys.modules) - known:
        own = vars(sys.modules[name])
        if any(str(place).startswith(folder) for place in (own.get("__file__"), *(own.get("__path__") or ()))):
            del sys.modules[name]


@pytest.fixture(scope="session")
def arm_cores() -> dict[str, EmulatedCore]:
    """The emulated Arm cores by their names, ready to run."""
    cores = emulated_cores()
    try:
        cores[0].make_ready(print)
    except MachineError as error:
        _cannot_run_here(str(error))
    return {each.core.name: each for each in cores}


@pytest.fixture(scope="session")
def cortex_a76(arm_cores: dict[str, EmulatedCore]) -> EmulatedCore:
    """The core whose products are dot products, and whose other kernels are all cores' kernels."""
    return arm_cores["cortex-a76"]


@pytest.fixture(scope="session", params=[core.name for core in CORES])
def arm_core(request: pytest.FixtureRequest, arm_cores: dict[str, EmulatedCore]) -> EmulatedCore:
    """Each core: every one has kernels of its own for products."""
    return arm_cores[request.param]


@pytest.fixture(scope="session")
def phones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    """Two phones and a board that run real daemons, in a network of their own."""
    if reason := why_not_here():
        _cannot_run_here(reason)
    with ExitStack() as stack:
        try:
            there = stack.enter_context(played(tmp_path_factory.mktemp("clients")))
        except MachineError as error:
            _cannot_run_here(str(error))
        yield there


@pytest.fixture(scope="session")
def swift() -> SwiftToolchain:
    """Swift's compiler, package manager and formatter, ready to run."""
    try:
        return make_toolchain(print)
    except MachineError as error:
        _cannot_run_here(str(error))


@pytest.fixture(scope="session")
def apple_names() -> Path:
    """The folder with the names of Apple's SDK."""
    try:
        return fetch_listing(print)
    except MachineError as error:
        _cannot_run_here(str(error))


@pytest.fixture(scope="session")
def tflite_legacy_python() -> Path:
    """The Python of tflite-runtime's own environment."""
    try:
        return tflite_legacy.make_ready(print)
    except MachineError as error:
        _cannot_run_here(str(error))


@pytest.fixture(scope="session")
def swiftshader() -> Path:
    """The folder of the Vulkan that a processor computes."""
    try:
        return litert_gpu.make_ready(print)
    except MachineError as error:
        _cannot_run_here(str(error))


@pytest.fixture(scope="session")
def google() -> GoogleTools:
    """MediaPipe, and Arm's compiler for NPUs, in their own environment."""
    try:
        return make_google_tools(print)
    except MachineError as error:
        _cannot_run_here(str(error))


@pytest.fixture(scope="session")
def chromium() -> str:
    """A headless browser's path, installed first where this is root on Debian."""
    if shutil.which("chromium") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", "-qq", *command], check=False, stdout=subprocess.DEVNULL)
    return shutil.which("chromium") or _cannot_run_here("chromium is missing: apt-get install chromium")


@pytest.fixture(scope="session")
def kotlin() -> KotlinToolchain:
    """Returns the tools that check the Android app."""
    try:
        return make_kotlin_toolchain(print)
    except MachineError as error:
        _cannot_run_here(str(error))


@pytest.fixture(scope="session")
def android_app(kotlin: KotlinToolchain, tmp_path_factory: pytest.TempPathFactory) -> AndroidApp:
    """The Android app with its tests, compiled once with warnings as errors."""
    folder = _made_once("android", tmp_path_factory, lambda folder: build_app(kotlin, folder))
    return AndroidApp(toolchain=kotlin, folder=folder)


@pytest.fixture(scope="session")
def android_tests(android_app: AndroidApp, demo_fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> AppTests:
    """The run of the Android app's own tests."""

    def run(reports: Path) -> None:
        said = run_tests(android_app, demo_fixtures, reports).output
        CLOSING_LINES.append(f"Kotlin: {said.splitlines()[-1]}")

    return AppTests(reports=_made_once("reports", tmp_path_factory, run))


@pytest.fixture(scope="session")
def demo_fixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what the tests of both apps read."""
    return _made_once("demo", tmp_path_factory, write_fixtures)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    """A tiny net's way from pictures to bundles, gone once by the command line; tests write elsewhere."""
    return read_small_run(_made_once("small", tmp_path_factory, make_small_run))


@pytest.fixture(scope="session")
def ios_core(swift: SwiftToolchain, tmp_path_factory: pytest.TempPathFactory) -> IosCore:
    """The iOS app's core, which the first test of a session builds."""
    return IosCore(toolchain=swift, build=_made_once("ios", tmp_path_factory, lambda folder: None))


@pytest.fixture(scope="session")
def ios_tests(ios_core: IosCore, demo_fixtures: Path) -> str:
    """Returns the output of the core's own tests, all of which passed."""
    said = ios_core.test(demo_fixtures)
    CLOSING_LINES.append(f"Swift: {closing_line(said)}")
    return said


def _made_once(name: str, temporary: pytest.TempPathFactory, make: Callable[[Path], object]) -> Path:
    """A folder that one of the worker processes fills for all of them."""
    own = temporary.getbasetemp()
    return made_once((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name, make)


def _cannot_run_here(reason: str) -> NoReturn:
    """Skips with the reason; in CI as root, where everything can be fetched, it fails: such a skip would rot."""
    if IN_CI and os.geteuid() == 0:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A small bundle, which no test may change."""
    return bundles.lowered(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def folder(pristine: Bundle, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(pristine.path, tmp_path / pristine.path.name))
