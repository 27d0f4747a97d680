"""Reasons to distrust a number, as values: each says what is wrong and what would remove it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log, log1p
from statistics import median

from perfscan.quantities import percent, quantity
from perfscan.replay.model import Doubt, MetricComparison, Run
from perfscan.replay.statistics import MIN_PAIRS

BUSY_BEFORE = 0.3
"""Share of busy processors before the bench from which other work must be feared."""
STEAL = 0.02
"""Share of CPU time that the hypervisor gave to others."""
DWARFS = 3.0
"""A change this many times the noise is beyond doubt, however large the noise."""
CROWDED = 0.7
"""Share of busy processors from which runs side by side slow each other down."""


_SLOTS_DISAGREE = Doubt(
    "SlotsDisagree",
    "the primary metric changed in one order of the two runs and not in the other, so the place "
    "in the pair moves it more than the code does",
    "stop what slows the second run of a pair, such as a throttled or shared processor",
)


_NOTHING_COMPARED = Doubt(
    "NothingCompared",
    "a cycle counts as done by its last answer; what its requests said is not compared, nor how "
    "many there were",
    "name what must be equal under items.effect.compare",
)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Under which conditions the runs were made."""

    speed: float = 1.0
    lanes: int = 1
    isolated: bool = True
    """The bots ran in a network namespace; False where only the hook guarded them."""
    truncated: bool = False
    """The recording ends inside a line or an exchange."""
    interrupted: bool = False
    alone: bool = False
    """One side ran by itself, so that no pairs are to be expected."""
    until_s: float | None = None
    faults: tuple[str, ...] = ()
    """What went wrong on purpose, as it was asked for."""
    outside: tuple[str, ...] = ()
    """Services that somebody else runs."""
    unread: bool = False
    """The scenario compares nothing of what the effects of a cycle say."""
    left_out: int = 0
    """Batches of runs for which the time budget did not last."""
    busy_before: float | None = None
    """Share of CPU time that was not idle before the first run, 0 to 1."""
    cpu_busy: float | None = None
    """Share of CPU time that was not idle while the runs went on, 0 to 1."""
    cpu_steal: float | None = None


def doubts(
    runs: Sequence[Run],
    pairs: int,
    noise: Mapping[str, float],
    circumstances: Circumstances,
    *,
    primary: str,
    threshold: float,
    decided: MetricComparison | None = None,
    slots_agree: bool = True,
) -> tuple[Doubt, ...]:
    """Collect all doubts, those that void the figures first.

    ``slots_agree`` is False where the primary metric changed, but only in one order of the runs.
    ``pairs`` is the number of complete pairs, ``decided`` the comparison of the primary metric.
    """
    found = [
        *(
            []
            if circumstances.alone
            else _about_pairs(pairs, decided.pairs_to_settle if decided else None)
        ),
        *_about_runs(runs),
        *_about_schedule(runs, primary, threshold),
        *_about_noise(noise.get(primary), decided, threshold),
        *([] if slots_agree else [_SLOTS_DISAGREE]),
        *_about_circumstances(circumstances),
    ]
    return tuple(sorted(found, key=lambda doubt: not doubt.voids))


def _about_pairs(pairs: int, wanted: int | None) -> Iterator[Doubt]:
    if pairs == 0:
        yield Doubt(
            "NoPairs",
            "no pair of runs was completed",
            "make both bots run by themselves first",
            voids=True,
        )
    elif pairs < MIN_PAIRS:
        yield Doubt(
            "TooFewPairs",
            f"{pairs} of the {MIN_PAIRS} pairs that are the least to show anything",
            f"run with --pairs {MIN_PAIRS} or more",
        )
    elif wanted:
        yield Doubt(
            "TooFewPairs",
            f"{pairs} pairs leave the primary metric open",
            f"about {wanted} would settle it: --pairs {wanted}",
        )


def _about_runs(runs: Sequence[Run]) -> Iterator[Doubt]:
    failed = [run for run in runs if not run.ok]
    missed = [run for run in failed if run.misses]
    crashed = [run for run in failed if not run.misses and run.problem != "interrupted"]
    if crashed:
        yield Doubt(
            "BotCrashed",
            f"{_runs(len(crashed))} failed, first {_name(crashed[0])}: {crashed[0].problem}",
            "see its log in RUN.json; failed runs and their pairs are left out",
        )
    if missed:
        miss = missed[0].misses[0]
        yield Doubt(
            "RecordingExhausted",
            f"{_runs(len(missed))} asked for what the recording does not hold, "
            f"first {_name(missed[0])}: {miss.request}",
            f"nearest recorded: {miss.nearest[0]}" if miss.nearest else "record that traffic too",
        )
    if escapes := sorted({host for run in runs for host in run.escapes}):
        yield Doubt(
            "EscapesAttempted",
            f"the bot tried to reach {', '.join(escapes)}, outside the recording (refused)",
            "record that traffic too, or switch that feature off for the replay",
        )


def _about_schedule(runs: Sequence[Run], primary: str, threshold: float) -> Iterator[Doubt]:
    """Lateness matters where it could move the primary metric by the threshold."""
    late = [run.metrics.get("schedule_lateness_ms.p99", 0.0) for run in runs if run.ok]
    values = [run.metrics[primary] for run in runs if run.ok and primary in run.metrics]
    if not late or not values or "_ms." not in primary:
        return
    budget = threshold * min(values)
    if max(late) > budget:
        pairs = _pairs_over(runs, budget)
        yield Doubt(
            "LateServer",
            f"in {pairs} the replay was up to {quantity(max(late), 'ms')} late "
            f"(p99 of the worst run, {quantity(median(late), 'ms')} in the median run); "
            f"{quantity(budget, 'ms')} can move the primary metric by the threshold",
            "run on a machine with an idle processor for the server, or with --lanes 1",
        )


def _pairs_over(runs: Sequence[Run], budget_ms: float) -> str:
    """Count the pairs of which either run was late, since that flaws both; alone, the runs."""
    what = "pair" if len({run.side for run in runs}) > 1 else "run"
    of = {run.pair for run in runs if run.ok}
    late = {
        run.pair
        for run in runs
        if run.ok and run.metrics.get("schedule_lateness_ms.p99", 0.0) > budget_ms
    }
    return f"{len(late)} of {len(of)} {what}s" if len(of) > 1 else f"the only {what}"


def _about_noise(
    level: float | None, decided: MetricComparison | None, threshold: float
) -> Iterator[Doubt]:
    """Noise over the threshold matters unless the change dwarfs it."""
    if level is None or level <= threshold:
        return
    change = abs(log(decided.ratio)) if decided and decided.ratio else 0.0
    if change < DWARFS * log1p(level):
        yield Doubt(
            "NoiseFloor",
            f"runs of the same code differ by up to {percent(level)} on the primary metric; "
            "smaller changes cannot be seen",
            "stop other work on the machine, or run more pairs",
        )


def _about_circumstances(seen: Circumstances) -> Iterator[Doubt]:
    if seen.interrupted:
        yield Doubt("Interrupted", "the bench was stopped before its end", "run it to the end")
    if seen.left_out:
        yield Doubt(
            "BudgetSpent",
            "the time budget ended before the planned number of pairs",
            "go on with --resume and a larger --budget; the finished pairs are kept",
        )
    if seen.truncated:
        yield Doubt(
            "Truncated",
            "the recording is cut off; its last items may lack their effect",
            "record again, and end the recorder with Ctrl-C",
        )
    if seen.until_s is not None:
        yield Doubt(
            "Shortened",
            f"only the first {seen.until_s:g} s of the recorded stream were played",
            "run without --until for the whole recording",
        )
    if seen.faults:
        yield Doubt(
            "FaultsInjected",
            f"the traffic was disturbed on purpose: {', '.join(seen.faults)}; both sides met the "
            "same, and what that made them miss counts in the success rate alone",
            "run without faults for the figures of undisturbed traffic",
        )
    if seen.speed != 1.0:
        yield Doubt(
            "SpeedNotOne",
            f"recorded waits were divided by {seen.speed:g}, CPU time was not",
            "run with --speed 1 for figures that hold in life",
        )
    if seen.outside:
        yield Doubt(
            "ServiceOutside",
            f"{', '.join(seen.outside)} ran outside: no run found it as another one did, and what "
            "else it had to do is not known",
            "leave out its url, so that perfscan starts it anew for every run",
        )
    if seen.unread:
        yield _NOTHING_COMPARED
    if not seen.isolated:
        yield Doubt(
            "NoNamespaceGuard",
            "no network namespace was available; only the Python hook kept the bots inside",
            "allow user namespaces, or run as root",
        )
    yield from _about_machine(seen)


def _about_machine(seen: Circumstances) -> Iterator[Doubt]:
    if seen.busy_before is not None and seen.busy_before > BUSY_BEFORE:
        yield Doubt(
            "NoisyMachine",
            f"the processors were {percent(seen.busy_before)} busy before the first run",
            "stop other work on the machine",
        )
    if seen.cpu_steal is not None and seen.cpu_steal > STEAL:
        yield Doubt(
            "NoisyMachine",
            f"the hypervisor took {percent(seen.cpu_steal)} of the CPU time",
            "run on a machine of its own",
        )
    if seen.lanes > 1 and seen.cpu_busy is not None and seen.cpu_busy > CROWDED:
        yield Doubt(
            "LanesSharedCpu",
            f"{seen.lanes} pairs side by side kept the processors {percent(seen.cpu_busy)} busy, "
            "so runs slowed each other down",
            "run with --lanes 1",
        )


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"


def _name(run: Run) -> str:
    return f"{run.side} of pair {run.pair + 1}"
