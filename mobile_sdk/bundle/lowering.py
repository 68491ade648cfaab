"""Writes a bundle for every runtime from one program."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from mobile_sdk import runtimes as registry
from mobile_sdk.arguments import NOTHING, Parted, expect, expect_each, expect_path, held_out
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.golden.samples import choose_goldens, generated_goldens
from mobile_sdk.bundle.writer import check_replaceable, write_bundle
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.errors import SettingError
from mobile_sdk.preprocess import LabelledPictures, Sample, to_bytes
from mobile_sdk.program.program import LOAD_IT, Program
from mobile_sdk.runtimes.base import Runtime
from mobile_sdk.signing.keys import read_private_key
from mobile_sdk.system.progress import Progress, reported


def lower(
    program: Program,
    out: str | os.PathLike[str],
    *,
    runtimes: str | Sequence[str] = registry.usual(),
    pictures: LabelledPictures | Parted | None = None,
    activation_limit_kib: int | None = None,
    choices: Mapping[str, str] = MappingProxyType({}),
    sign: str | os.PathLike[str] | None = None,
    progress: Progress = True,
) -> list[Bundle]:
    """Writes a bundle for every runtime below `out`, in that order; golden pictures are three of `pictures`.

    It takes the validation part of pictures in two parts. `runtimes` may be the name of one.

    Without `pictures` the golden ones are made up, and the manifest says so. With `activation_limit_kib` the models
    compute equal codes, wide tensors in strips of rows, so that no more activations than that are alive at once
    (`memory.limit.within`): int8 programs only. `choices`, a name and a value each, change the form of the model files
    of the runtimes that have them (`Runtime.choices`). With `sign`, a private key's PEM file, each bundle carries that
    key's signature; without it, a bundle that is replaced loses its own. Names, key and folders are checked before
    anything is written. A runtime's refusal is its CompileError; the bundles already written stay.

    Example: `bundles = sdk.lower(program, "bundles", runtimes=["tflite"], pictures=pictures)`
    """
    expect("program", program, Program, hint=LOAD_IT)
    expect_path("out", out)
    runtimes = (runtimes,) if isinstance(runtimes, str) else runtimes
    expect_each("runtimes", runtimes, str)
    expect("activation_limit_kib", activation_limit_kib, int, NOTHING)
    expect("choices", choices, Mapping)
    expect("sign", sign, str, os.PathLike, NOTHING)
    signer = None if sign is None else read_private_key(sign)
    chosen = registry.in_form(runtimes, choices)
    if readers := sorted(set(runtimes) - set(registry.names())):
        raise SettingError(
            f"expected runtimes that have bundles ({', '.join(registry.names())}), found {', '.join(readers)}",
            hint=f"export {registry.read_by(readers[0])}: {readers[0]} reads those bundles",
        )
    if len(set(runtimes)) < len(runtimes) or not runtimes:
        raise SettingError(
            f"expected runtimes, each once, found {', '.join(runtimes) or 'none'}", hint="name each once"
        )
    folders = [Path(out) / folder_name(program, runtime) for runtime in chosen]
    for folder in folders:
        check_replaceable(folder)
    MODELS.prepare()  # it starts while goldens are chosen and the first model is written
    goldens, source = _goldens(program, pictures)
    settings: dict[str, Any] = {"source": source, "activation_limit_kib": activation_limit_kib, "signer": signer}
    bundles = []
    with reported(progress, "export") as report:
        for index, (folder, runtime) in enumerate(zip(folders, chosen, strict=True)):
            report(index / len(chosen), f"exporting {folder.name}")
            bundles.append(write_bundle(folder, program, runtime, goldens, **settings))
        report(1.0, f"exported {len(bundles)} bundle{'s' * (len(bundles) > 1)}")
    return bundles


def folder_name(program: Program, runtime: Runtime) -> str:
    """Returns the name of a bundle's folder; it is a hint for people, only the manifest counts."""
    parts = [program.contract.name, *["float"] * (program.graph.precision == "float32"), *runtime.form.values()]
    return f"{'-'.join(parts)}.{runtime.name}"


def _goldens(
    program: Program, pictures: LabelledPictures | Parted | None
) -> tuple[tuple[Sample, ...], Literal["given", "generated"]]:
    if pictures is None:
        return tuple(generated_goldens(program.contract.input)), "generated"
    goldens = choose_goldens(held_out(pictures))
    if not goldens:
        raise SettingError("expected pictures to choose golden ones from, found none", hint="leave `pictures` out")
    for each in goldens:
        to_bytes(each, program.contract.input)  # before anything is written
    return goldens, "given"
