"""PS1003: locks, tasks and sessions kept by key and never removed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.containers import Growth, growths, is_far, is_short_lived
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import FileFacts
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.key_counts import is_few, is_few_by_name
from perfscan.analyzers.live_objects import kept_by, may_keep
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_AUDIENCE = re.compile(r"user|chat|guild|channel|member|room|account|wallet|client", re.IGNORECASE)
"""Keys that grow with the number of people, slowly."""


@rule("PS1003", "lock-per-key-leak", Severity.HIGH, on=FileFacts)
def lock_per_key_leak(file: FileFacts, where: Where) -> Iterator[Hit]:
    """Report dictionaries of locks, tasks or sessions that gain one for each key and lose none.

    What it does:
        Looks for dictionaries that hold an `asyncio.Lock`, a semaphore, an event, a task, a thread
        or an HTTP session under keys that come from data, `defaultdict(asyncio.Lock)` included,
        when nothing in the program removes an entry.

    Why it costs a bot:
        Each position, order or chat that ever was leaves its lock behind; a task keeps its result
        and all that its coroutine referred to, a session keeps sockets open. Memory and file
        descriptors climb until the process is killed.

    Example:
        import asyncio

        class Positions:
            def __init__(self):
                self.locks = {}

            async def update(self, position_id):
                if position_id not in self.locks:
                    self.locks[position_id] = asyncio.Lock()
                async with self.locks[position_id]:
                    await self.save(position_id)

    Use instead:
        import asyncio

        class Positions:
            def __init__(self):
                self.locks = {}

            async def update(self, position_id):
                if position_id not in self.locks:
                    self.locks[position_id] = asyncio.Lock()
                async with self.locks[position_id]:
                    await self.save(position_id)

            def close(self, position_id):
                self.locks.pop(position_id, None)

    When it is fine:
        For keys of the configuration (symbols, exchanges), in a `WeakValueDictionary`, and when a
        callback of the task removes its entry.
    """
    if not may_keep(where):
        return
    reported = set()
    for growth in growths(where):
        kept = kept_by(growth, where) if growth.container not in reported else ""
        heat = where.hot(growth.block)
        if not kept or is_few(growth.key, growth, where) or growth.container.function >= 0:
            continue
        if heat is not None and is_short_lived(growth, heat, where):
            continue
        reported.add(growth.container)
        yield _hit(growth, kept, heat, where)


def _hit(growth: Growth, kept: str, heat: Heat | None, where: Where) -> Hit:
    people = growth.key is not None and _is_audience(growth)
    few = is_few_by_name(growth, where) and not people
    near = heat is not None and not is_far(heat)
    return Hit(
        growth.place,
        growth.block,
        message=f"{growth.container.name} keeps a {kept} for every key it ever saw",
        fix="Remove the entry when its key is done with, or hold it in a WeakValueDictionary.",
        severity=None if near and not people else Severity.MEDIUM,
        confidence=Confidence.POSSIBLE if few else Confidence.PROBABLE,
        trace=tuple(where.step(site) for site in heat.via) if heat is not None else (),
    )


def _is_audience(growth: Growth) -> bool:
    key = growth.key
    words = [key.ref, *key.names] if key is not None else []
    return any(_AUDIENCE.search(word) for word in words)
