"""Compares a runtime's scores with the expected ones."""

from mobile_sdk.comparison import Comparison
from mobile_sdk.runtimes.requirement import Requirement
from mobile_sdk.verification.verdict import Check


def numeric_checks(comparison: Comparison, requirement: Requirement, pictures: int) -> list[Check]:
    """Returns the checks that compare scores: "steps apart", or "sqnr" and "top-1 agreement", or "shares apart" too."""
    if requirement.exact:
        apart = f"{comparison.differing} of {comparison.elements} elements differ" if comparison.differing else ""
        steps = comparison.max_steps
        return [Check.judged("steps apart", comparison.is_exact, measured=steps, required="0 steps", reason=apart)]
    agreed = round(comparison.top1_agreement * pictures)
    # One picture is always allowed: a few pictures cannot measure a share of 98 %.
    allowed = max(1, int(pictures * (1 - requirement.min_top1_agreement)))
    shares = list[Check]()
    if requirement.most_apart is not None:
        allowed = 0
        is_near = comparison.not_finite == 0 and comparison.max_steps <= requirement.most_apart
        required = f"at most {requirement.most_apart:g}"
        shares = [Check.judged("shares apart", is_near, measured=comparison.max_steps, required=required)]
    return [
        *shares,
        Check.judged(
            "sqnr",
            comparison.reaches_db(requirement.min_sqnr_db),
            measured="no noise" if comparison.is_exact else comparison.sqnr_db,
            required=f"at least {requirement.min_sqnr_db:g} dB",
            reason=requirement.why,
        ),
        Check.judged(
            "top-1 agreement",
            pictures > 0 and pictures - agreed <= allowed,
            measured=comparison.top1_agreement,
            required=f"at most {allowed} of {pictures} pictures with another winner",
            reason=requirement.why,
        ),
    ]
