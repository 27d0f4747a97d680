"""PS109: a coroutine that waits for a thread, or holds a thread's lock while it awaits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.coroutines import in_coroutine, suspends
from perfscan.analyzers.facts import Block, Call, Value
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, rule

_END = re.compile(r"_*(a?close|stop|shutdown|teardown|cleanup|terminate|exit|__aexit__|disconnect)")
_UNLESS = frozenset({"done", "empty", "full", "qsize", "is_alive", "locked", "is_set", "wait"})
"""Questions that tell whether the call would wait."""

_AFTERWARDS = frozenset({"result", "exception", "join"})
"""What follows once an event has said that the other side is done."""

_ASKED = frozenset({"get", "put", "join", "result", "exception", "wait", "wait_for", "acquire"})


@rule("PS109", "sync-lock-in-async", Severity.HIGH, on=(Block, Call))
def sync_lock_in_async(fact: Block | Call, where: Where) -> Iterator[Hit]:
    """Report waits for threads in coroutines, and thread locks that are held across an await.

    What it does:
        Finds `with` on a `threading` lock in a coroutine when the block awaits; and, in
        coroutines, calls that wait for another thread or process: `queue.Queue.get`,
        `Future.result`, `Thread.join`, `threading.Event.wait`.

    Why it costs a bot:
        While one coroutine holds the lock and awaits, the next one that wants it stops the whole
        event loop, and with it the first one, which can then never let go: a deadlock. Waiting for
        a thread stops all coroutines for as long as it takes.

    Example:
        import threading

        lock = threading.Lock()

        async def place(exchange, order):
            with lock:
                await exchange.send(order)

    Use instead:
        import asyncio

        lock = asyncio.Lock()

        async def place(exchange, order):
            async with lock:
                await exchange.send(order)

    When it is fine:
        A thread lock around a few statements without `await`, calls that do not wait
        (`get_nowait`, `acquire(blocking=False)`), and results of what is known to be done.
    """
    if isinstance(fact, Block):
        if fact.kind == "with" and not fact.is_async:
            yield from _held(fact, where)
    elif fact.func.rpartition(".")[2] in _ASKED and not fact.awaited:
        yield from _waited(fact, where)


def _held(block: Block, where: Where) -> Iterator[Hit]:
    if block.value is None or in_coroutine(block.number, where) is None:
        return
    things = where.things(block.value, block.parent)
    locks = [thing.path for thing in things if "thread_lock" in where.knowledge.roles(thing.path)]
    if not locks or len(locks) < len(things) or not suspends(block.number, where):
        return
    name = locks[0].removesuffix("()")
    lock = block.value.ref if "@" not in block.value.ref else name
    yield Hit(
        block.place,
        block.number,
        message=(
            f"{where.name(block.number)} holds {lock}, a {name}, while it awaits: the next"
            " coroutine that wants it stops the event loop for good"
        ),
        fix="Use an asyncio.Lock with async with, or release the lock before the await.",
    )


def _waited(call: Call, where: Where) -> Iterator[Hit]:
    effect = where.effect(call)
    if effect is None or effect.is_async or effect.cost != "lock":
        return
    function = in_coroutine(call.block, where)
    method = call.func.rpartition(".")[2]
    if function is None or not _may_wait(call, method, where) or _is_known(call, where):
        return
    own = "asyncio.run_coroutine_threadsafe" in _makers(call, where)
    yield Hit(
        call.place,
        call.block,
        message=(
            f"{effect.readable}() in {function.qualname} waits for the event loop that it runs on:"
            " a deadlock when that is the loop that the coroutine was handed to"
            if own
            else f"{effect.readable}() in {function.qualname} stops the event loop until another"
            " thread is done"
        ),
        fix=_FIXES.get(method, "Wait in a thread: await asyncio.to_thread(...)."),
        severity=Severity.LOW if _END.match(function.name) else None,
        confidence=where.confidence(call),
    )


_FIXES = {
    "get": "Use an asyncio.Queue, or await asyncio.to_thread(queue.get).",
    "put": "Use an asyncio.Queue, or await asyncio.to_thread(queue.put, item).",
    "result": "Await it: await asyncio.wrap_future(future).",
    "exception": "Await it: await asyncio.wrap_future(future).",
    "join": "Wait in a thread: await asyncio.to_thread(thread.join).",
    "wait": "Use an asyncio.Event, or await asyncio.to_thread(event.wait).",
    "acquire": "Use an asyncio.Lock with async with.",
}


def _may_wait(call: Call, method: str, where: Where) -> bool:
    """Tell whether the arguments leave the call any waiting to do."""
    given = dict(call.keywords)
    values = [*call.args, *given.values()]
    if any(value.const is False for value in values):
        return False
    timeout = given.get("timeout", call.args[-1] if call.args and method != "put" else None)
    if timeout is not None and timeout.const == 0 and timeout.const is not True:
        return False
    if method == "put":
        return _is_bounded(call, where)
    if method == "acquire":
        return _awaits_before_release(call, where)
    return True


def _is_bounded(call: Call, where: Where) -> bool:
    """Tell whether the queue has a size, and others use it: only then ``put`` waits."""
    here = where.block(call.block).function
    return any(
        bool(made.args or made.keywords) and where.block(made.block).function != here
        for made in _constructions(call, where)
    )


def _constructions(call: Call, where: Where) -> Iterator[Call]:
    """Yield the calls in this file whose result the receiver is bound to."""
    receiver = call.func.rpartition(".")[0]
    for assign in where.file.assigns:
        if assign.target == receiver:
            made = where.call_of(assign.value)
            if made is not None:
                yield made


def _makers(call: Call, where: Where) -> set[str]:
    receiver = call.func.rpartition(".")[0]
    made = where.call_of(Value("ref", receiver))
    calls = [made] if made is not None else list(_constructions(call, where))
    return {where.path(maker) for maker in calls}


def _awaits_before_release(call: Call, where: Where) -> bool:
    receiver = call.func.rpartition(".")[0]
    here = where.block(call.block).function
    ends = [
        other.number
        for other in where.file.calls[call.number :]
        if other.func == f"{receiver}.release" and where.block(other.block).function == here
    ]
    return any(
        call.number < entry.order <= min(ends, default=-1) + 1
        for entry in where.file.awaits
        if where.block(entry.block).function == here
    )


def _is_known(call: Call, where: Where) -> bool:
    """Tell whether the code has made sure that there is nothing to wait for."""
    receiver, _, asked = call.func.rpartition(".")
    here = where.block(call.block).function
    for other in where.file.calls[: call.number]:
        owner, _, method = other.func.rpartition(".")
        if where.block(other.block).function != here:
            continue
        if owner == receiver and method in _UNLESS:
            return True
        if other.awaited and method == "wait" and asked in _AFTERWARDS:
            return True
        waited = other.awaited or method in {"wait", "as_completed"}
        if waited and receiver in {value.ref for value in other.args}:
            return True  # await asyncio.wrap_future(future)
    return any(
        block.kind == "for" and receiver in block.targets and _comes_done(block, where)
        for block in where.around(call.block, "for", "comp")
    )


def _comes_done(loop: Block, where: Where) -> bool:
    """Tell whether a loop goes over what ``wait`` or ``as_completed`` has brought."""
    if loop.value is None:
        return False
    made = where.call_of(loop.value)
    if made is not None:
        return made.func.rpartition(".")[2] in {"as_completed", "wait"}
    return loop.value.ref in {"done", "finished", "completed"}
