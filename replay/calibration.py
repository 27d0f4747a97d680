"""What a scenario on a machine can show: runs of one side against themselves.

A calibration is a bench whose two sides are the same code. From its pairs further benches are
formed: some of the pairs, at random, and in each the two runs named "before" and "after" at
random, half of the pairs in either order. Within such a bench no run is used twice and both runs
of a pair are neighbours, as in a real one; the benches share runs among each other, so that their
number makes the rate finer, not surer.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from perfscan.errors import InputError
from perfscan.replay.compare import compare
from perfscan.replay.equivalence import RunPair, complete_pairs
from perfscan.replay.manner import manner
from perfscan.replay.model import Comparison, Run, Scenario, Side

SCHEMA = "perfscan.calibration/1"
FILE = "calibration.json"
SIZES = (6, 12, 20)
CHANGES = ("improved", "regressed")


@dataclass(frozen=True, slots=True)
class SizeCalibration:
    """What benches of one number of pairs showed."""

    pairs: int
    comparisons: int
    """0 where there were fewer pairs: then ``detectable`` is extrapolated from the largest."""
    false_alarms: int
    """Benches that called the primary metric improved or regressed."""
    other_false_alarms: int
    """Benches that called any other metric so."""
    noise: Mapping[str, float]
    """Per metric, median over the benches: 0.04 is 4 %."""
    detectable: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A calibration as saved."""

    scenario: str
    primary: str
    threshold: float
    recording: str
    """SHA-256 of the recording."""
    machine: str
    cpus: int | None
    side: Side
    pairs: int
    """Real pairs of runs that all benches are formed from."""
    made_at: str
    sizes: tuple[SizeCalibration, ...]
    manner: str = ""
    """How the pairs were run, where not by the defaults."""


def calibrate(
    runs: Sequence[Run],
    scenario: Scenario,
    *,
    comparisons: int,
    seed: int,
    report: Callable[[int], None] = lambda _: None,
) -> tuple[SizeCalibration, ...]:
    """Form ``comparisons`` benches of each size from the pairs of ``runs`` and count alarms.

    ``report`` is called with the number of benches done so far.
    """
    pairs = complete_pairs(runs)
    chance = random.Random(seed)
    sizes = sorted({*(size for size in SIZES if size <= len(pairs)), min(len(pairs), SIZES[-1])})
    found: list[SizeCalibration] = []
    for size in sizes:
        benches = []
        for _ in range(comparisons):
            benches.append(compare(_relabelled(pairs, size, chance), scenario, seed=seed))
            report(len(found) * comparisons + len(benches))
        found.append(_summary(size, benches, scenario.primary))
    wider = [size for size in SIZES if size > len(pairs)]
    return (*found, *(_extrapolated(found[-1], size, scenario.threshold) for size in wider))


def _relabelled(pairs: Sequence[RunPair], size: int, chance: random.Random) -> list[Run]:
    """Form a bench of ``size`` pairs without any change."""
    chosen = sorted(chance.sample(range(len(pairs)), size))
    turned = [number % 2 == 1 for number in range(size)]
    chance.shuffle(turned)
    runs = []
    for number, (place, turn) in enumerate(zip(chosen, turned, strict=True)):
        first, second = sorted(
            (pairs[place].original, pairs[place].optimized), key=lambda run: run.slot
        )
        before, after = (second, first) if turn else (first, second)
        runs.append(replace(before, side="original", pair=number))
        runs.append(replace(after, side="optimized", pair=number))
    return runs


def _summary(size: int, benches: Sequence[Comparison], primary: str) -> SizeCalibration:
    detectable: dict[str, list[float]] = {}
    noise: dict[str, list[float]] = {}
    for bench in benches:
        for metric in bench.metrics:
            if metric.detectable is not None:
                detectable.setdefault(metric.name, []).append(metric.detectable)
        for name, level in bench.noise.items():
            noise.setdefault(name, []).append(level)
    alarms = [{one.name for one in bench.metrics if one.verdict in CHANGES} for bench in benches]
    return SizeCalibration(
        pairs=size,
        comparisons=len(benches),
        false_alarms=sum(primary in names for names in alarms),
        other_false_alarms=sum(bool(names - {primary}) for names in alarms),
        noise={name: median(levels) for name, levels in noise.items()},
        detectable={name: median(found) for name, found in detectable.items()},
    )


def _extrapolated(known: SizeCalibration, size: int, threshold: float) -> SizeCalibration:
    """Let noise shrink with the square root of the pairs; no change below the threshold counts."""

    def shrink(share: float) -> float:
        return math.expm1(math.log1p(share) * math.sqrt(known.pairs / size))

    return SizeCalibration(
        *(size, 0, 0, 0),
        {name: shrink(share) for name, share in known.noise.items()},
        {name: max(threshold, shrink(share)) for name, share in known.detectable.items()},
    )


def dump_calibration(found: Calibration) -> str:
    """Return the text of a saved calibration."""
    return json.dumps({"schema": SCHEMA, **asdict(found)}, indent=1, ensure_ascii=False) + "\n"


def read_calibration(path: Path) -> Calibration | None:
    """Read a saved calibration; None where there is no file. Raises InputError for another one."""
    try:
        document = json.loads(path.read_text("utf-8"))
        if document.pop("schema") != SCHEMA:
            raise ValueError("another schema")
        sizes = tuple(SizeCalibration(**size) for size in document.pop("sizes"))
        return Calibration(**document, sizes=sizes)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"not a calibration: {error}",
            where=str(path),
            remedy="delete it, or make it again with perfscan bench calibrate",
        ) from error


def quote_calibration(
    scenario: Scenario,
    recording: str,
    environment: Mapping[str, Any],
    method: Mapping[str, Any],
) -> dict[str, Any] | None:
    """Return what a report quotes of the calibration beside the scenario.

    None where there is none, or where it was made of another recording, on another machine or in
    another way.
    """
    found = read_calibration(scenario.path.parent / FILE)
    if found is None:
        return None
    what = (found.scenario, found.primary, found.recording, found.manner)
    if what != (scenario.name, scenario.primary, recording, manner(method)):
        return None
    if (found.machine, found.cpus) != (environment.get("machine"), environment.get("cpus")):
        return None
    return {
        "side": found.side,
        "pairs": found.pairs,
        "made_at": found.made_at,
        "sizes": [
            {
                "pairs": size.pairs,
                "comparisons": size.comparisons,
                "false_alarms": size.false_alarms,
                "noise": size.noise.get(scenario.primary),
                "detectable": size.detectable.get(scenario.primary),
            }
            for size in found.sizes
        ],
    }
