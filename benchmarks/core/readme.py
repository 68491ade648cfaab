"""Puts the measured figures into README.md and pages of docs/, between marks; a test holds that they are there.

Run: python -m benchmarks.core.readme
"""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.core import overview
from benchmarks.core.results_file import FOLDER, markdown
from benchmarks.core.targets import COUNTED, table_row
from mobile_sdk.graph.operators import OPERATORS
from mobile_sdk.system.atomic_files import write_text

README = Path(__file__).parents[2] / "README.md"
RESULTS, QUALITY = "project/results.md", "concepts/quality.md"
PAGES = {  # of docs/: the marks in each, and the results whose rows stand there
    "guides/latency.md": {"setups": "predict_setups", "newer nets": "predict_nets"},
    "reference/paper-nets.md": {
        "paper nets": "paper_nets",
        "ablations": "ablations",
        "published counts": "published_counts",
    },
    RESULTS: {
        "coverage": "interval_coverage",
        "repeats": "interval_repeats",
        "beside stock": "public_nets",
        "fuzz": "fuzz",
        "installation": "installation",
        "predict": "predict",
        "exactness": "exactness",
        "accelerators": "accelerators",
    },
    QUALITY: {"stages": "calibration", "kept float": "kept_float"},
    "guides/search.md": {"search": "search"},
    "guides/several-processes.md": {"scaling": "scaling", "scaling digits": "scaling_digits"},
    "guides/training.md": {
        "augmentation": "augmentation",
        "content hashes": "content_hashes",
        "public nets": "coverage",
    },
}
BESIDE_STOCK = (
    *("calibration", "distillation", "qat_digits", "stock_qat"),
    *("bundles", "qat_step", "export", "reference", "activation_memory", "operator_calibration"),
)
FIVE = (  # title, benchmark, target, the tool beside ours, the package that says its version
    (
        *("MobileNetV3-Small in LiteRT, int8, latency on a desktop", "bundles"),
        *("mobilenet_v3_small .tflite against litert-torch's int8 file", "litert-torch", "litert-torch"),
    ),
    (
        *("MobileNetV2 in ExecuTorch, int8, latency on a desktop", "bundles"),
        *("mobilenet_v2 .pte against XNNPACKQuantizer's file", "XNNPACKQuantizer, ExecuTorch", "executorch"),
    ),
    (
        *("EfficientNet-Lite0 calibrated on 16 crops, scores beside float", "calibration"),
        *("EfficientNet-Lite0 calibrated on 16 crops: SQNR of the scores", "PT2E, ExecuTorch", "executorch"),
    ),
    (
        *("MobileNetV3-Large trained in int8, scores beside float", "stock_qat"),
        *("MobileNetV3-Large QAT on digits, scores of the .pte beside float", "PT2E, torchao", "torchao"),
    ),
)
BANDS_DB = (0, 15, 20, 25, 30, 99)
RUNTIMES = {"executorch": "ExecuTorch", "tflite": "LiteRT", "coreml": "Core ML"}


def filled(text: str) -> str:
    """Returns README's text with every mark `<!-- name -->…<!-- /name -->` filled from the results."""
    *_, public = _rows("coverage")
    default, *extras = _rows("installation")
    added = {row["installation"]: row for row in extras}
    fillings = {
        "beside": f"\n{_beside()}\n",
        "packages": str(default["packages"]),
        "size": f"{default['MiB'] / 1024:.1f} GiB",
        **{f"{extra} size": f"{added[f'[{extra}] adds']['MiB']} MiB" for extra in ("executorch", "search")},
        "met": overview.counted(),
        "operators": str(len(OPERATORS)),
    }
    fillings |= {f"public {key}": str(public[key]) for key in ("nets", "taken", "exact")}
    return _filled(text, fillings)


def page(name: str) -> Path:
    """Returns the path of a page of docs/."""
    return README.parent / "docs" / name


def filled_page(name: str, text: str) -> str:
    """Returns a page of docs/ with its marks filled by its benchmarks' tables."""
    fillings = {mark: f"\n{markdown(_rows(result))}\n" for mark, result in PAGES[name].items()}
    own = {RESULTS: _results, QUALITY: _quality}
    return _filled(text, fillings | own.get(name, dict)())


def _results() -> dict[str, str]:
    """Returns the fillings of the page of results beyond whole results: chosen columns and targets, and numbers."""
    (lowering,) = _rows("executorch_lowering")
    tables = {
        "targets": overview.table(BESIDE_STOCK),
        "nets": _nets(),
        "runtimes": _runtimes(),
        "steps": _steps(),
        "tasks": _learned(),
    }
    numbers = {key: str(lowering[key]) for key in ("ours s", "stock lowering s", "ours / stock")}
    return {mark: f"\n{table}\n" for mark, table in tables.items()} | numbers


def _filled(text: str, fillings: Mapping[str, str]) -> str:
    for name, filling in fillings.items():
        mark, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = text.partition(mark)
        text = before + mark + filling + end + rest.partition(end)[2]
    return text


def _quality() -> dict[str, str]:
    """Returns the fillings of the page on quality: what goes with an SQNR, and what teachers make of it."""
    by_teacher: dict[str, list[int]] = {}
    for row in _rows("qat_digits"):
        by_teacher.setdefault(f"dB by {row['learns from']}", []).append(round(row["SQNR dB"]))
    return {"bands": f"\n{_bands()}\n"} | {mark: _span(values) for mark, values in by_teacher.items()}


def _bands() -> str:
    """Returns how many winners stay as in float, by the scores' SQNR: of 10 trained classes, of 1,000 calibrated."""
    trained, calibrated = _rows("qat_digits"), _rows("calibration")
    table = []
    for low, high in pairwise(BANDS_DB):
        ten = [row["winners as float %"] for row in trained if low <= row["SQNR dB"] < high]
        moved = [row["int8 − float"] for row in trained if low <= row["SQNR dB"] < high]
        thousand = [row["same top-1 %"] for row in calibrated if low <= row["SQNR dB"] < high]
        table.append(
            {
                "SQNR, dB": f"{low} to {high}" if high < BANDS_DB[-1] else f"{low} and more",
                "10 classes: same class as float, %": _span(ten),
                "10 classes: accuracy less float's, points": _span(moved),
                "1,000 classes: same class as float, %": _span(thousand),
            }
        )
    return markdown(table)


def _span(values: Sequence[float]) -> str:
    if len(values) < 2:
        return str(values[0]) if values else "–"
    return f"{min(values)} to {max(values)}"


def _nets() -> str:
    by_net: dict[str, dict[str, dict[str, Any]]] = {}
    for row in _rows("nets"):
        by_net.setdefault(row["net"], {})[row["runtime"]] = row
    return markdown([_line(net, rows) for net, rows in by_net.items()])


def _line(net: str, rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    line: dict[str, Any] = {"net": net, "scores": f"{rows['tflite']['scores']:,}"}
    line |= {f"differ, {title}": rows[runtime]["differ"] for runtime, title in RUNTIMES.items()}
    for runtime in ("executorch", "tflite"):
        line[f"int8 ms, {RUNTIMES[runtime]}"] = rows[runtime]["median ms"]
        line[f"int8 / float32, {RUNTIMES[runtime]}"] = rows[runtime]["int8 / float32"]
    line["MiB, LiteRT"] = rows["tflite"]["MiB"]
    line["export of three, s"] = round(sum(row["export s"] for row in rows.values()), 1)
    return line


def _beside() -> str:
    """Returns README's five rows: what stands beside ours, with its version, one that we lose among them."""
    five = [_of_target(*each) for each in FIVE]
    ms = {row["runs"]: row["ms"] for row in _rows("bundles") if (row["net"], row["threads"]) == ("mobilenet_v2", 1)}
    tool = f"OpenVINO {_versions('bundles')['openvino']}"
    lost = _row_beside(
        "MobileNetV2 in LiteRT, int8, latency on a desktop", ms["ours .tflite"], tool, ms["OpenVINO int8"], "ms"
    )
    five.insert(2, lost)
    return markdown(five)


def _of_target(title: str, benchmark: str, work: str, tool: str, package: str) -> dict[str, Any]:
    found = next(each for each in overview.all_targets() if (each["benchmark"], each["work"]) == (benchmark, work))
    version = _versions(benchmark)[package]
    return _row_beside(title, found["ours"], f"{tool} {version}", found["stock"], found["unit"].split()[0])


def _row_beside(title: str, ours: float, tool: str, theirs: float, unit: str) -> dict[str, Any]:
    is_less_better = unit in ("ms", "s")
    won = (ours < theirs) == is_less_better and ours != theirs
    both = [f"{value:.3g} {unit}" for value in (ours, theirs)]
    return {
        "": title,
        "ours": f"**{both[0]}**" if won else both[0],
        "beside": tool,
        "theirs": both[1] if won else f"**{both[1]}**",
    }


def _versions(benchmark: str) -> dict[str, str]:
    content = json.loads((FOLDER / f"{benchmark}.json").read_text(encoding="utf-8"))
    versions: dict[str, str] = content["environment"]["versions"]
    return versions


def _runtimes() -> str:
    """Returns the latency of one net in each runtime, on one thread, whoever is the fastest."""
    by_net: dict[str, dict[str, Any]] = {}
    for row in _rows("bundles"):
        if row["threads"] == 1:
            by_net.setdefault(row["net"], {"net, ms": row["net"]})[row["runs"]] = row["ms"]
    return markdown(list(by_net.values()))


def _steps() -> str:
    """Returns a step of training in int8, in steps in float32: stock, ours, and ours in the phase that learns steps."""
    by_net: dict[str, dict[str, Any]] = {}
    for row in _rows("qat_step"):
        by_net.setdefault(row["net"], {"net": row["net"]})[f"{row['step']}, × float32"] = row["ms / float32"]
    return markdown(list(by_net.values()))


def _learned() -> str:
    """Returns the detectors' and segmenters' targets, without their counts beside the papers'."""
    targets = [each for each in overview.all_targets() if each["benchmark"] in ("detection", "segmentation")]
    return markdown([table_row(each) for each in targets if each["judged"] != COUNTED])


def _rows(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    return rows


if __name__ == "__main__":
    write_text(README, filled(README.read_text(encoding="utf-8")))
    for each in PAGES:
        write_text(page(each), filled_page(each, page(each).read_text(encoding="utf-8")))
