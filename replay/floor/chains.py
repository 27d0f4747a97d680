"""How long the stages of a cycle take at least, where parts of it need not wait for each other.

A cycle asks about many things. What is decided about one of them waits for what was asked about
it, not for the slowest answer about another; the values that requests send tell which is which.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from perfscan.replay.exchanges import Exchange
from perfscan.replay.floor.belonging import sent_text
from perfscan.replay.items import any_matches

COMMON = 0.5
"""A value in more than this share of a stage's requests tells none of them from another."""
_VALUE = re.compile(rb"[A-Za-z0-9_.:-]+")


@dataclass(frozen=True, slots=True)
class _Done:
    """A request of a stage: what it says, and when it could have been answered."""

    values: frozenset[bytes]
    at_ns: int


def chained_ns(calls: Sequence[Exchange], path: Sequence[Collection[str]]) -> int:
    """Return when the last of ``calls`` could have been answered, ns after the first was sent.

    A request waits for the quickest of those of an earlier stage with which it shares most values;
    for all of that stage, where nothing tells the requests of the two stages apart.
    """
    stages: list[list[_Done]] = []
    for patterns in path:
        fitting = [call for call in calls if any_matches(patterns, call.request.method, call.url)]
        said = [frozenset(_VALUE.findall(sent_text(call))) for call in fitting]
        stages.append(
            [
                _Done(values, _ready_ns(values, said, stages) + (call.service_ns or 0))
                for values, call in zip(said, fitting, strict=True)
            ]
        )
    return max((one.at_ns for stage in stages for one in stage), default=0)


def _ready_ns(
    values: frozenset[bytes],
    stage: Sequence[frozenset[bytes]],
    earlier: Sequence[Sequence[_Done]],
) -> int:
    """Return when a request of ``stage`` that says ``values`` could have been sent."""
    for before in reversed(earlier):
        telling = _telling(before)
        if linked := _most_alike(values & telling, before):
            return min(one.at_ns for one in linked)
        if before and not any(one & telling for one in stage):
            return max(one.at_ns for one in before)
    return 0


def _telling(stage: Sequence[_Done]) -> frozenset[bytes]:
    """Return the values by which the requests of a stage can be told apart."""
    found = Counter(value for one in stage for value in one.values)
    return frozenset(value for value, times in found.items() if times <= COMMON * len(stage))


def _most_alike(values: frozenset[bytes], stage: Sequence[_Done]) -> list[_Done]:
    """Return the requests that share most of ``values``; nothing where none does."""
    shared = [len(values & one.values) for one in stage]
    most = max(shared, default=0)
    return [one for one, number in zip(stage, shared, strict=True) if most and number == most]
