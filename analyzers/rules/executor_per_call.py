"""PS208: a pool of threads or processes that is started for one call."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.coroutines import in_coroutine
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.keeping import bound_to, fate, used_for_long
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, rule

_POOLS = frozenset({"ThreadPoolExecutor", "ProcessPoolExecutor", "Pool", "ThreadPool"})
_HANDS_OVER = frozenset(
    {"submit", "map", "starmap", "imap", "imap_unordered", "apply", "apply_async", "map_async"}
)

_ENDS = re.compile(r"_*(shutdown|stop|close|aclose|teardown|cleanup)", re.IGNORECASE)
_FAR = 3
"""Further from the loop or handler, whether the pool is started each time is a guess."""


@rule("PS208", "executor-per-call", Severity.MEDIUM, on=Call, calls=_POOLS)
def executor_per_call(call: Call, where: Where) -> Iterator[Hit]:
    """Report pools of threads or processes that are built again for every call.

    What it does:
        Finds `ThreadPoolExecutor`, `ProcessPoolExecutor` and `multiprocessing.Pool` built in a
        loop, or in a function that a loop or handler runs; and those that a coroutine enters with
        `with`, whose exit waits on the event loop until all their work is done.

    Why it costs a bot:
        Threads take fractions of a millisecond to start, processes 20 to 200 ms, and each pool
        brings its own limit, so a burst of messages starts a crowd of threads. Leaving the `with`
        waits for the work: in a coroutine that holds up everything else.

    Example:
        from concurrent.futures import ThreadPoolExecutor

        def on_message(message):
            with ThreadPoolExecutor(4) as pool:
                pool.submit(print, message)

    Use instead:
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor(4)

        def on_message(message):
            pool.submit(print, message)

    When it is fine:
        One pool for the life of the bot (module, `__init__`, start-up), and in a script that does
        one thing.
    """
    if "executor" not in where.roles(call):
        return
    entered = _with_of(call, where)
    name = where.path(call).rpartition(".")[2]
    on_loop = in_coroutine(call.block, where) is not None
    if on_loop and entered is not None and _hands_over(entered, call, where):
        yield _waits(call, name, where)
        return
    repeated = _repeated_by(call, where)
    if repeated:
        yield Hit(
            call.place,
            call.block,
            message=f"{where.name(call.block)} starts a new {name} {repeated}",
            fix=f"Build one {name} when the bot starts and share it.",
            confidence=where.confidence(call),
        )


def _waits(call: Call, name: str, where: Where) -> Hit:
    return Hit(
        call.place,
        call.block,
        message=(
            f"leaving the with block of this {name} in {where.name(call.block)} waits on the event"
            " loop until its work is done"
        ),
        fix=(
            f"Share one {name} and await loop.run_in_executor(pool, ...), or"
            " await asyncio.to_thread(...)."
        ),
        severity=Severity.HIGH,
        confidence=where.confidence(call),
    )


def _with_of(call: Call, where: Where) -> Block | None:
    reference = f"@{call.number}"
    for block in where.file.blocks[call.block :]:
        if block.kind == "with" and block.value is not None and block.value.ref == reference:
            return block
    return None


def _hands_over(entered: Block, call: Call, where: Where) -> bool:
    """Tell whether work is given to the pool itself, rather than awaited through the loop."""
    names = bound_to(call, where)
    return any(
        inner.func in {f"{name}.{method}" for name in names for method in _HANDS_OVER}
        for inner in where.calls_in(entered.number)
    )


def _repeated_by(call: Call, where: Where) -> str:
    """Return what makes the pool again and again, "" when it is kept or made once."""
    function = where.function(call.block)
    if fate(call, where) != "local" or where.starting(call):
        return ""
    if function is not None and _ENDS.match(function.name):
        return ""
    entered = _with_of(call, where)
    if entered is not None and used_for_long(entered.number, where):
        return ""
    if where.data_loops(call.block):
        return "in every turn of a loop"
    heat = where.hot(call.block)
    if heat is None or heat.kind == "offload" or len(heat.via) > _FAR:
        return ""
    turns = "every turn of" if heat.kind in {"loop", "receive"} else "every run of"
    return f"for {turns} the {heat.label}"
