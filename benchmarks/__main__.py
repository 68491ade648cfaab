"""Runs the benchmarks one after the other, then writes the table of targets that README quotes.

Run: python -m benchmarks [NAME …]     without names: all that measure, an hour or two; `make bench` does it
"""

import subprocess
import sys
import time

from benchmarks.core import overview

ROOMS = {
    "accuracy": (
        *("calibration", "sensitivity", "distillation", "qat_digits", "stock_qat", "scaling_digits"),
        *("fake_quantization", "augmentation", "hard_swish", "exactness", "without_xnnpack", "accelerators"),
    ),
    "quantization": ("few_photographs", "four_bits", "four_bit_files", "four_bits_beside_stock"),
    "speed": (
        *("nets", "bundles", "public_nets", "executorch_lowering", "qat_step"),
        *("scaling", "export", "reference", "content_hashes", "decode_boxes"),
    ),
    "memory": ("activation_memory",),
    "papers": ("paper_nets", "published_counts", "ablations", "detection", "segmentation"),
    "latency_model": ("predict", "int8_predictions", "operator_calibration", "search"),
    "confidence": ("interval_coverage", "interval_repeats"),
    "regression": ("older_runtimes", "page_size", "installation"),
}
MODULES = {name: f"benchmarks.{room}.{name}" for room, names in ROOMS.items() for name in names}
ON_REQUEST = {"coverage": "benchmarks.coverage", "fuzz": "benchmarks.fuzz"}
"""These run only by name: they say nothing of speed or accuracy."""


def main(names: list[str]) -> int:
    """Runs `names`, or all; returns 1 if one of them failed, 2 if one is unknown. Successful results are kept."""
    known = {**MODULES, **ON_REQUEST}
    if unknown := [name for name in names if name not in known]:
        print(f"expected benchmarks ({', '.join(known)}), found {unknown[0]!r}", file=sys.stderr)
        return 2
    failed = [name for name in names or MODULES if not _run(name)]
    overview.write()
    if failed:
        print(f"failed: {', '.join(failed)}; run them again by name", file=sys.stderr)
    return 1 if failed else 0


def _run(name: str) -> bool:
    print(f"\n## {name}", flush=True)
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-m", {**MODULES, **ON_REQUEST}[name]], check=False)
    print(f"{name}: {time.monotonic() - started:.0f} s, exit code {done.returncode}", file=sys.stderr, flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
