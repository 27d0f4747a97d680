"""Claims about what only the optimized side tells are judged by that side alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from perfscan.replay.catalogue import Metric
from perfscan.replay.claims import judge_claims
from perfscan.replay.equivalence import RunPair
from perfscan.replay.model import Claim, Run, Side
from perfscan.replay.one_sided import one_sided

RATE = {"hit_rate": Metric("Hit rate (says the bot)", "share", "higher", "traffic")}


def pairs(*rates: float | None) -> list[RunPair]:
    def run(side: Side, pair: int, metrics: Mapping[str, float]) -> Run:
        return Run(side, pair, 0, True, metrics, ())

    return [
        RunPair(
            run("original", number, {}),
            run("optimized", number, {} if rate is None else {"hit_rate": rate}),
        )
        for number, rate in enumerate(rates)
    ]


def judged(claim: Claim, *rates: float | None) -> tuple[str, str]:
    found = one_sided(pairs(*rates), [claim], RATE, 0)
    (result,) = judge_claims([claim], found, same_work=True)
    return result.verdict, result.measured


@pytest.mark.parametrize(
    ("claimed", "verdict"),
    [((0.8, 0.8), "confirmed"), ((0.92, 0.92), "not confirmed"), ((0.99, 0.99), "refuted")],
)
def test_the_after_value_is_set_beside_the_claim(
    claimed: tuple[float, float], verdict: str
) -> None:
    claim = Claim("80 % hits", "log", "hit_rate", after=claimed)
    found, measured = judged(claim, 0.9, 0.91, 0.92, 0.92, 0.93, 0.94)
    assert found == verdict
    assert measured.startswith("after 92 % (90 % to 94 %), claimed")


def test_a_claim_that_speaks_of_both_sides_stays_unmeasured() -> None:
    claim = Claim("hits doubled", "log", "hit_rate", ratio=(2.0, 2.0))
    assert judged(claim, *[0.9] * 6) == ("not measured", "no finished pair holds hit_rate")


def test_every_run_must_have_told_it() -> None:
    claim = Claim("80 % hits", "log", "hit_rate", after=(0.8, 0.8))
    assert judged(claim, 0.9, None, 0.9, 0.9, 0.9, 0.9)[0] == "not measured"
