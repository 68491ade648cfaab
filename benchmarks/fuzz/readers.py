"""Opens an input by the SDK's own entry points, and states what was read, so that two readings can be compared."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel

import mobile_sdk as sdk
import qat
from benchmarks.fuzz.model_samples import NAMED, fresh_pictures, given_pictures
from mobile_sdk.benchmarking.measurements import read_numbers
from mobile_sdk.errors import SdkError
from mobile_sdk.labels.lists import read_labels
from mobile_sdk.latency.choice import choose_models
from mobile_sdk.preprocess import check_picture, open_picture
from mobile_sdk.report.write import redraw_report
from mobile_sdk.verification.verdict import Verdict, read_verdicts
from mobile_sdk.workflow.search.summary import read_summary
from mobile_sdk.workflow.sources.weights import read_weights
from qat.nets.saved_net import load_net
from qat.training.checkpoint import load_checkpoint

Statement = str
Reader = Callable[[Path], Statement]
"""Reads the input at a path, a file or a folder, and returns a statement of all of it; raises what the SDK raises."""


class NotPassedError(Exception):
    """A verdict that says so: the input was opened, and a check failed or did not run."""


class DeceivedError(Exception):
    """The SDK accepted an input that is not what it promises, and did not say so."""


def opened_bundle(folder: Path) -> Statement:
    """Opens a bundle."""
    bundle = sdk.open_bundle(folder)
    files = {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return stated([bundle.manifest, files])


def verified_with(program: Path) -> Reader:
    """Returns the reader that verifies a bundle of that program with the pictures that a forger knows.

    What passes must compute the program's scores on pictures that no forger knows, too.
    """

    def verified(folder: Path) -> Statement:
        bundle = sdk.open_bundle(folder)
        verdict = _passed(sdk.verify(bundle, _program(program), given_pictures(), progress=False))
        if not sdk.verify(bundle, _program(program), fresh_pictures(), progress=False):
            raise DeceivedError("verify passed a model that gives other scores on other pictures")
        manifest = bundle.manifest.model_dump(mode="json", exclude={"files", "manifest_sha256"})
        return stated([manifest, verdict.name])

    return verified


def inspected(folder: Path) -> Statement:
    """Reads what is in the model file of a bundle, as `inspect` does: in the process of its own that models have."""
    from mobile_sdk import runtimes
    from mobile_sdk.devices.model_process import MODELS

    bundle = sdk.open_bundle(folder)
    return stated(repr(MODELS.structure(runtimes.get(bundle.manifest.runtime), bundle.model_path)))


def loaded_program(path: Path) -> Statement:
    """Loads a program."""
    program = sdk.Program.load(path)
    return stated([program.digest(), program.graph.pairs, program.record, program.contract])


def exported_program(path: Path) -> Statement:
    """Loads a program, exports a bundle of it, and verifies that."""
    program = sdk.Program.load(path)
    (bundle,) = sdk.lower(program, path.parent / "bundles", runtimes="tflite", progress=False)
    if program.contract.task == "classification":
        _passed(sdk.verify(bundle, program, given_pictures(), progress=False))
    return stated(program.digest())


def loaded_net(path: Path) -> Statement:
    """Loads a net that training saved."""
    net, saved = load_net(path)
    return stated([net.state_dict(), saved])


def loaded_weights(path: Path) -> Statement:
    """Takes somebody's weights, as `quantize --weights` does."""
    found = read_weights(path, "none", net="mobilenet_v3_small", width=0.25, size=32, channels=None, labels=None)
    net = qat.build_net("mobilenet_v3_small", NAMED, width=0.25)
    qat.load_weights(net, path)
    return stated([net.state_dict(), found.title])


def resumed_from(sample: Path) -> Reader:
    """Returns the reader that takes up the training whose checkpoint is `sample`."""

    def resumed(folder: Path) -> Statement:
        state = load_checkpoint(folder, _mark(sample))
        if state is None:
            raise NotPassedError("the checkpoint is damaged, training starts over")
        return stated(state)

    return resumed


def loaded_shards(folder: Path) -> Statement:
    """Loads shards, checks all of their bytes, and decodes every picture."""
    pictures = qat.load_shards(folder)
    parts = (pictures.train, pictures.validation)
    pixels = [np.asarray(source.open()) for part in parts for source in part.sources]  # type: ignore[union-attr]
    return stated(
        [pictures.labels, *(part.pictures_hash() for part in parts), *(part.targets for part in parts), pixels]
    )


def loaded_labelled(folder: Path) -> Statement:
    """Loads pictures in folders of labels."""
    pictures = qat.load_folder(folder)
    parts = (pictures.train, pictures.validation)
    return stated([pictures.labels, *(part.pictures_hash() for part in parts), *(part.targets for part in parts)])


def loaded_boxes(folder: Path) -> Statement:
    """Loads pictures with boxes, which must be finite and lie in their pictures."""
    pictures = qat.load_box_folder(folder)
    parts = (pictures.train, pictures.validation)
    for source, truth in (
        (source, truth) for part in parts for source, truth in zip(part.sources, part.truths, strict=True)
    ):
        height, width = np.asarray(source).shape[:2]
        sides = truth.boxes.reshape(-1, 4)
        inside = np.isfinite(sides).all() and (sides >= 0).all() and (sides <= [width, height, width, height]).all()
        if not (inside and (sides[:, 2:] > sides[:, :2]).all()):
            raise DeceivedError("a box without area or outside its picture is learned from")
    return stated([pictures.labels, [(part.sources, [vars(truth) for truth in part.truths]) for part in parts]])


def loaded_masks(folder: Path) -> Statement:
    """Loads pictures with masks, whose labels must be there."""
    pictures = qat.load_mask_folder(folder)
    return stated([pictures.labels, [(part.sources, part.truths) for part in (pictures.train, pictures.validation)]])


def decoded_picture(path: Path) -> Statement:
    """Checks a picture file as folders do, then decodes it: what is found readable must decode."""
    check_picture(path)
    try:
        return stated(np.asarray(open_picture(path)))
    except SdkError as error:
        raise DeceivedError("check_picture finds a picture readable that does not decode") from error


def listed_labels(path: Path) -> Statement:
    """Reads a list of labels."""
    return stated(read_labels(str(path), 2))


def predicted(program: Path) -> Reader:
    """Returns the reader that predicts that program's latency by a device's file."""

    def estimated(path: Path) -> Statement:
        models = choose_models(str(path), "int8")
        estimates = [vars(model.estimate(_program(program).graph)) for model in models]
        json.dumps(estimates, allow_nan=False)  # as `predict --json` writes them
        return stated([models, estimates])

    return estimated


def read_bench(path: Path) -> Statement:
    """Reads measured times."""
    return stated(read_numbers(path))


def drawn_bench(path: Path) -> Statement:
    """Reads measured times and draws a report of them."""
    numbers = read_numbers(path)
    sdk.write_report(path.parent / "page.html", numbers=numbers)
    return stated(numbers)


def read_verdict(path: Path) -> Statement:
    """Reads verdicts and draws a report of them."""
    verdicts = read_verdicts(path)
    sdk.write_report(path.parent / "page.html", verdicts)
    return stated(verdicts)


def drawn_report(path: Path) -> Statement:
    """Draws a report again from its JSON."""
    return stated(redraw_report(path, path.parent / "page.html"))


def read_search(path: Path) -> Statement:
    """Reads the record of a search and sums it up."""
    return stated(read_summary(path))


def stated(value: Any) -> Statement:
    """Returns a hash over everything in `value`: documents, arrays, tensors, and lists and objects of them."""
    hashed = hashlib.sha256()
    for part in _parts(value):
        hashed.update(len(part).to_bytes(8, "little") + part)
    return hashed.hexdigest()


def _parts(value: Any) -> Iterable[bytes]:
    match value:
        case BaseModel():
            yield value.model_dump_json().encode("utf-8", "surrogatepass")
        case torch.Tensor():
            yield from _parts(value.detach().cpu().contiguous().numpy())
        case np.ndarray():
            yield f"{value.dtype} {value.shape}".encode()
            yield value.tobytes()
        case Mapping():
            for key in value:
                yield repr(key).encode()
                yield from _parts(value[key])
        case list() | tuple():
            yield f"{len(value)} of".encode()
            for item in value:
                yield from _parts(item)
        case bytes():
            yield value
        case _:
            yield repr(value).encode("utf-8", "surrogatepass")


@cache
def _program(path: Path) -> sdk.Program:
    return sdk.Program.load(path)


@cache
def _mark(path: Path) -> Mapping[str, str]:
    mark: Mapping[str, str] = torch.load(path, weights_only=True)["fingerprint"]
    return mark


def _passed(verdict: Verdict) -> Verdict:
    if not verdict:
        failed = [check.name for check in verdict.checks if check.outcome != "pass"]
        raise NotPassedError(", ".join(failed))
    return verdict
