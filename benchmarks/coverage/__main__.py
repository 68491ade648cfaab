"""Sweeps public nets with random weights: which the SDK takes as they are, exactly, and what the others miss.

Run: python -m benchmarks.coverage [--only-captures] [--nets TEXT] [--again]

It needs the extra `coverage`; a net whose package is not installed is failed. After Ctrl-C the next run goes on behind
the last net; `--again` begins anew. A whole sweep writes results/coverage.json.
"""

import argparse
import functools
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch

from benchmarks.core.results_file import FOLDER, markdown, write_result
from benchmarks.coverage.catalogue import Listed, nets
from benchmarks.coverage.one_net import judge
from benchmarks.coverage.packages import import_packages
from benchmarks.coverage.tables import by_family, refusals
from benchmarks.judging.apart import call
from benchmarks.judging.verdict import FAILED
from mobile_sdk.system.environment import installed_versions

CAPTURE_S, WHOLE_S = 300.0, 900.0
VERSIONS = (
    *("mobile-sdk", "torch", "timm", "torchvision", "pytorchcv", "segmentation-models-pytorch", "geffnet"),
    *("ultralytics", "transformers", "ai-edge-litert", "executorch"),
)


def main(arguments: list[str]) -> int:
    """Sweeps; returns 1 if a net failed."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--only-captures", action="store_true", help="captures, and exports nothing: seconds a net")
    parser.add_argument("--nets", default="", help="those whose names contain this text")
    parser.add_argument("--again", action="store_true", help="forgets what a stopped sweep has found")
    asked = parser.parse_args(arguments)
    part = FOLDER / f"coverage.{'captured' if asked.only_captures else 'whole'}.part"
    if asked.again:
        part.unlink(missing_ok=True)
    wanted = [listed for listed in nets() if asked.nets in listed.net]
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    import_packages()
    rows = _swept(wanted, part, only_captures=asked.only_captures)
    if len(rows) == len(nets()) and not asked.only_captures:
        write_result("coverage", by_family(rows), installed_versions(VERSIONS))
        part.unlink()
    elif rows:
        print(markdown(by_family(rows)))
    print(refusals(rows))
    return 1 if any(row["result"] == FAILED for row in rows) else 0


def _swept(wanted: list[Listed], part: Path, *, only_captures: bool) -> list[dict[str, Any]]:
    """Returns a row a net, of this run and of a stopped one before; Ctrl-C ends it early."""
    lines = part.read_text(encoding="utf-8").splitlines() if part.exists() else []
    done = {row["net"]: row for row in map(json.loads, lines)}
    try:
        for number, listed in enumerate(wanted, 1):
            if listed.net in done:
                continue
            print(f"\r{number} of {len(wanted)}: {listed.net:60.60}", end="", file=sys.stderr, flush=True)
            judging = functools.partial(judge, listed, only_captures=only_captures)
            found = call(judging, CAPTURE_S if only_captures else WHOLE_S)
            if isinstance(found, str):
                found = {"result": FAILED, "reasons": [found]}
            done[listed.net] = {"net": listed.net, "family": listed.family, **found}
            with part.open("a", encoding="utf-8") as file:
                print(json.dumps(done[listed.net], ensure_ascii=False), file=file)
    except KeyboardInterrupt:
        print("\nstopped: the next run goes on from here", file=sys.stderr)
    print(file=sys.stderr)
    return [done[listed.net] for listed in wanted if listed.net in done]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
