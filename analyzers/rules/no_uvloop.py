"""PS1402: a WebSocket bot on the default event loop."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.project import FunctionId, Program
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.sites import SiteId
from perfscan.analyzers.survey import survey

_LOOPS = frozenset({"uvloop", "winloop", "rloop", "leviathan"})
_WINDOWS = frozenset({"MetaTrader5", "win32api", "win32gui", "pywintypes", "msvcrt", "winreg"})


@rule("PS1402", "no-uvloop", Severity.INFO, on=Program)
def no_uvloop(program: Program, where: Where) -> Iterator[Hit]:
    """Report a bot that receives a WebSocket stream on the event loop of the standard library.

    What it does:
        Looks for `asyncio.run` and `run_until_complete` in a program with a coroutine that receives
        from a WebSocket, when nothing in it imports uvloop. Reported once.

    Why it costs a bot:
        With thousands of messages a second, reading sockets and switching tasks is a large part of
        the work; uvloop does it in C in about half the time. It takes one line. Measure it on your
        own traffic: a bot that waits for others most of the time gains nothing.

    Example:
        import asyncio
        import websockets

        async def listen():
            async with websockets.connect("wss://stream.example.org") as stream:
                async for message in stream:
                    print(message)

        asyncio.run(listen())

    Use instead:
        import uvloop
        import websockets

        async def listen():
            async with websockets.connect("wss://stream.example.org") as stream:
                async for message in stream:
                    print(message)

        uvloop.run(listen())

    When it is fine:
        On Windows, where there is no uvloop, and on streams with few messages.
    """
    streams = frozenset() if _has_other_loop(where) else _receivers(where)
    leading = (start for start in _starts(where) if streams and _leads(start, streams, program))
    for file, number in itertools.islice(leading, 1):
        call = program.files[file].calls[number]
        yield Hit(
            call.place,
            call.block,
            message="the stream of this bot is read on asyncio's own event loop",
            fix="Start it with uvloop.run() where uvloop is available, and compare.",
            confidence=Confidence.PROBABLE,
            file=file,
        )


def _one_after_another(parts: Sequence[Sequence[int]]) -> Sequence[SiteId]:
    return [(file, number) for file, part in enumerate(parts) for number in part]


@survey(_one_after_another)
def _starts(where: Where) -> tuple[int, ...]:
    """Return the calls that run an event loop."""
    return tuple(
        [
            call.number
            for call in where.file.calls
            if call.func.endswith(("run", "run_until_complete")) and _runs_loop(call, where)
        ]
    )


@survey(any)
def _has_other_loop(where: Where) -> bool:
    """Tell whether another loop is imported, or the program is made for Windows."""
    imported = {entry.module.partition(".")[0] for entry in where.file.imports}
    return not imported.isdisjoint(_LOOPS | _WINDOWS) or any(
        "WindowsSelectorEventLoopPolicy" in read.ref for read in where.file.reads
    )


def _receivers(where: Where) -> frozenset[FunctionId]:
    """Return the coroutines that receive a stream."""
    program = where.program
    return frozenset(
        function
        for (file, block), heat in where.hot_regions.loops.items()
        if heat.kind == "receive"
        and (function := (file, program.files[file].blocks[block].function)) in program.asynchronous
    )


def _leads(start: SiteId, streams: frozenset[FunctionId], program: Program) -> bool:
    """Tell whether the coroutine that a loop is run with comes to a stream."""
    where = Where(program, start[0])
    main = where.call_of(where.argument(where.file.calls[start[1]], 0, "main"))
    queue = list(where.targets(main)) if main is not None else []
    reached = set(queue)
    while queue:
        for site in program.sites_of(queue.pop()):
            fresh = [target for target in site.targets if target not in reached]
            reached.update(fresh)
            queue.extend(fresh)
    return not reached.isdisjoint(streams)


def _runs_loop(call: Call, view: Where) -> bool:
    return "runs_loop" in view.roles(call) and view.path(call).startswith("asyncio.")
