"""Times the decoding of boxes beside the former one, which compared all pairs, on the same boxes and shares.

Run: python -m benchmarks.speed.decode_boxes     it prints a table; nothing is written
"""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.core.results_file import markdown
from mobile_sdk.contract import DetectionSpec
from mobile_sdk.tasks.boxes import Detections, best_of, overlaps

SIDE, RUNS = 320, 3
SPEC = DetectionSpec(score_threshold=0.01)
Floats = NDArray[np.float64]


def main() -> None:
    """Prints milliseconds of both, the fastest of some runs, and their ratio; both find the same."""
    rows = []
    for anchors, labels in ((500, 3), (2034, 3), (2034, 20)):
        random = np.random.default_rng(anchors + labels)
        starts = random.random((anchors, 2)) * SIDE
        boxes = np.concatenate([starts, starts + random.random((anchors, 2)) * 60], axis=1).clip(0, SIDE)
        shares = random.random((anchors, labels)) / labels
        own, found = _fastest_ms(lambda boxes=boxes, shares=shares: best_of(boxes, shares, SPEC, SIDE).scores)
        former, expected = _fastest_ms(
            lambda boxes=boxes, shares=shares: by_all_pairs(boxes, shares, SPEC, SIDE).scores
        )
        assert np.array_equal(found, expected)
        times = {"own ms": f"{own:.1f}", "former ms": f"{former:.1f}", "former over own": f"{former / own:.1f}"}
        rows.append({"anchors": anchors, "labels": labels, **times})
    print(markdown(rows))


def by_all_pairs(boxes: Floats, shares: Floats, spec: DetectionSpec, side_px: int) -> Detections:
    """Returns detections by the rule of docs/guides/detection.md as it was until December 2026: of all overlaps."""
    likely = shares.max(axis=1, initial=0) >= spec.score_threshold
    shares, cut = shares[likely], np.clip(boxes[likely].astype(np.float64), 0, side_px)
    shared = overlaps(cut, cut)
    found: list[tuple[float, int, int]] = []
    for label in range(shares.shape[1]):
        scores = shares[:, label]
        candidates = np.flatnonzero(scores >= spec.score_threshold)
        order = candidates[np.argsort(-scores[candidates], kind="stable")]
        kept: list[int] = []
        while len(order) and len(kept) < spec.max_detections:
            best, order = int(order[0]), order[1:]
            kept.append(best)
            order = order[shared[best, order] <= spec.iou_threshold]
        found += [(-scores[index], label, index) for index in kept]
    best_found = sorted(found)[: spec.max_detections]
    return Detections(
        boxes=cut[[index for _, _, index in best_found]].reshape(-1, 4),
        labels=np.array([label for _, label, _ in best_found], np.int64),
        scores=np.array([-score for score, _, _ in best_found], np.float64),
    )


def _fastest_ms(call: Callable[[], Floats]) -> tuple[float, Floats]:
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        found = call()
        times.append(1000 * (time.perf_counter() - start))
    return min(times), found


if __name__ == "__main__":
    main()
