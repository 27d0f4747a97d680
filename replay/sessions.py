"""Compares two benches that were made one after the other, with the reserve that this asks for.

On identical code "all before, then all after" called a difference in 11 to 31 % of trials: between
two sessions a machine is not the same. Where both benches also ran the same original, each is set
against the original of its own session, which takes the machine out. Otherwise the interval is
widened by the spread between single runs, and either way the result says how it was made.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median, stdev, variance

from perfscan.errors import InputError
from perfscan.replay.compare import Series, compare, line_up
from perfscan.replay.doubts import Circumstances
from perfscan.replay.equivalence import complete_pairs
from perfscan.replay.manner import manner
from perfscan.replay.model import Claim, Doubt, ReadingRule, Result, Run, Side
from perfscan.replay.readings import about_readings
from perfscan.replay.statistics import CONFIDENCE, Estimate, Interval, t_tail

DRAWS = 4_000


@dataclass(frozen=True, slots=True)
class Session:
    """A stored result, and where it was stored."""

    name: str
    result: Result


@dataclass(frozen=True, slots=True)
class _Yardstick:
    primary: str
    threshold: float
    targets: Mapping[str, float]
    claims: tuple[Claim, ...] = ()


def compare_sessions(earlier: Session, later: Session, side: Side, seed: int = 0) -> Result:
    """Return a result whose original is ``side`` of ``earlier``, whose optimized that of ``later``.

    Raises InputError where the two were not made with the same scenario and recording, in the same
    way, on the same machine.
    """
    _demand_same(earlier, later)
    before, after = _good_runs(earlier, side), _good_runs(later, side)
    runs = _renamed(before, after)
    saved = later.result.scenario
    yardstick = _Yardstick(saved["primary"], saved["threshold"], saved["targets"])
    own = about_readings(
        {
            name: ReadingRule(unit=rule["unit"], better=rule["better"])
            for name, rule in (saved.get("readings") or {}).items()
        }
    )
    raw = line_up(complete_pairs(runs), seed, own)
    controlled = side == "optimized" and _same_original(earlier.result, later.result)
    if controlled:
        series = _against_original(raw, earlier.result, later.result, seed)
    else:
        series = [replace(one, found=_with_reserve(one, seed)) for one in raw]
    method = later.result.method
    circumstances = Circumstances(
        speed=float(method.get("speed") or 1.0),
        until_s=method.get("until_s"),
        faults=tuple(method.get("faults") or ()),
    )
    comparison = compare(runs, yardstick, circumstances=circumstances, seed=seed, series=series)
    return replace(
        later.result,
        runs=tuple(runs),
        comparison=replace(comparison, doubts=(_doubt(controlled), *comparison.doubts)),
        method={
            **method,
            "order": "one session after the other",
            "side": side,
            "sessions": [_about(earlier), _about(later)],
            "control": "the original of each session" if controlled else None,
        },
        findings=None,
        figures=(),
        ablation=None,
    )


def _demand_same(earlier: Session, later: Session) -> None:
    for what, place in (
        ("scenario", ("scenario", "name")),
        ("primary metric", ("scenario", "primary")),
        ("recording", ("recording", "sha256")),
        ("machine", ("environment", "machine")),
        ("number of processors", ("environment", "cpus")),
    ):
        one, other = (getattr(each.result, place[0]).get(place[1]) for each in (earlier, later))
        _demand_equal(what, one, other, later)
    before, after = (manner(each.result.method) for each in (earlier, later))
    _demand_equal("manner", before or "defaults", after or "defaults", later)


def _demand_equal(what: str, one: object, other: object, later: Session) -> None:
    if one != other:
        raise InputError(
            f"these results cannot be compared: their {what} differs, {one} and {other}",
            where=later.name,
            remedy="measure both in the same way, or with perfscan bench compare --commits",
        )


def _good_runs(session: Session, side: Side) -> list[Run]:
    runs = [run for run in session.result.runs if run.side == side and run.ok]
    if not runs:
        raise InputError(
            f"no finished run of the {side} side",
            where=session.name,
            remedy="choose another --side",
        )
    return runs


def _renamed(before: Sequence[Run], after: Sequence[Run]) -> list[Run]:
    """Give both series the sides and numbers of pairs; what is left over of one is dropped."""
    runs = []
    for number, (one, other) in enumerate(zip(before, after, strict=False)):
        runs.append(replace(one, side="original", pair=number, slot=0))
        runs.append(replace(other, side="optimized", pair=number, slot=1))
    return runs


def _same_original(earlier: Result, later: Result) -> bool:
    one, other = (
        result.scenario["implementations"]["original"].get("sha256") for result in (earlier, later)
    )
    return one is not None and one == other


def _against_original(
    raw: Sequence[Series], earlier: Result, later: Result, seed: int
) -> list[Series]:
    """Set every metric of each session against the original of its own session."""
    first, second = (
        {one.name: one for one in line_up(complete_pairs(result.runs), seed)}
        for result in (earlier, later)
    )
    return [
        replace(one, found=_difference(_logs(first[one.name]), _logs(second[one.name]), 0.0, seed))
        if one.name in first and one.name in second
        else one
        for one in raw
    ]


def _logs(one: Series) -> list[float]:
    """Return the log ratios of a session's pairs; none where a value has no logarithm."""
    if any(pair.before <= 0 or pair.after <= 0 for pair in one.pairs):
        return []
    return [math.log(pair.after / pair.before) for pair in one.pairs]


def _with_reserve(one: Series, seed: int) -> Estimate | None:
    if any(value <= 0 for value in (*one.before, *one.after)):
        return None
    before, after = ([math.log(value) for value in side] for side in (one.before, one.after))
    spread = max((stdev(side) for side in (before, after) if len(side) > 1), default=0.0)
    return _difference(before, after, spread, seed)


def _difference(
    before: Sequence[float], after: Sequence[float], reserve: float, seed: int
) -> Estimate | None:
    """Estimate the difference of two medians of logs by bootstrap, widened by ``reserve``."""
    if not before or not after:
        return None
    chance = random.Random(seed)
    draws = sorted(
        median(chance.choices(after, k=len(after))) - median(chance.choices(before, k=len(before)))
        for _ in range(DRAWS)
    )
    cut = int((1 - CONFIDENCE) / 2 * DRAWS)
    centre = median(after) - median(before)
    return Estimate(
        Interval(centre, draws[cut] - reserve, draws[-1 - cut] + reserve, CONFIDENCE),
        _welch(before, after, reserve),
        slots_agree=True,
        pairs=min(len(before), len(after)),
    )


def _welch(before: Sequence[float], after: Sequence[float], reserve: float) -> float:
    """Return the p-value of "the means differ by no more than ``reserve``", a cautious one."""
    if min(len(before), len(after)) < 2:
        return 1.0
    distance = max(0.0, abs(fmean(after) - fmean(before)) - reserve)
    error = math.sqrt(variance(before) / len(before) + variance(after) / len(after))
    if error == 0:
        return 0.0 if distance else 1.0
    return t_tail(distance / error, min(len(before), len(after)) - 1)


def _doubt(controlled: bool) -> Doubt:
    what = (
        "the two benches were not interleaved; each was set against the original of its own session"
        if controlled
        else "the two benches were not interleaved, and the machine may have changed between them; "
        "intervals are widened by the spread between single runs"
    )
    return Doubt(
        "NotInterleaved",
        what,
        "perfscan bench compare --commits A B scenario.yaml runs both in turn",
    )


def _about(session: Session) -> dict[str, object]:
    git = session.result.environment.get("git") or {}
    return {
        "file": session.name,
        "commit": git.get("commit"),
        "started_at": session.result.method.get("started_at"),
    }
