"""Checks how much of a net an accelerator takes: scores that other kernels computed say nothing about it."""

from collections import Counter

from mobile_sdk.runtimes.reader import Taken
from mobile_sdk.verification.verdict import Check

LEAST_SHARE = 0.9
"""A net of which an accelerator takes less is not what it runs."""


def taken_checks(taken: Taken | None) -> list[Check]:
    """Returns the check of the share of operators, if the runtime tells of it."""
    if taken is None:
        return []
    names = Counter(taken.left or ())
    left = ", ".join(f"{count} x {name}" if count > 1 else name for name, count in sorted(names.items()))
    share = taken.share
    return [
        Check.judged(
            "share taken",
            share is not None and share >= LEAST_SHARE,
            measured="a part, of unknown size" if share is None else share,
            required=f"at least {LEAST_SHARE:g} of the {taken.operators} operators by {taken.by}",
            reason=f"other kernels compute {left}" if left else "",
        )
    ]
