"""Draws random nets of everything that the SDK reads, and compares what phones would compute with the reference.

Run: python -m benchmarks.random_nets [--nets N] [--first SEED] [--device DEVICE]     a net takes some five seconds

Every net is drawn from its seed: odd operators in odd places, on inputs of any size, with several outputs of any shape.
Each is captured, calibrated, frozen and written for LiteRT, ExecuTorch, ONNX Runtime and Core AI in a process of its
own.
`--nets 1 --first SEED` repeats one. Exit code 1: elements differ, or a net failed in another way than by a refusal in
words.
"""

import argparse
import functools
import json
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.core.results_file import markdown
from benchmarks.judging.apart import call
from benchmarks.judging.verdict import FAILED, REFUSED
from benchmarks.random_nets.check import judge

LIMIT_S = 300.0


def main(arguments: list[str]) -> int:
    """Draws and judges nets; returns 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--nets", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first one")
    parser.add_argument("--device", help="where both runtimes run, as in `verify`: emulated:cortex-a76, emulated:max")
    parser.add_argument("--out", type=Path, help="a file that gets a line of JSON for each net")
    asked = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    rows: list[dict[str, Any]] = []
    try:
        for seed in range(asked.first, asked.first + asked.nets):
            found = call(functools.partial(judge, seed, asked.device), LIMIT_S)
            row = {"seed": seed, "result": FAILED, "reasons": [found]} if isinstance(found, str) else found
            rows.append(row)
            if asked.out is not None:
                with asked.out.open("a", encoding="utf-8") as file:
                    print(json.dumps(row, ensure_ascii=False), file=file)
            results = Counter(each["result"] for each in rows)
            print(f"\r{len(rows)} of {asked.nets}: {dict(results)}", end="", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
    print(file=sys.stderr)
    print(markdown(_table(rows)))
    for row in rows:
        if row["result"] == FAILED:
            print(f"failed: --first {row['seed']}: {row['reasons'][0]}")
    return 1 if any(row["result"] == FAILED for row in rows) else 0


def _table(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns a row for each result, and one for each reason of a refusal."""
    results = Counter(row["result"] for row in rows)
    reasons = Counter(reason for row in rows if row["result"] == REFUSED for reason in set(row["reasons"]))
    return [
        {
            "result": result,
            "nets": count,
            "elements": sum(row.get("elements", 0) for row in rows if row["result"] == result),
        }
        for result, count in results.most_common()
    ] + [{"result": f"refused: {reason}", "nets": count, "elements": 0} for reason, count in reasons.most_common()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
