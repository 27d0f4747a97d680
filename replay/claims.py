"""Sets the claims of a report beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perfscan.quantities import change, change_interval, change_range, quantity
from perfscan.replay.model import Claim, ClaimResult, ClaimVerdict, MetricComparison

ENOUGH = 0.95
"""Coverage that an interval needs before it may confirm or refute anything."""


def judge_claims(
    claims: Sequence[Claim], metrics: Mapping[str, MetricComparison], *, same_work: bool
) -> tuple[ClaimResult, ...]:
    """Judge every claim by the metric that it names.

    A claim is confirmed when the whole measured interval is at least as good as claimed, refuted
    when the whole interval is worse than the weakest reading of the claim, else not confirmed.
    Better than claimed counts as confirmed. A claim with a ratio (or a before and an after) and
    an after value makes two statements: one refuted refutes it, both confirmed confirm it.
    """
    return tuple(_judge(claim, metrics, same_work=same_work) for claim in claims)


def _judge(
    claim: Claim, metrics: Mapping[str, MetricComparison], *, same_work: bool
) -> ClaimResult:
    if claim.metric is None:
        return ClaimResult(claim, "not measured", claim.not_measured or "no metric answers it")
    if not same_work:
        return ClaimResult(claim, "not measured", "the two sides did different work")
    found = metrics.get(claim.metric)
    if found is None:
        return ClaimResult(claim, "not measured", f"no finished pair holds {claim.metric}")
    parts = [part for part in (_ratio_part(claim, found), _after_part(claim, found)) if part]
    if not parts:
        return ClaimResult(
            claim, "not measured", "the claim names only the value before the change"
        )
    verdict = _combine([part[0] for part in parts])
    phrases = "; ".join(part[1] for part in parts)
    if found.confidence < ENOUGH:
        phrases += "; too few pairs to decide"
    return ClaimResult(claim, verdict, phrases)


def _combine(verdicts: Sequence[ClaimVerdict]) -> ClaimVerdict:
    if "refuted" in verdicts:
        return "refuted"
    return "confirmed" if set(verdicts) == {"confirmed"} else "not confirmed"


def claimed_ratio(claim: Claim) -> tuple[float, float] | None:
    """Return after / before as claimed: the ratio that confirms and the one that refutes beyond.

    The weaker end of a stated ratio does both. Where only values are stated, the corner of both
    ranges flatters the claim ("3-5 s to 0.5-1 s" would hold from 3x on), so the midpoints
    confirm and only beyond that corner is it refuted.
    """
    if claim.ratio is not None:
        weaker = claim.ratio[1] if claim.ratio[1] <= 1 else claim.ratio[0]
        return weaker, weaker
    if claim.before is None or claim.after is None:
        return None
    before_low, before_high = claim.before
    after_low, after_high = claim.after
    if before_high is None or after_high is None or before_low <= 0:
        return None
    middle = (after_low + after_high) / (before_low + before_high)
    corner = after_high / before_low if middle <= 1 else after_low / before_high
    return middle, corner


def _ratio_part(claim: Claim, found: MetricComparison) -> tuple[ClaimVerdict, str] | None:
    claimed = claimed_ratio(claim)
    if claimed is None:
        return None
    if found.ci_low is None or found.ci_high is None:
        return "not confirmed", "no ratio could be formed"
    needed, weakest = claimed
    verdict: ClaimVerdict = "not confirmed"
    if found.confidence >= ENOUGH and needed <= 1:
        verdict = _against_ceiling(found.ci_low, found.ci_high, needed, weakest)
    elif found.confidence >= ENOUGH:
        verdict = _against_ceiling(-found.ci_high, -found.ci_low, -needed, -weakest)
    ends = claim.ratio or (min(claimed), max(claimed))
    return verdict, f"measured {_measured_ratio(found)}, claimed {change_range(*ends)}"


def _against_ceiling(low: float, high: float, needed: float, weakest: float) -> ClaimVerdict:
    if high <= needed:
        return "confirmed"
    return "refuted" if low > weakest else "not confirmed"


def _measured_ratio(found: MetricComparison) -> str:
    low, high, ratio = found.ci_low, found.ci_high, found.ratio
    if ratio is None or low is None or high is None:
        return "nothing"
    if found.confidence == 1.0:
        return f"{change(ratio)} (the same in every pair)"
    if low == high:
        return change(ratio)
    return f"{change(ratio)} ({change_interval(low, high)})"


def _after_part(claim: Claim, found: MetricComparison) -> tuple[ClaimVerdict, str] | None:
    if claim.after is None:
        return None
    if found.after_low is None or found.after_high is None:
        return "not confirmed", f"after {quantity(found.after, found.unit)}"
    low, high = claim.after
    verdict: ClaimVerdict = "not confirmed"
    if found.confidence >= ENOUGH and found.better == "lower":
        limit = low if high is None else high
        verdict = _against_ceiling(found.after_low, found.after_high, limit, limit)
    elif found.confidence >= ENOUGH:
        verdict = _against_ceiling(-found.after_high, -found.after_low, -low, -low)
    return verdict, f"after {_values(found)}, claimed {_claimed_values(claim.after, found.unit)}"


def _values(found: MetricComparison) -> str:
    centre = quantity(found.after, found.unit)
    low, high = quantity(found.after_low, found.unit), quantity(found.after_high, found.unit)
    return centre if low == high else f"{centre} ({low} to {high})"


def _claimed_values(claimed: tuple[float, float | None], unit: str) -> str:
    low, high = quantity(claimed[0], unit), claimed[1]
    if high is None:
        return f"{low} or more"
    return low if high == claimed[0] else f"{low} to {quantity(high, unit)}"
