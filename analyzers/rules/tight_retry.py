"""PS603: a loop that tries again at once, as fast as the failure comes back."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.remote import Reach, asks_server, is_limiter, pauses, reaches, steps
from perfscan.analyzers.retries import (
    after_failure,
    catches,
    gives_up,
    is_broad,
    nearest_loop,
    reconnects,
    swallowed,
    work,
)

_FAILURES = frozenset(
    {
        "RequestException", "ConnectionError", "ClientError", "ClientConnectorError", "HTTPError",
        "RequestError", "TransportError", "OSError", "IOError", "ConnectionClosed", "NetworkError",
        "WebSocketException", "ExchangeError", "ExchangeNotAvailable", "BaseError", "URLError",
        "ConnectionRefusedError", "ConnectionResetError", "OperationalError", "RedisError",
    }
)  # fmt: skip
"""Errors that come back at once while a server is down; timeouts have waited already."""

_WAITS = re.compile(
    r"(^|_)(wait|get|recv|receive|accept|select|poll|input|join|read|readline|next|pop|take|listen"
    r"|sleep|pause|connect|reconnect|restart|recover)(_|$)",
    re.IGNORECASE,
)
"""Calls that block until something comes, or that a failure may well be slowed down by."""


@rule("PS603", "tight-retry", Severity.HIGH, on=Block)
def tight_retry(handler: Block, where: Where) -> Iterator[Hit]:
    """Report endless loops that ask a server again at once after every failure.

    What it does:
        Looks at the `except` blocks of endless loops. Reports one that swallows every error (or
        the errors of a connection) of a try block that asks a server, when nothing on the way to
        the next turn sleeps, waits or leaves the loop.

    Why it costs a bot:
        While the server is down each turn fails within a millisecond: one core at 100 %, a log
        that fills the disk, and hundreds of requests a second, for which the address is banned.

    Example:
        import requests

        def run():
            while True:
                try:
                    print(requests.get("https://api.example.org/price", timeout=5).json())
                except Exception as error:
                    print("failed", error)

    Use instead:
        import random
        import time

        import requests

        def run():
            failures = 0
            while True:
                try:
                    print(requests.get("https://api.example.org/price", timeout=5).json())
                    failures = 0
                except Exception as error:
                    print("failed", error)
                    failures += 1
                time.sleep(random.uniform(0.5, min(60, 2**failures)))

    When it is fine:
        When the handler leaves the loop, when the loop begins with a wait for the next message or
        job, and when the error is a timeout, which has waited already.
    """
    if handler.kind != "except":
        return
    loop = nearest_loop(handler, where)
    if loop is None or (where.index, loop.number) not in where.hot_regions.loops:
        return
    if not _takes_failures(handler) or gives_up(handler, where):
        return
    if _is_slowed(handler, loop, where) or reconnects(loop, where) is not None:
        return  # PS401 knows more about WebSockets
    asked = _asked(handler, where)
    if asked is not None:
        yield _hit(handler, loop, asked, where)


def _takes_failures(handler: Block) -> bool:
    names = {value.ref.rpartition(".")[2] for value in catches(handler)}
    return is_broad(handler) or bool(names & _FAILURES)


def _is_slowed(handler: Block, loop: Block, where: Where) -> bool:
    """Tell whether something between the failure and the next request takes its time."""
    calls = after_failure(handler, loop, where)
    if any(pauses(call, where) or _may_wait(call, where) for call in calls):
        return True
    return any(is_limiter(where.block(n), where) for n in where.below(loop.number))


def _may_wait(call: Call, where: Where) -> bool:
    if "sleep" in where.roles(call):
        return False  # sleep(0), or it would be a pause
    receiver, _, method = call.func.rpartition(".")
    logs = "log" in receiver.lower() or method in {"print", "exc_info", "format_exc"}
    return not logs and (call.awaited or _WAITS.search(method) is not None)


def _asked(handler: Block, where: Where) -> Reach | None:
    """Return the first request of the try block, unless it waits for something before that."""
    calls = work(handler, where)
    for call in calls:
        found = next(reaches(where, [call], asks_server), None)
        if found is not None and not swallowed(found, where):
            return found
        if pauses(call, where) or _takes_turn(call):
            return None
    return None


def _takes_turn(call: Call) -> bool:
    """Tell whether a call waits for a job: the next turn has another one."""
    method = call.func.rpartition(".")[2]
    return _WAITS.search(method) is not None and not call.args[1:]


def _hit(handler: Block, loop: Block, asked: Reach, where: Where) -> Hit:
    site = where.program.site(asked.sink)
    effect = site.effect
    assert effect is not None
    direct = len(asked.path) == 1
    return Hit(
        handler.place,
        handler.number,
        message=(
            f"the loop in {where.name(loop.number)}() (line {loop.place[0]}) calls "
            f"{effect.readable}() again at once after every failure"
        ),
        fix="Wait before the next turn, longer after each failure in a row and spread at random.",
        confidence=site.confidence if direct else Confidence.PROBABLE,
        trace=steps(where, asked),
    )
