"""The fixtures that hold the demo apps to Python say what Python says, of every refusal and every kind of picture."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.bundle.manifest_file import BundleRefusalError
from mobile_sdk.errors import BundleError
from tests.support.fixtures.demo_fixtures import RUNTIMES
from tests.support.repository import ROOT

FORMAT = ROOT / "docs/reference/bundle-format.md"
ON_THE_WAY = {"folder"}  # no folder at all: there is nothing to write down


def cases(folder: Path) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
    return content


def test_every_bundle_opens_and_every_damaged_one_is_refused_by_the_check_that_its_case_names(
    demo_fixtures: Path,
) -> None:
    kinds = {"bundles": "classification", "detectors": "detection", "segmenters": "segmentation"}
    for kind, task in (kinds | {"features": "features"}).items():
        manifests = [open_bundle(folder).manifest for folder in sorted((demo_fixtures / kind).iterdir())]
        assert {manifest.runtime for manifest in manifests} == set(RUNTIMES)
        assert {manifest.task for manifest in manifests} == {task}
    for number in (1, 2):
        folders = sorted((demo_fixtures / f"earlier/schema-{number}").iterdir())
        earlier = [open_bundle(folder).manifest for folder in folders]
        assert [manifest.task for manifest in earlier] == ["classification", "detection", "segmentation"]
        assert {manifest.schema_number for manifest in earlier} == {number}
    for case in cases(demo_fixtures / "damaged"):
        with pytest.raises(BundleError) as caught:
            open_bundle(demo_fixtures / "damaged" / case["folder"])
        assert isinstance(caught.value, BundleRefusalError) and caught.value.check == case["expects"]


def test_every_check_that_the_format_lists_is_played(demo_fixtures: Path) -> None:
    refusals = FORMAT.read_text(encoding="utf-8").split("## What is refused")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", refusals, re.MULTILINE)
    listed = {check for row in rows for check in re.findall(r"`(\w+)`", row)}
    assert {case["expects"] for case in cases(demo_fixtures / "damaged")} == listed - ON_THE_WAY


def test_pictures_of_all_kinds_of_size_are_there_with_as_many_bytes_as_they_say(demo_fixtures: Path) -> None:
    folder = demo_fixtures / "preprocess"
    sizes = set()
    for case in cases(folder):
        sizes.add((case["width"], case["height"]))
        assert (folder / case["source"]).stat().st_size == case["width"] * case["height"] * 3
        assert (folder / case["expected"]).stat().st_size == case["image"]["size_px"] ** 2 * 3
    assert {(1, 1), (1, 97), (97, 1), (16, 16)} < sizes
    assert max(max(size) for size in sizes) == 4000 and len(sizes) > 40


def test_statistics_are_those_of_numpy(demo_fixtures: Path) -> None:
    for entry in json.loads((demo_fixtures / "statistics.json").read_text(encoding="utf-8")):
        samples = np.array(entry["samples_ms"])
        assert entry["p90"] == np.quantile(samples, 0.9)
        assert entry["mad"] == np.median(np.abs(samples - np.median(samples)))
