"""PS209: a lock that an exception leaves locked."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_LOCKS = frozenset({"thread_lock", "async_lock"})
_SAFE = frozenset({"finally", "except"})


@rule("PS209", "lock-leak", Severity.HIGH, on=Call, calls=("acquire",), fixable="unsafe")
def lock_leak(call: Call, where: Where) -> Iterator[Hit]:
    """Report locks that are taken with `acquire()` and released where an exception never comes.

    What it does:
        Finds `acquire()` of a lock or semaphore whose `release()` stands in the same function,
        behind work that may raise or return, and not in a `finally`.

    Why it costs a bot:
        The first exception in between leaves the lock taken for good. Every later order, message
        or cycle that needs it waits for ever, and nothing says why.

    Example:
        import asyncio

        lock = asyncio.Lock()

        async def place(exchange, order):
            await lock.acquire()
            await exchange.send(order)
            lock.release()

    Use instead:
        import asyncio

        lock = asyncio.Lock()

        async def place(exchange, order):
            async with lock:
                await exchange.send(order)

    When it is fine:
        With `release()` in a `finally`, and where another function releases by design.
    """
    receiver = call.func.rpartition(".")[0]
    if not receiver or "@" in receiver:
        return
    lock = _lock(call, where)
    if not lock:
        return
    releases = _releases(receiver, call, where)
    if not releases or any(_is_safe(release, where) for release in releases):
        return
    risk = _risk(call, releases, where)
    if not risk:
        return
    word = "async with" if lock == "async_lock" else "with"
    yield Hit(
        call.place,
        call.block,
        message=(
            f"{receiver}.release() in {where.name(call.block)} is not reached when {risk}, and"
            f" {receiver} stays locked"
        ),
        fix=f"Write {word} {receiver}: around the work, which releases it whatever happens.",
        confidence=Confidence.DEFINITE if "." not in receiver else Confidence.PROBABLE,
    )


def _lock(call: Call, where: Where) -> str:
    """Return which sort of lock is acquired, "" when it is none that is known."""
    for path in where.paths(call):
        found = _LOCKS & where.knowledge.roles(path.removesuffix(".acquire"))
        if found:
            return next(iter(found))
    return ""


def _releases(receiver: str, call: Call, where: Where) -> list[Call]:
    function = where.function(call.block)
    return [
        other
        for other in where.calls_in(function.block if function is not None else 0)
        if other.func == f"{receiver}.release"
    ]


def _is_safe(release: Call, where: Where) -> bool:
    return any(block.kind in _SAFE for block in where.around(release.block))


def _risk(call: Call, releases: list[Call], where: Where) -> str:
    """Return what happens between taking and releasing that skips the release."""
    later = [release for release in releases if release.number > call.number]
    if not later:
        return ""
    first, last = call.place[0], later[-1].place[0]
    released = {release.block for release in later}
    for jump in where.file.jumps:
        leaves = jump.kind in {"return", "raise"} and first < jump.place[0] < last
        if leaves and jump.block not in released:
            return f"line {jump.place[0]} leaves the function"
    here = where.block(call.block).function
    releasing = {release.number for release in later}
    for other in where.file.calls[call.number + 1 : later[-1].number]:
        if other.number not in releasing and where.block(other.block).function == here:
            return f"{other.func.lstrip('@0123456789.')}() raises"
    return ""
