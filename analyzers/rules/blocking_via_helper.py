"""PS104: a synchronous helper that blocks, called on the event loop."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from perfscan.analyzers.blocking import COST_RANK, Blocking
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Function
from perfscan.analyzers.members import is_property
from perfscan.analyzers.model import Confidence, Severity, TraceStep
from perfscan.analyzers.project import FunctionId, Program, SiteId
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.sites import use_at
from perfscan.analyzers.sleeps import is_short
from perfscan.analyzers.survey import survey
from perfscan.analyzers.targets import IMPLICIT

_SEVERITY = {
    "network": Severity.CRITICAL,
    "sleep": Severity.CRITICAL,
    "subprocess": Severity.HIGH,
    "socket": Severity.HIGH,
    "database": Severity.HIGH,
}


_FAR = 5
"""Calls between coroutine and blocking call from which on it is less sure that all are taken."""

_MOST = 10
"""Findings for one blocking call; the nearest ones are shown and the others counted."""


class _Way(NamedTuple):
    """A place on the event loop, and the helper that runs there; the nearest sorts first."""

    depth: int
    file: int
    span: int
    number: int
    function: int
    """The coroutine or callback."""
    helper: FunctionId
    blocking: Blocking
    alone: bool
    """Nothing else may run there: no other subclass, no other function handed over."""
    again: int = 0
    """Further calls in the same coroutine that lead to the same blocking call."""


@rule("PS104", "blocking-via-helper", Severity.CRITICAL, on=Program)
def blocking_via_helper(program: Program, where: Where) -> Iterator[Hit]:
    """Report a call, on the event loop, of a synchronous function that blocks somewhere below.

    What it does:
        Follows synchronous functions through any number of calls and files down to the network
        call, sleep, query or process that blocks: through methods, properties, constructors,
        `with`, `for`, decorators, `partial` and functions that are handed over. It reports the
        call inside the coroutine and prints the shortest way from there. One cause is one finding:
        what blocks is told once for each coroutine, at the nearest call. Of more than ten
        coroutines that lead to the same blocking call, the others are counted.

    Why it costs a bot:
        The coroutine looks harmless, yet the event loop stands still for as long as the call at
        the end of the chain takes. Reviews miss it because nothing blocking is in sight.

    Example:
        import requests

        def fetch():
            return requests.get("https://api.example.org", timeout=5)

        async def tick():
            return fetch()

    Use instead:
        import asyncio
        import requests

        def fetch():
            return requests.get("https://api.example.org", timeout=5)

        async def tick():
            return await asyncio.to_thread(fetch)

    When it is fine:
        When the helper only runs before the event loop starts, or in a worker thread.
    """
    ways: dict[SiteId, list[_Way]] = {}
    for way in _ways(where):
        ways.setdefault(way.blocking.sink, []).append(way)
    for crowd in ways.values():
        crowd.sort()
        for way in crowd[:_MOST]:
            yield _hit(way, where.sibling(way.file), len(crowd))


def _one_after_another(parts: Sequence[Sequence[_Way]]) -> Sequence[_Way]:
    return [way for part in parts for way in part]


@survey(_one_after_another)
def _ways(view: Where) -> tuple[_Way, ...]:
    """Return where one file blocks the event loop through a helper, once a cause and coroutine."""
    found: dict[tuple[int, SiteId], list[_Way]] = {}
    for call, targets in view.running():
        if call.awaited or not view.on_loop(call.block):
            continue
        function = view.function_id(call.block)[1]
        for target in targets:
            blocking = view.blocking(target)
            if blocking is not None:
                way = _Way(
                    blocking.depth,
                    view.index,
                    call.span,
                    call.number,
                    function,
                    target,
                    blocking,
                    not view.program.targets.is_open(view.index, call, targets),
                )
                found.setdefault((function, blocking.sink), []).append(way)
    return _one_a_call([min(ways)._replace(again=len(ways) - 1) for ways in found.values()])


def _one_a_call(ways: Collection[_Way]) -> tuple[_Way, ...]:
    """Keep, of several causes behind the same call, the worst and nearest."""
    worst: dict[int, _Way] = {}
    for way in sorted(ways, key=lambda way: (COST_RANK[way.blocking.effect.cost], way)):
        worst.setdefault(way.number, way)
    return tuple(worst.values())


def _hit(way: _Way, where: Where, all_ways: int) -> Hit:
    call, blocking = use_at(where.file, way.number), way.blocking
    helper = where.program.files[way.helper[0]].functions[way.helper[1]]
    chain = where.chain(way.helper)
    sink = chain[-1]
    here = TraceStep(where.file.path, call.place[0], where.symbol(where.index, call.block))
    again = f"; {_times(way.again)} in the same coroutine" if way.again else ""
    others = f"; {all_ways - _MOST} more coroutines lead there" if all_ways > _MOST else ""
    sure = blocking.confidence is Confidence.DEFINITE and blocking.depth < _FAR and way.alone
    return Hit(
        call.place,
        call.block,
        message=(
            f"{_deed(call, helper)} blocks the event loop: it leads to "
            f"{blocking.effect.readable}{_brackets(where, blocking.sink)} "
            f"at {sink.path}:{sink.line}{again}{others}"
        ),
        fix=_fix(call, helper, where, all_ways),
        severity=where.weight(call, _severity(blocking, where)),
        confidence=Confidence.DEFINITE if sure else Confidence.PROBABLE,
        trace=(here, *chain),
        file=way.file,
    )


def _severity(blocking: Blocking, where: Where) -> Severity:
    if blocking.effect.cost == "sleep":
        sleep = where.program.site(blocking.sink).call
        if is_short(sleep, where.sibling(blocking.sink[0])):
            return Severity.HIGH  # not less: it may stand before a query in the same helper
    return _SEVERITY[blocking.effect.cost]


def _times(number: int) -> str:
    return "once more" if number == 1 else f"{number} times more"


def _brackets(where: Where, sink: SiteId) -> str:
    return "" if where.program.site(sink).call.use == "read" else "()"


def _name(call: Call, helper: Function) -> str:
    """Return what the helper is called where it is used; wrappers and lambdas have no name."""
    if helper.parent >= 0 or helper.name == "<lambda>":
        return call.func.rpartition(".")[2] if call.func.isidentifier() else "the function"
    return helper.qualname


def _deed(call: Call, helper: Function) -> str:
    """Say what blocks, in the words of the place where it happens."""
    name = _name(call, helper)
    owner = name.rpartition(".")[0] or name
    if helper.owner >= 0 and is_property(helper):
        return f"reading {name}"
    if helper.name in {"__enter__", "__exit__"}:
        return f"entering or leaving {owner}"
    if helper.name in {"__iter__", "__next__"}:
        return f"iterating over {owner}"
    return f"iterating over {name}()" if helper.is_generator else f"{name}()"


def _fix(call: Call, helper: Function, where: Where, all_ways: int) -> str:
    function = where.function(call.block)
    name = _name(call, helper).rpartition(".")[2]
    if function is not None and not function.is_async:
        return f"Hand it to a thread: loop.run_in_executor(None, {name}, ...)."
    if helper.name in IMPLICIT or helper.is_generator or is_property(helper):
        return "Make it asynchronous, or move what uses it into a function for asyncio.to_thread."
    if all_ways > 1:
        return f"Make {name} async, or call it as await asyncio.to_thread({name}, ...) each time."
    return f"Call it as await asyncio.to_thread({name}, ...) or make it async."
