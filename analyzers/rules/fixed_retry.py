"""PS602: a retry that always waits the same time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, FileFacts, Value
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.retries import does_io, handlers, is_constant, reconnects, tried

_ATTEMPT = re.compile(r"attempt|retr|tries|^tr(y|ies)$", re.IGNORECASE)
_NO_FAILURE = ("Empty", "IndexError", "KeyError", "StopIteration", "BlockingIOError")
"""What a poll raises when there is nothing to do: waiting a constant time is right there."""

_POLLS = re.compile(r"poll|wait|await|until|ping|heart_?beat|keep_?alive", re.IGNORECASE)
"""Functions that ask until something has happened: their pause is an interval, not a retry."""

_INTERVAL = re.compile(r"interval|period|poll|cadence|refresh", re.IGNORECASE)
_QUEUES = (".get", ".join", ".wait", ".acquire")

_VERDICTS = frozenset({"ok", "status", "status_code", "is_success", "is_error", "reason"})
"""What a reply says about its failure."""

_SCHEDULE_S = 600


@rule("PS602", "fixed-retry", Severity.MEDIUM, on=FileFacts)
def fixed_retry(file: FileFacts, where: Where) -> Iterator[Hit]:
    """Report retry loops that sleep a constant time after each failure.

    What it does:
        Finds a sleep of constant length on the failure path of a loop that tries the same work
        again: in the `except` of a `while` or counted loop, or after the `try` of a loop that
        counts attempts. One finding a loop.

    Why it costs a bot:
        The first retry waits as long as the last: too long after a hiccup of 50 ms, too short
        during an outage. And all callers that failed together come back together, every time.

    Example:
        import time
        import requests

        def report(mint):
            for attempt in range(3):
                try:
                    return requests.get(f"https://api.example.org/{mint}", timeout=5).json()
                except requests.RequestException:
                    time.sleep(2)

    Use instead:
        import random
        import time
        import requests

        def report(mint):
            for attempt in range(3):
                try:
                    return requests.get(f"https://api.example.org/{mint}", timeout=5).json()
                except requests.RequestException:
                    time.sleep(random.uniform(0, 0.2 * 2**attempt))

    When it is fine:
        A delay that the server names (Retry-After), a polling interval outside the `except`, and a
        loop that goes on to the next item instead of repeating the one that failed. Loops that keep
        a WebSocket open are PS401's.
    """
    reported: set[int] = set()
    for call in file.calls:
        if "sleep" not in where.roles(call) or call.block == 0:
            continue
        loop = _retry_loop(call, where)
        if loop is None or loop.number in reported:
            continue
        seconds = where.argument(call, 0)
        if seconds is None or _is_cadence(seconds, call, loop, where):
            continue
        if is_constant(seconds, loop, where) and not _is_for_another_rule(loop, where):
            reported.add(loop.number)
            sure = does_io(loop, where)
            if sure or not _takes_jobs(loop, where):
                yield _hit(call, loop, sure, where)


def _is_for_another_rule(loop: Block, where: Where) -> bool:
    """Tell whether the loop keeps a WebSocket open, of which PS401 speaks."""
    endless = (where.index, loop.number) in where.hot_regions.loops
    return endless and reconnects(loop, where) is not None


def _takes_jobs(loop: Block, where: Where) -> bool:
    """Tell whether each turn waits for a job of a queue: the next one is another."""
    return any(
        call.func.endswith(_QUEUES) and call.awaited and not call.args
        for call in where.calls_in(loop.number)
    )


def _is_cadence(seconds: Value, call: Call, loop: Block, where: Where) -> bool:
    """Tell whether the same pause follows a success, too, or is as long as a schedule's."""
    if isinstance(seconds.const, int | float) and seconds.const >= _SCHEDULE_S:
        return True
    if _INTERVAL.search(seconds.ref.rpartition(".")[2]):
        return True
    return any(
        "sleep" in where.roles(other)
        and where.argument(other, 0) == seconds
        and next(where.around(other.block, "except"), None) is None
        for other in where.calls_in(loop.number)
        if other.number != call.number
    )


def _retry_loop(call: Call, where: Where) -> Block | None:
    """Return the loop that repeats the work after this sleep, if it is one."""
    loops = where.loops(call.block)
    if not loops or loops[0].kind == "comp":
        return None
    loop = loops[0]
    function = where.function(call.block)
    if function is not None and _POLLS.search(function.name):
        return None
    handlers = [b for b in where.around(call.block, "except") if b.number > loop.number]
    if handlers:
        return loop if _retries(handlers[-1], loop, where) else None
    counted = _counts_attempts(loop, where) and _succeeds_early(loop, where)
    counted = counted and not _backs_off(loop, where)
    return loop if counted and _may_fail(loop, where) else None


def _backs_off(loop: Block, where: Where) -> bool:
    """Tell whether each handler waits longer every time and goes on: what follows is a poll."""
    failing = {handler.number for handler in handlers(loop, where)}
    growing = {
        call.block
        for call in where.calls_in(loop.number)
        if "sleep" in where.roles(call)
        and (seconds := where.argument(call, 0)) is not None
        and not is_constant(seconds, loop, where)
    }
    onward = {jump.block for jump in where.file.jumps if jump.kind == "continue"}
    return bool(failing) and failing <= growing & onward


def _retries(handler: Block, loop: Block, where: Where) -> bool:
    caught = handler.value
    if caught is not None and any(
        value.ref.endswith(_NO_FAILURE) for value in (caught, *caught.items)
    ):
        return False
    leaves = {"raise", "return", "break"}
    if any(j.block == handler.number and j.kind in leaves for j in where.file.jumps):
        return False
    return loop.kind == "while" or _repeats_same(loop, handler, where)


def _repeats_same(loop: Block, handler: Block, where: Where) -> bool:
    """Tell whether a counted loop repeats its work: the counter is no argument of it."""
    if not _is_counted(loop, where):
        return False
    return not any(
        set(loop.targets).intersection(call.names)
        for call in where.calls_in(tried(handler, where).number)
        if not _is_log(call) and call.block not in where.below(handler.number)
    )


def _is_log(call: Call) -> bool:
    last = call.func.rpartition(".")[2]
    return last in {"debug", "info", "warning", "error", "exception", "log", "print"}


def _is_counted(loop: Block, where: Where) -> bool:
    call = where.call_of(loop.value)
    return call is not None and call.func in {"range", "itertools.count", "count"}


def _counts_attempts(loop: Block, where: Where) -> bool:
    if loop.kind != "for" or not _is_counted(loop, where):
        return False
    call = where.call_of(loop.value)
    names = [*loop.targets, *(arg.ref for arg in call.args)] if call else []
    if any(_POLLS.search(name) for name in names):
        return False
    return any(_ATTEMPT.search(name) for name in names)


def _succeeds_early(loop: Block, where: Where) -> bool:
    inside = where.below(loop.number)
    return any(
        jump.kind in {"return", "break"}
        and jump.block in inside
        and next(where.around(jump.block, "except"), None) is None
        for jump in where.file.jumps
    )


def _may_fail(loop: Block, where: Where) -> bool:
    """Tell whether the loop meets failure, instead of asking until a job is done."""
    inside = where.below(loop.number)
    return next(handlers(loop, where), None) is not None or any(
        read.block in inside and read.ref.rpartition(".")[2] in _VERDICTS
        for read in where.file.reads
    )


def _hit(call: Call, loop: Block, sure: bool, where: Where) -> Hit:
    function = where.function(call.block)
    place = f" in {function.name}()" if function else ""
    return Hit(
        call.place,
        call.block,
        message=f"the retry loop{place} (line {loop.place[0]}) waits the same time every time",
        fix="Let the delay grow with the attempts and spread it: random.uniform(0, base * 2**n).",
        severity=None if sure else Severity.LOW,
        confidence=Confidence.DEFINITE if sure else Confidence.PROBABLE,
    )
