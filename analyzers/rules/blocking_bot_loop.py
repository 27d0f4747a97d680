"""PS211: the bot's one loop or callback makes blocking network calls one after another."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from perfscan.analyzers.blocking import is_sink
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import LOOPS, Block
from perfscan.analyzers.first_time import only_first_time
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.model import Severity, TraceStep
from perfscan.analyzers.project import FunctionId, Program, Site, SiteId
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.sites import argument_of

_STEPS = re.compile(
    r"_*(start|startup|set_?up|init|connect|reconnect|login|authenticate|configure|reconfigure|reload"
    r"|close|stop|shutdown|cleanup)(_|$)"
)
"""Steps that a bot takes when it starts, stops or recovers, even inside its main loop."""


class _Reached(NamedTuple):
    """A blocking call below a loop, the calls that lead there, and whether data repeats it."""

    sink: SiteId
    path: tuple[SiteId, ...]
    repeated: bool


@rule("PS211", "blocking-bot-loop", Severity.HIGH, on=Program)
def blocking_bot_loop(program: Program, where: Where) -> Iterator[Hit]:
    """Report blocking network calls that a bot without an event loop makes one after another.

    What it does:
        Starts from loops that never end, and from callbacks that a library runs one after another
        (`on_message` of websocket-client, jobs of schedule), and follows their calls through the
        helpers. Each blocking network call is reported once, with the way from the loop.

    Why it costs a bot:
        One slow reply holds up everything behind it: the next message waits until every call of
        the one before has been answered, so latencies add up and bursts pile up.

    Example:
        import requests
        import websocket

        def on_message(ws, message):
            requests.post("https://api.example.org/alert", data=message, timeout=5)

        app = websocket.WebSocketApp("wss://stream.example.org", on_message=on_message)
        app.run_forever()

    Use instead:
        import requests
        import websocket
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor(8)
        session = requests.Session()

        def alert(message):
            session.post("https://api.example.org/alert", data=message, timeout=5)

        def on_message(ws, message):
            pool.submit(alert, message)

        app = websocket.WebSocketApp("wss://stream.example.org", on_message=on_message)
        app.run_forever()

    When it is fine:
        One call per turn with a pause by design, a script that runs once, and calls that worker
        threads make.
    """
    reported: set[SiteId] = set()
    for heat, reached in _roots(program, where):
        found = [r for r in reached if r.sink not in reported]
        if not _holds_up(heat, reached):
            continue
        for one in found:
            reported.add(one.sink)
            yield _hit(program, where, heat, one)


def _roots(program: Program, where: Where) -> Iterator[tuple[Heat, list[_Reached]]]:
    """Yield each loop or callback that nobody but itself drives, with what it reaches."""
    regions = where.hot_regions
    for (file, block), heat in sorted(regions.loops.items()):
        view = where.sibling(file)
        if view.reached_from_loop(block) or view.in_thread(block):
            continue
        inside = view.below(block)
        function = view.function_id(block)
        sites = [s for s in program.sites_of(function) if s.call.block in inside]
        yield heat, _follow(where, [(s.file, s.call.number) for s in sites], block)
    for function, heat in sorted(regions.functions.items()):
        if heat.block < 0 and not heat.via and _runs_in_caller(program, function):
            sites = program.sites_of(function)
            yield heat, _follow(where, [(s.file, s.call.number) for s in sites], -1)


def _runs_in_caller(program: Program, function: FunctionId) -> bool:
    facts = program.function(function)
    runs = {entry.callback.runs for entry in program.registrations.get(function, ())}
    return facts is not None and not facts.is_async and runs <= {"caller", "single"}


def _follow(where: Where, starts: list[SiteId], top: int) -> list[_Reached]:
    """Return the blocking calls below ``starts``, breadth first; ``top`` is the loop's block."""
    program = where.program
    found: dict[SiteId, _Reached] = {}
    visited: set[FunctionId] = set()
    queue: deque[tuple[SiteId, tuple[SiteId, ...], bool, int]] = deque(
        (start, (), False, top) for start in starts
    )
    while queue:
        at, path, repeated, limit = queue.popleft()
        view, site = where.sibling(at[0]), program.site(at)
        if any(block.kind == "except" for block in _within(view, site.call.block, limit)):
            continue
        if only_first_time(site.call, view):
            continue
        repeated = repeated or any(
            block.kind in LOOPS and block.kind != "while" and not _is_counted(block, view)
            for block in _within(view, site.call.block, limit)
        )
        effect = site.effect
        if effect and is_sink(site) and effect.cost == "network" and not _is_stream(view, at):
            found.setdefault(at, _Reached(at, (*path, at), repeated))
        for target in (*site.targets, *_handed_over(site, program)):
            if target not in visited and _is_work(target, program):
                visited.add(target)
                queue.extend(
                    ((s.file, s.call.number), (*path, at), repeated, -1)
                    for s in program.sites_of(target)
                )
    return list(found.values())


def _handed_over(site: Site, program: Program) -> Iterator[FunctionId]:
    """Yield the functions that a call hands to a helper which calls them: ``throttle(work, 5)``."""
    for target in site.targets:
        facts = program.function(target)
        called = {inner.call.func for inner in program.sites_of(target)}
        for position, param in enumerate(facts.params if facts is not None else ()):
            if facts is None or param.name not in called:
                continue
            value = argument_of(site.call, facts, position, param.name)
            if value is not None:
                at = (site.call.block, site.call.number)
                for thing in program.names.evaluate(site.file, value, *at):
                    if thing.kind == "function":
                        yield (thing.file, thing.number)


def _is_work(function: FunctionId, program: Program) -> bool:
    """Tell whether a call is part of each turn: no coroutine that is merely made, no set-up."""
    facts = program.function(function)
    steps = facts is not None and _STEPS.match(facts.name) is not None
    return not steps and function not in program.asynchronous


def _is_counted(loop: Block, view: Where) -> bool:
    """Tell whether a loop is ``for attempt in range(3)``: the same call again, not another one."""
    made = view.call_of(loop.value)
    return made is not None and made.func == "range" and view.is_constant(loop)


def _within(view: Where, block: int, limit: int) -> Iterator[Block]:
    """Yield the blocks around ``block``, up to the loop ``limit`` and without it."""
    for fact in view.around(block):
        if fact.number == limit:
            return
        yield fact


def _is_stream(view: Where, site: SiteId) -> bool:
    """Tell whether the call belongs to the stream that feeds the loop: it is meant to wait."""
    effect = view.program.site(site).effect
    return effect is not None and effect.library in view.knowledge.libraries_with("websocket_")


def _holds_up(heat: Heat, reached: list[_Reached]) -> bool:
    """Tell whether a slow call delays other work, rather than being the loop's one purpose."""
    if heat.kind == "loop":
        return len(reached) > 1 or any(one.repeated for one in reached)
    return bool(reached)


def _hit(program: Program, where: Where, heat: Heat, one: _Reached) -> Hit:
    site = program.site(one.sink)
    effect = site.effect
    assert effect is not None
    start = TraceStep(
        program.files[heat.file].path,
        heat.line,
        where.symbol(heat.file, max(heat.block, 0)) if heat.block >= 0 else heat.label,
    )
    here = heat.file == one.sink[0]
    place = f"line {heat.line}" if here else f"{start.path}:{heat.line}"
    return Hit(
        site.call.place,
        site.call.block,
        message=f"{effect.readable}() holds up the {heat.label} ({place}) until it is answered",
        fix=(
            "Move the bot to asyncio with an async client, or hand the work of each message to a "
            "bounded concurrent.futures.ThreadPoolExecutor."
        ),
        confidence=site.confidence,
        trace=(start, *[where.step(step) for step in one.path]),
        file=one.sink[0],
    )
