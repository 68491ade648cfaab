"""Puts the measured figures into README.md and pages of docs/, between marks; a test holds that they are there.

Run: python -m benchmarks.core.readme
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.core import overview
from benchmarks.core.results_file import FOLDER, markdown
from benchmarks.core.targets import COUNTED, table_row
from mobile_sdk.system.atomic_files import write_text

README = Path(__file__).parents[2] / "README.md"
PAGES = {  # of docs/: the marks in each, and the results whose rows stand there
    "guides/latency.md": {"setups": "predict_setups", "newer nets": "predict_nets"},
    "reference/paper-nets.md": {
        "paper nets": "paper_nets",
        "ablations": "ablations",
        "published counts": "published_counts",
    },
    "project/results.md": {
        "coverage": "interval_coverage",
        "repeats": "interval_repeats",
        "beside stock": "public_nets",
        "fuzz": "fuzz",
    },
    "guides/search.md": {"search": "search"},
    "guides/training.md": {
        "augmentation": "augmentation",
        "content hashes": "content_hashes",
        "public nets": "coverage",
        "scaling": "scaling",
        "scaling digits": "scaling_digits",
    },
}
BESIDE_STOCK = (
    *("calibration", "distillation", "qat_digits", "stock_qat"),
    *("bundles", "qat_step", "export", "reference", "activation_memory", "operator_calibration"),
)
RUNTIMES = {"executorch": "ExecuTorch", "tflite": "LiteRT", "coreml": "Core ML"}


def filled(text: str) -> str:
    """Returns README's text with every mark `<!-- name -->…<!-- /name -->` filled from the results."""
    fillings = {
        "nets": f"\n{_nets()}\n",
        "targets": f"\n{overview.table(BESIDE_STOCK)}\n",
        "predict": f"\n{markdown(_rows('predict'))}\n",
        "tasks": f"\n{_learned()}\n",
        "search": f"\n{markdown(_rows('search'))}\n",
        "exactness": f"\n{markdown(_rows('exactness'))}\n",
        "accelerators": f"\n{markdown(_rows('accelerators'))}\n",
    }
    *_, public = _rows("coverage")
    fillings |= {f"public {key}": str(public[key]) for key in ("nets", "taken", "exact")}
    (lowering,) = _rows("executorch_lowering")
    fillings |= {key: str(lowering[key]) for key in ("ours s", "stock lowering s", "ours / stock")}
    return _filled(text, fillings)


def page(name: str) -> Path:
    """Returns the path of a page of docs/."""
    return README.parent / "docs" / name


def filled_page(name: str, text: str) -> str:
    """Returns a page of docs/ with its marks filled by its benchmarks' tables."""
    return _filled(text, {mark: f"\n{markdown(_rows(result))}\n" for mark, result in PAGES[name].items()})


def _filled(text: str, fillings: Mapping[str, str]) -> str:
    for name, filling in fillings.items():
        mark, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = text.partition(mark)
        text = before + mark + filling + end + rest.partition(end)[2]
    return text


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
