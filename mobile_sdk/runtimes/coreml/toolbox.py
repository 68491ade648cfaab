"""Imports coremltools quickly and uses it quietly.

Importing coremltools imports torch, torchao, executorch and scikit-learn wherever they are installed, only to offer
conversions from them: 8 s and six lines of complaints about untested versions, against 0.6 s and silence without. This
package writes programs with coremltools' own builder and needs none of those front ends.
"""

import importlib
import importlib.abc
import importlib.machinery
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

from mobile_sdk.packages import missing

_FRONT_ENDS = frozenset(
    {"torch", "torchao", "torchaudio", "torchvision", "executorch", "tensorflow", "transformers", "sklearn", "xgboost"}
)


@contextmanager
def coremltools_quietly() -> Iterator[ModuleType]:
    """Yields the module coremltools, and hides its progress bars, log lines and warnings inside the block.

    A process that imports coremltools here first gets it without the front ends that are not loaded yet: converting a
    torch module with `coremltools.convert` then needs another process. Raises MachineError if it is not installed.
    """
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tools = _import_without_front_ends()
            with _no_progress_bars(), _no_collection():
                yield tools
    finally:
        logger.setLevel(level)


class _FrontEndsAbsent(importlib.abc.MetaPathFinder):
    """Answers for the front ends, before any other finder, that they are not installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        root = fullname.partition(".")[0]
        if root in _FRONT_ENDS and root not in sys.modules:  # a loaded package may still load its own parts
            raise ModuleNotFoundError(f"{fullname} is not needed here", name=fullname)
        return None


def _import_without_front_ends() -> ModuleType:
    absent = _FrontEndsAbsent()
    if "coremltools" not in sys.modules:
        sys.meta_path.insert(0, absent)
    try:
        return importlib.import_module("coremltools")
    except ImportError as error:
        raise missing("coremltools", "Core ML bundles", found=f"none that loads: {error}") from None
    finally:
        if absent in sys.meta_path:
            sys.meta_path.remove(absent)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keeps a conversion from collecting garbage: looking through all of PyTorch takes half of its time."""
    entry: Any = importlib.import_module("coremltools.converters._converters_entry")
    collector = entry.gc
    entry.gc = SimpleNamespace(collect=lambda: 0)
    try:
        yield
    finally:
        entry.gc = collector


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    pipeline: Any = importlib.import_module("coremltools.converters.mil.mil.passes.pass_pipeline")
    progress_bar = pipeline.tqdm
    pipeline.tqdm = lambda passes, **_: passes
    try:
        yield
    finally:
        pipeline.tqdm = progress_bar
