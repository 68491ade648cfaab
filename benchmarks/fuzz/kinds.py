"""Lists every kind of input: a sample, the file in it that is changed, how, and the entry point that reads it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fuzz import readers
from benchmarks.fuzz.mutations.archive_mutations import (
    changed_archive,
    changed_content,
    changed_header,
    changed_member,
    changed_tar,
    changed_tensors,
)
from benchmarks.fuzz.mutations.byte_mutations import Change, changed_bytes, changed_text, changed_words
from benchmarks.fuzz.mutations.json_mutations import changed_json
from benchmarks.fuzz.readers import Reader
from benchmarks.fuzz.reseal import reseal_bundle, reseal_program, resealed_header, resealed_json

SPECIAL = "special files"
BYTES: Mapping[str, Change] = {"bytes": changed_bytes}
BINARY: Mapping[str, Change] = {**BYTES, "words": changed_words}
FIELDS: Mapping[str, Change] = {**BYTES, "fields": changed_json}
ZIP: Mapping[str, Change] = {**BYTES, "members": changed_member, "archive": changed_archive}
TAR: Mapping[str, Change] = {**BYTES, "members": changed_tar}
CONTENT: Mapping[str, Change] = {"content": changed_content}
TEXT: Mapping[str, Change] = {**BYTES, "text": changed_text}


def _nothing(folder: Path) -> None:
    """Seals nothing."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Describes one kind of input.

    `sample` is a folder, `changed` the files in it of which one is changed, by one of `changes` or by something else in
    its place. An input is that file alone, or the whole folder. `is_sealed` promises that what is accepted is what was
    written. `share` is the kind's part of all inputs, in no unit.
    """

    name: str
    sample: str
    changed: str
    changes: Mapping[str, Change]
    read: Reader
    share: float
    reseal: Callable[[Path], None] = field(default=_nothing)
    is_folder: bool = False
    is_sealed: bool = False
    deadline_s: float = 20.0

    def files(self, samples: Path) -> list[Path]:
        """Returns the files that may be changed, by their paths in the sample."""
        folder = samples / self.sample
        return sorted(path.relative_to(folder) for path in folder.glob(self.changed) if path.is_file())


def kinds(samples: Path) -> tuple[Kind, ...]:
    """Returns the kinds of the samples in that folder."""
    every = (*_bundles(samples), *_programs(), *_learned(samples), *_documents(samples), *_data())
    return tuple(kind for kind in every if (samples / kind.sample).is_dir())


def _bundles(samples: Path) -> Sequence[Kind]:
    opened: dict[str, Any] = {"sample": "bundles/int8/fuzz.tflite", "read": readers.opened_bundle, "is_folder": True}
    found = [
        Kind(name="bundle", changed="**/*", changes=BINARY, is_sealed=True, share=14, **opened),
        Kind(
            name="bundle.json, resealed",
            changed="bundle.json",
            changes=FIELDS,
            reseal=reseal_bundle,
            share=14,
            **opened,
        ),
        Kind(
            name="golden files, resealed", changed="golden/*", changes=BINARY, reseal=reseal_bundle, share=6, **opened
        ),
    ]
    for task, name in (("detector", "things"), ("segmenter", "scenes")):
        place: dict[str, Any] = {
            "sample": f"{task}/bundles/{name}.tflite",
            "read": readers.opened_bundle,
            "reseal": reseal_bundle,
            "is_folder": True,
        }
        found.append(Kind(name=f"bundle of a {task}, resealed", changed="**/*", changes=CONTENT, share=4, **place))
    for precision in ("int8", "float", "mixed", "strips"):
        found += _verified(samples, precision)
    return found


def _verified(samples: Path, precision: str) -> Sequence[Kind]:
    """Returns the kinds of inputs that are resealed and verified, a model and a manifest for every runtime."""
    program = samples / "programs" / f"{'int8' if precision == 'strips' else precision}.pt2"
    found = []
    for folder in sorted((samples / "bundles" / precision).glob("*")):
        runtime = folder.name.rpartition(".")[2]
        share = 0.02 if runtime == "coreml" else 0.2
        place: dict[str, Any] = {
            "sample": f"bundles/{precision}/{folder.name}",
            "reseal": reseal_bundle,
            "deadline_s": 60.0,
            "is_folder": True,
        }
        verified: dict[str, Any] = {**place, "read": readers.verified_with(program), "is_sealed": True, "share": share}
        title = f"{precision} {runtime}"
        model = "model.mlpackage/**/*" if runtime == "coreml" else "model.*"
        found += [
            Kind(name=f"model of {title}, resealed, verify", changed=model, changes=BINARY, **verified),
            Kind(
                name=f"bundle.json of {title}, resealed, verify",
                changed="bundle.json",
                changes={"fields": changed_json},
                **verified,
            ),
        ]
        if precision == "int8":
            read: dict[str, Any] = {**place, "read": readers.inspected, "share": share}
            found.append(Kind(name=f"model of {title}, resealed, inspect", changed=model, changes=BINARY, **read))
    return found


def _programs() -> Sequence[Kind]:
    load, export = readers.loaded_program, readers.exported_program
    one: dict[str, Any] = {"sample": "programs", "deadline_s": 60.0}
    found = []
    for name in ("int8", "float", "mixed"):
        file = f"{name}.pt2"
        resealed: dict[str, Any] = {**one, "changed": file, "reseal": reseal_program}
        found += [
            Kind(name=file, changed=file, changes=ZIP, read=load, is_sealed=True, share=3, **one),
            Kind(name=f"{file}, resealed", changes={"members": changed_member}, read=load, share=4, **resealed),
            Kind(
                name=f"{file}, resealed, export, verify",
                changes={"members": changed_member},
                read=export,
                share=0.3,
                **resealed,
            ),
        ]
    return [*found, Kind(name="schema 2.pt2", changed="schema 2.pt2", changes=ZIP, read=load, share=3, **one)]


def _learned(samples: Path) -> Sequence[Kind]:
    resumed = readers.resumed_from(samples / "learned" / "training" / "checkpoint.pt")
    net: dict[str, Any] = {"sample": "learned/nets", "changed": "*", "read": readers.loaded_net}
    checkpoint: dict[str, Any] = {
        "sample": "learned/training",
        "changed": "checkpoint.pt",
        "read": resumed,
        "is_folder": True,
    }
    weights: Mapping[str, Mapping[str, Change]] = {
        "bare.safetensors": {**BYTES, "header": changed_header, "tensors": changed_tensors},
        "zip.pth": ZIP,
        "pickle.pth": BINARY,
    }
    changes = {**BYTES, "tensors": changed_tensors}
    return (
        Kind(name="net.safetensors", changes=changes, is_sealed=True, share=2, **net),
        Kind(name="net.safetensors, resealed", changes={"header": resealed_header}, share=1, **net),
        Kind(name="checkpoint.pt", changes=BINARY, is_sealed=True, share=5, **checkpoint),
        Kind(name="checkpoint.pt, unsealed", changes=ZIP, share=2, **checkpoint),
        *(
            Kind(name=f"weights, {file}", sample="learned/weights", changed=file, changes=each, read=loaded, share=0.3)
            for loaded in (readers.loaded_weights,)
            for file, each in weights.items()
        ),
    )


def _documents(samples: Path) -> Sequence[Kind]:
    documents: Mapping[str, tuple[str, Reader, float]] = {
        "latency.json": ("made up", readers.predicted(samples / "programs" / "int8.pt2"), 12),
        "search.json": ("made up", readers.read_search, 12),
        "bench.json": ("judged", readers.read_bench, 12),
        "verify.json": ("judged", readers.read_verdict, 0.3),
        "report.json": ("judged", readers.drawn_report, 0.2),
    }
    found = [
        Kind(
            name="bench.json, resealed, drawn",
            sample="judged",
            changed="bench.json",
            changes={"fields": resealed_json},
            read=readers.drawn_bench,
            share=0.2,
        )
    ]
    for file, (sample, read, share) in documents.items():
        place: dict[str, Any] = {"sample": sample, "changed": file, "read": read, "share": share}
        found += [
            Kind(name=file, changes=BYTES, is_sealed=True, **place),
            Kind(name=f"{file}, resealed", changes={"fields": resealed_json}, **place),
        ]
    return found


def _data() -> Sequence[Kind]:
    boxes, masks = readers.loaded_boxes, readers.loaded_masks
    rows: Sequence[tuple[str, str, str, Mapping[str, Change], Reader, float]] = (
        ("pictures", "pictures", "*", BINARY, readers.decoded_picture, 50),
        ("labels.txt", "labels", "labels.txt", TEXT, readers.listed_labels, 6),
        ("labels.json", "labels", "labels.json", FIELDS, readers.listed_labels, 6),
        ("folders of labels", "classes", "**/*", BYTES, readers.loaded_labelled, 2),
        ("COCO", "coco", "annotations/*", FIELDS, boxes, 6),
        ("PASCAL VOC", "voc", "Annotations/*", TEXT, boxes, 6),
        ("PASCAL VOC, lists", "voc", "ImageSets/*/*", TEXT, boxes, 2),
        ("YOLO, rows", "yolo", "labels/*/*", TEXT, boxes, 4),
        ("YOLO, data.yaml", "yolo", "data.yaml", TEXT, boxes, 4),
        ("masks", "masks", "masks/*", BINARY, masks, 3),
        ("masks, labels.txt", "masks", "labels.txt", TEXT, masks, 2),
        ("masks of VOC", "voc masks", "SegmentationClass/*", BINARY, masks, 2),
        ("masks of VOC, lists", "voc masks", "**/*.txt", TEXT, masks, 2),
        ("masks of Roboflow", "roboflow masks", "*/_classes.csv", TEXT, masks, 2),
    )
    found = [
        Kind(
            name=name,
            sample=sample,
            changed=changed,
            changes=changes,
            read=read,
            share=share,
            is_folder=sample not in ("pictures", "labels"),
        )
        for name, sample, changed, changes, read, share in rows
    ]
    shards: dict[str, Any] = {"sample": "shards/shards", "read": readers.loaded_shards, "is_folder": True}
    return (
        *found,
        Kind(name="shards.json", changed="shards.json", changes=BYTES, is_sealed=True, share=3, **shards),
        Kind(name="shards.json, resealed", changed="shards.json", changes={"fields": resealed_json}, share=3, **shards),
        Kind(name="shards' tars", changed="*.tar", changes=TAR, is_sealed=True, share=2, **shards),
    )
