"""Fails where a bundle is worse than the baseline that is committed: not exact, less accurate, larger, or slower.

    python examples/ci_gate.py --program program.pt2 --data photos/ --baseline baseline.json bundles/fruit.tflite

With --accept it writes the baseline. A machine that is too busy for a verdict on time gives none, and says so.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import mobile_sdk as sdk
import qat


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 where every bundle is as good as its baseline, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", type=Path, help="bundle folders")
    parser.add_argument("--program", type=Path, required=True, help="the program.pt2 that they were made from")
    parser.add_argument("--data", type=Path, required=True, help="labelled images: the held-out ones count")
    parser.add_argument("--baseline", type=Path, default=Path("baseline.json"), help="default: %(default)s")
    parser.add_argument("--accept", action="store_true", help="write the baseline instead")
    parser.add_argument("--lost-accuracy", type=float, default=0.005, help="that is allowed. default: %(default)s")
    parser.add_argument("--slower", type=float, default=0.2, help="share that is allowed. default: %(default)s")
    given = parser.parse_args(arguments)

    program, pictures = sdk.Program.load(given.program), qat.load_folder(given.data)
    bundles = [sdk.open_bundle(path) for path in given.bundles]
    verdicts = [sdk.verify(bundle, program, pictures) for bundle in bundles]
    numbers = sdk.benchmark(bundles)
    found = {}
    for verdict, measured in zip(verdicts, numbers.measurements, strict=True):
        print(verdict, measured.summary and f"{measured.summary.median_ms:.3f} ms", measured.advice or "", sep="  ")
        quality = verdict.quality
        found[verdict.bundle] = {
            "exact": bool(verdict),
            "accuracy": quality and quality.value,
            "bytes": verdict.model_bytes,
            # times that support no verdict are not compared
            "ms": measured.summary.median_ms if measured.summary and not measured.advice else None,
        }
    if given.accept:
        given.baseline.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        return 0
    before = json.loads(given.baseline.read_text(encoding="utf-8"))
    faults = [fault for name in found for fault in worse(name, found[name], before.get(name), given)]
    print("\n".join(faults) or "as good as the baseline")
    return 1 if faults else 0


def worse(name: str, now: dict, before: dict | None, allowed: argparse.Namespace) -> list[str]:
    """Returns a line for everything that is worse than before."""
    if before is None:
        return [f"{name}: no baseline; accept one with --accept"]
    said = []
    if not now["exact"]:
        said.append("it does not compute what the program says")
    if (now["accuracy"] or 0) < (before["accuracy"] or 0) - allowed.lost_accuracy:
        said.append(f"accuracy {now['accuracy']:.3f}, {before['accuracy']:.3f} before")
    if now["bytes"] > 1.01 * before["bytes"]:
        said.append(f"{now['bytes']:,} bytes, {before['bytes']:,} before")
    if now["ms"] and before["ms"] and now["ms"] > (1 + allowed.slower) * before["ms"]:
        said.append(f"{now['ms']:.3f} ms, {before['ms']:.3f} before")
    return [f"{name}: {each}" for each in said]


if __name__ == "__main__":
    sys.exit(main())
