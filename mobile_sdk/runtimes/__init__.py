"""This room writes, reads and runs model files, one runtime a folder.

A runtime's own packages are loaded only on use.
"""

import difflib
from collections.abc import Mapping, Sequence
from importlib import import_module, util
from typing import TYPE_CHECKING

from mobile_sdk.errors import SettingError

if TYPE_CHECKING:
    from mobile_sdk.runtimes.base import Platform, Runtime

_CLASSES = {
    "executorch": "mobile_sdk.runtimes.executorch:ExecuTorchRuntime",
    "tflite": "mobile_sdk.runtimes.tflite:TfliteRuntime",
    "coreml": "mobile_sdk.runtimes.coreml:CoreMLRuntime",
}
"""It maps a name to module:class. Another runtime is a class that inherits from `base.Runtime` and one line here."""
_IF_INSTALLED = ("executorch",)
"""An extra brings the packages of these names: their bundles are written without being named where it is there."""
_EXTRAS = {
    "onnx": "mobile_sdk.runtimes.onnx:OnnxRuntime",
    "coreai": "mobile_sdk.runtimes.coreai:CoreAIRuntime",
}
"""An extra of this package brings what these need: their bundles are written if they are named."""
_READERS = {
    "tflite-runtime": "mobile_sdk.runtimes.tflite_legacy:TfliteLegacyRuntime",
    "litert-gpu": "mobile_sdk.runtimes.litert_gpu:LiteRtGpuRuntime",
    "qnn-htp": "mobile_sdk.runtimes.qnn_htp:QnnHtpRuntime",
}
"""These runtimes run another one's files and have no bundles of their own."""
_OTHER_NAMES = {"litert": "tflite"}  # the project's name since 2024; its files kept theirs
MEASURED_IN = "tflite"
"""Latencies are measured in this runtime if none is named."""


def names() -> tuple[str, ...]:
    """Returns the names of the runtimes that bundles are written for."""
    return (*_CLASSES, *_EXTRAS)


def usual() -> tuple[str, ...]:
    """Returns the names of the runtimes that bundles are for if none is named: their packages are installed here."""
    return tuple(name for name in _CLASSES if name not in _IF_INSTALLED or util.find_spec(name))


def left_out() -> tuple[str, ...]:
    """Returns a line for each runtime that would be among the `usual` ones if its package were installed here."""
    absent = (get(name).finding() for name in _CLASSES if name not in usual())
    return tuple(f"{each.name} is not installed, its bundles are left out: {each.get}" for each in absent)


def readers() -> tuple[str, ...]:
    """Returns the names of the runtimes that read another one's bundles."""
    return tuple(_READERS)


def read_by(reader: str) -> str:
    """Returns the name of the runtime whose bundles `reader` reads."""
    return next(name for name in names() if get(name).model_file == get(reader).model_file)


def on_devices() -> tuple[str, ...]:
    """Returns the names of the runtimes that hosts and devices alike run, so that their times can be compared."""
    return tuple(name for name in names() if get(name).runner is not None)


def timed_here() -> tuple[str, ...]:
    """Returns the names of the runtimes `on_devices` that are installed here."""
    return tuple(name for name in on_devices() if name in usual())


def in_apps(platform: "Platform") -> tuple[str, ...]:
    """Returns the names of the runtimes that apps of the platform embed."""
    return tuple(name for name in names() if get(name).app_advice(platform) is not None)


def called(word: str) -> str:
    """Returns the name of the runtime that `word` spells otherwise, such as LiteRT or TFLite; else the word itself."""
    known = {_plain(name): name for name in (*names(), *readers())} | _OTHER_NAMES
    return known.get(_plain(word), word)


def other_names() -> str:
    """Returns in words which other names runtimes have."""
    return ", ".join(f"{other} is {name}" for other, name in _OTHER_NAMES.items())


def unknown(name: str, known: tuple[str, ...]) -> SettingError:
    """Returns the error for a name that is none of the `known` runtimes', with the most similar one."""
    also = (each for each in names() if _plain(name) in get(each).also_called)
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    meant = next(also, near[0] if near else None)
    hint = f"did you mean {meant}?" if meant else "choose one of these"
    return SettingError(f"expected runtimes ({', '.join(known)}), found {name!r}", hint=hint)


def in_form(wanted: Sequence[str], choices: Mapping[str, str]) -> list["Runtime"]:
    """Returns the runtimes of these names; each takes those `choices` that it has.

    Raises SettingError for a name, a choice or a value that none of them has.
    """
    plain = [get(name) for name in wanted]
    known = {choice for runtime in plain for choice in runtime.choices}
    for choice in choices:
        if choice not in known:
            having = [name for name in names() if choice in get(name).choices]
            hint = f"add {having[0]} to the runtimes, or leave it out" if having else "leave it out"
            raise SettingError(f"expected a choice of {', '.join(wanted)}, found {choice!r}", hint=hint)
    return [
        get(each.name, {choice: value for choice, value in choices.items() if choice in each.choices}) for each in plain
    ]


def get(name: str, form: Mapping[str, str] | None = None) -> "Runtime":
    """Returns the runtime of that name, in the usual form or in `form`: values of its choices (`base.Runtime.choices`).

    Raises SettingError, with the most similar name, if there is none, and for a choice that it does not have.
    """
    known = _CLASSES | _EXTRAS | _READERS
    if name not in known:
        raise unknown(name, tuple(known))
    module, _, class_name = known[name].partition(":")
    runtime: Runtime = getattr(import_module(module), class_name)(form)
    return runtime


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")
