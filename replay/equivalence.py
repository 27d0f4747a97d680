"""Decides whether both sides did the same work, item by item and pair by pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import comb
from typing import Literal

from perfscan.replay.model import Difference, Equivalence, Item, Run, Side, SideWork
from perfscan.replay.statistics import CONFIDENCE

Kind = Literal["missed", "duplicated", "wrong"]
_DONE = ("handled", "duplicated")
_UNDONE = ("missed", "late")


@dataclass(frozen=True, slots=True)
class RunPair:
    """Both runs of one pair."""

    original: Run
    optimized: Run


def complete_pairs(runs: Sequence[Run]) -> tuple[RunPair, ...]:
    """Return the pairs of which both runs ended well, in order."""
    ended: dict[tuple[int, Side], Run] = {(run.pair, run.side): run for run in runs if run.ok}
    return tuple(
        RunPair(ended[pair, "original"], ended[pair, "optimized"])
        for pair in sorted({pair for pair, _ in ended})
        if (pair, "original") in ended and (pair, "optimized") in ended
    )


def equivalence(pairs: Sequence[RunPair], *, disturbed: bool = False) -> Equivalence:
    """Compare what both sides did with the same stimuli.

    Within a pair the optimized side must do everything that it heard and that the original did
    not drop as well, once, and with the content that the recording holds (or, where the original
    differs from the recording, with the original's). Anything less is different work.

    What a side missed because it was away (a live stream does not wait) depends on the timing of
    that run, so it is judged over all pairs and shows in the success rate: only an item that the
    original did in every pair and the optimized in none is a difference. What the optimized did
    beyond the original is a gain. Faults of the original are listed, but cost only the original.

    Where faults were injected (``disturbed``) both sides meet the same for the same request, but
    a side that asks for other things meets others, and one that does not wait for an answer that
    never comes does more. So what is missed then counts in the success rate alone; doing a thing
    twice or wrongly is different work all the same.
    """
    found: dict[tuple[str, Side, str], Difference] = {}
    for difference in (*_in_pairs(pairs), *_always_away(pairs)):
        place = (difference.key, difference.side, difference.kind)
        seen = found.get(place)
        found[place] = replace(seen, runs=seen.runs + 1) if seen else difference
    if disturbed:
        found = {place: one for place, one in found.items() if one.kind != "missed"}
    ordered = sorted(found.values(), key=lambda one: (one.side != "optimized", one.kind, one.key))
    return Equivalence(
        same=not any(difference.side == "optimized" for difference in ordered),
        items=max((_expected(pair.original) for pair in pairs), default=0),
        original=_work([pair.original for pair in pairs]),
        optimized=_work([pair.optimized for pair in pairs]),
        differences=tuple(ordered),
    )


def _in_pairs(pairs: Sequence[RunPair]) -> Iterator[Difference]:
    for pair in pairs:
        yield from _differences(pair)


def _always_away(pairs: Sequence[RunPair]) -> Iterator[Difference]:
    """Find what the original never missed and the optimized was never there for.

    A bot that misses at random would now and then differ from itself: that all misses of an item
    fall on one side happens once in C(2n, n) cases, for each item. So of all items a share of
    1 / C(2n, n) is to be expected; only where there are 20 times as many (which by Markov's
    inequality happens in at most 5 % of benches, however the items hang together) is anything
    concluded: one is enough for 46 items in 6 pairs, 643 in 8.
    """
    if not pairs:
        return
    items = max(_expected(pair.original) for pair in pairs)
    always = _keys_in_all([pair.original for pair in pairs], lambda item: item.state in _DONE)
    never = _keys_in_all([pair.optimized for pair in pairs], _missed_away)
    found = sorted(always & never)
    if items > (1 - CONFIDENCE) * comb(2 * len(pairs), len(pairs)) * len(found):
        return
    for key in found:
        detail = f"the original did it in all {len(pairs)} pairs, the optimized was always away"
        yield Difference(key, "optimized", "missed", detail, len(pairs))


def _keys_in_all(runs: Sequence[Run], which: Callable[[Item], bool]) -> set[str]:
    return set.intersection(*({item.key for item in run.items if which(item)} for run in runs))


def _missed_away(item: Item) -> bool:
    return item.state == "missed" and item.away


def _differences(pair: RunPair) -> Iterator[Difference]:
    originals = {item.key: item for item in pair.original.items}
    optimized = {item.key: item for item in pair.optimized.items}
    for key in sorted(originals.keys() | optimized.keys()):
        before, after = originals.get(key), optimized.get(key)
        if before and before.state == "duplicated":
            yield _difference(before, "original", "duplicated")
        if before and before.state == "wrong" and not _agree(before, after):
            yield _difference(before, "original", "wrong")
        if after and after.state == "duplicated":
            yield _difference(after, "optimized", "duplicated")
        elif after and after.state == "wrong" and not _agree(before, after):
            yield _difference(after, "optimized", "wrong")
        elif (item := after or before) and _lost(before, after):
            yield _difference(item, "optimized", "missed")
        elif before and after and _contradict(before, after):
            yield _difference(after, "optimized", "wrong")


def _agree(before: Item | None, after: Item | None) -> bool:
    """Both sides differ from the recording in the same way: the recording is not the judge."""
    if before is None or after is None:
        return False
    return (before.state, before.content) == (after.state, after.content)


def _lost(before: Item | None, after: Item | None) -> bool:
    """Tell whether the optimized side heard of an item and did not do it in time.

    Of what nobody owes there is no item where the bot was away, and the original is the judge.
    """
    done_before = before is not None and before.state in _DONE
    if after is None:
        return done_before and before is not None and before.expected
    if after.state not in _UNDONE or _missed_away(after):
        return False
    if not after.expected:
        return done_before
    dropped_as_well = before is not None and before.state in _UNDONE and not before.away
    return not (dropped_as_well and _same_part(before, after))


def _same_part(before: Item | None, after: Item) -> bool:
    """Tell whether what was done, of an item that was done in part, is the same on both sides."""
    contents = {after.content, before.content if before else None}
    return None in contents or len(contents) == 1


def _contradict(before: Item, after: Item) -> bool:
    """Both handled an item for which the recording knows no content, and disagree."""
    done = before.state in _DONE and after.state in _DONE
    return done and not after.expected and before.content != after.content


def _difference(item: Item, side: Side, kind: Kind) -> Difference:
    detail = item.detail
    if kind == "missed" and item.state not in _UNDONE:
        detail = "no effect, though the original had one in the same pair"
    return Difference(item.key, side, kind, detail)


def _expected(run: Run) -> int:
    return sum(item.expected for item in run.items)


def _work(runs: Sequence[Run]) -> SideWork:
    """Count states; an effect nobody asked for counts as wrong, one beyond duty not at all."""
    items = [item for run in runs for item in run.items]
    states = [item.state for item in items if item.expected or item.state == "wrong"]
    return SideWork(
        handled=states.count("handled"),
        missed=states.count("missed") + states.count("late"),
        duplicated=states.count("duplicated"),
        wrong=states.count("wrong"),
    )
