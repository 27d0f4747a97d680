"""PS203: as many coroutines at once as there is data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Value
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.project import FunctionId, Program
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.things import Things

_TOGETHER = frozenset(
    {"asyncio.gather", "asyncio.wait", "asyncio.as_completed", "asyncio.staggered_race"}
)
_SPAWN = re.compile(
    r"asyncio\.(create_task|ensure_future|TaskGroup\(\)\.create_task)"
    r"|asyncio\.AbstractEventLoop\(\)\.create_task"
    r"|anyio\.create_task_group\(\)\.start_soon|trio\.open_nursery\(\)\.start_soon"
)
_LIMITS = re.compile(
    r"asyncio\.(Bounded)?Semaphore\(\)|asyncio\.Lock\(\)|aiolimiter\..*|anyio\.(CapacityLimiter|"
    r"Semaphore)\(\)|asyncio_throttle\..*|limiter\..*|pyrate_limiter\..*"
)
_LIMIT_NAMES = re.compile(
    r"(^|_)(sem|semaphore|limit|limiter|throttle|throttler|slots?|gate)s?($|_)"
)
_HARMLESS = frozenset({"asyncio.sleep", "asyncio.to_thread"})
"""What starts no I/O of its own, or queues for the few threads of the default executor."""

_LIMIT_WORDS = frozenset({"limit", "limit_per_host", "max_connections"})
_BATCH = re.compile(r"(^|[._])(batch|chunk|page|group|slice|window)$")
_SERVICE = re.compile(
    r"(run|start|stop|close|aclose|shutdown|cancel|connect|disconnect|listen|serve|worker|consume"
    r"|consumer|main|loop|poll|monitor|watch|setup|cleanup)(_.*)?|.*_(loop|worker|forever|task)"
)
_DEPTH = 3


@rule("PS203", "unbounded-gather", Severity.HIGH, on=Call)
def unbounded_gather(call: Call, where: Where) -> Iterator[Hit]:
    """Report coroutines started at once for every item of a collection, without a limit.

    What it does:
        Looks for `asyncio.gather` over a comprehension or a list built from data, and for tasks
        created in a loop over data, when neither a semaphore, nor batches, nor a connector's limit
        holds them back.

    Why it costs a bot:
        A thousand items mean a thousand requests at the same moment: rate limits answer with 429,
        sockets and memory run out, and every request is slower than it would be in a queue.

    Example:
        import asyncio
        import aiohttp

        async def fetch(session, url):
            async with session.get(url) as response:
                return await response.json()

        async def fetch_all(urls):
            async with aiohttp.ClientSession() as session:
                return await asyncio.gather(*[fetch(session, url) for url in urls])

    Use instead:
        import asyncio
        import aiohttp

        async def fetch(session, limit, url):
            async with limit, session.get(url) as response:
                return await response.json()

        async def fetch_all(urls):
            limit = asyncio.Semaphore(10)
            async with aiohttp.ClientSession() as session:
                return await asyncio.gather(*[fetch(session, limit, url) for url in urls])

    When it is fine:
        For a fixed handful of coroutines, for batches of a fixed size, and for a fixed number of
        workers that share a queue.
    """
    path = where.path(call)
    crowd = None
    if path in _TOGETHER:
        crowd = _gathered(call, where)
    elif _SPAWN.fullmatch(path):
        crowd = _spawned(call, where)
    if crowd is None or _is_batch(crowd, where) or _is_service(crowd, where):
        return
    if _is_limited(crowd, where) or where.program.once(_limits_connections):
        return
    source = crowd.iterable.ref if "@" not in crowd.iterable.ref else ""
    yield Hit(
        call.place,
        call.block,
        message=(
            f"{path.replace('().', '.')}() starts {crowd.func.lstrip('@0123456789.')}()"
            f" for every item{f' of {source}' if source else ''} at once, without a limit"
        ),
        fix="Hold each item inside an asyncio.Semaphore, or share a queue among workers.",
        confidence=Confidence.DEFINITE if crowd.things else Confidence.PROBABLE,
    )


class _Crowd(NamedTuple):
    """Coroutines made from data."""

    iterable: Value
    outside: int
    """The block in which the iterable stands."""
    func: str
    """The reference that is called for each item."""
    things: Things
    """What that may be."""
    names: tuple[str, ...]
    """The names that each call reads."""

    @property
    def functions(self) -> list[FunctionId]:
        """The scanned functions that are started."""
        return [(t.file, t.number) for t in self.things if t.kind == "function"]


def _crowd(loop: Block, started: Call, where: Where) -> _Crowd | None:
    if loop.value is None:
        return None
    things = where.site(started).things
    return _Crowd(loop.value, loop.parent, started.func, things, started.names)


def _mapped(value: Value, where: Where) -> _Crowd | None:
    """Return what ``map(function, items)`` starts."""
    made = where.call_of(value)
    if made is None or made.func != "map" or len(made.args) < 2:
        return None
    function, items = made.args[0], made.args[1]
    things = where.things(function, made.block, made.number)
    return _Crowd(items, made.block, function.ref, things, made.names)


def _gathered(call: Call, where: Where) -> _Crowd | None:
    """Return what a ``gather(*...)`` collects, when that is made from data right here."""
    for argument in call.args:
        value = argument.items[0] if argument.kind == "star" else argument
        if argument.kind == "star" or where.path(call) != "asyncio.gather":
            crowd = _collected(value, call, where)
            if crowd is not None:
                return crowd
    return None


def _collected(value: Value, call: Call, where: Where) -> _Crowd | None:
    if value.kind == "comp":
        started = where.call_of(value.items[0])
        if started is None or _SPAWN.fullmatch(where.path(started)):
            return None  # the task is reported where it is created
        return _crowd(where.block(value.block), started, where)
    if value.kind != "ref" or "." in value.ref:
        return None
    if value.ref.startswith("@"):
        return _mapped(value, where)
    return _listed(value.ref, call, where)


def _listed(name: str, call: Call, where: Where) -> _Crowd | None:
    """Find how the list ``name`` was filled: by a comprehension or by append in a loop."""
    function = where.file.blocks[call.block].function
    for assign in where.file.assigns:
        home = where.file.blocks[assign.block].function
        if assign.target == name and home == function and assign.value.kind == "comp":
            return _collected(assign.value, call, where)
    for other in where.file.calls:
        home = where.file.blocks[other.block].function
        if other.func == f"{name}.append" and home == function and other.args:
            started = where.call_of(other.args[0])
            loop = next(iter(where.around(other.block, "for", "while")), None)
            if started is None or loop is None or loop.kind == "while":
                continue
            if not _SPAWN.fullmatch(where.path(started)):
                return _crowd(loop, started, where)
    return None


def _spawned(call: Call, where: Where) -> _Crowd | None:
    """Return the loop over data in which a task is created."""
    loop = next(iter(where.loops(call.block)), None)
    if loop is None or loop.kind == "while" or loop.is_async:
        return None
    started = where.call_of(call.args[0]) if call.args else None
    return _crowd(loop, started, where) if started is not None else None


def _is_batch(crowd: _Crowd, where: Where) -> bool:
    """Tell whether the items are few by construction: literals, slices, chunks, ``range(n)``."""
    items = crowd.iterable
    if where.is_few(items) or _is_slice(items) or _BATCH.search(items.ref):
        return True
    made = where.call_of(items)
    if made is not None:
        if made.func == "range":
            return not any(inner.owner == made.number for inner in where.file.calls)
        if made.func.rpartition(".")[2] in {"islice", "batched"}:
            return True
    outer = where.around(crowd.outside, "for")
    if any(items.ref in block.targets for block in outer):
        return True
    function = where.block(crowd.outside).function
    return any(
        assign.target == items.ref and _is_slice(assign.value)
        for assign in where.file.assigns
        if where.file.blocks[assign.block].function == function
    )


def _is_slice(value: Value) -> bool:
    return value.kind == "ref" and any(item.ref == ":" for item in value.items)


def _is_service(crowd: _Crowd, where: Where) -> bool:
    """Tell whether what is started are the parts of the bot, which run for ever, or their ends."""
    if _SERVICE.fullmatch(crowd.func.rpartition(".")[2]):
        return True
    loops = where.hot_regions.loops
    program = where.program
    return any(
        program.files[file].blocks[block].function == function
        for target, function in crowd.functions
        for file, block in loops
        if file == target
    )


def _is_limited(crowd: _Crowd, where: Where) -> bool:
    """Tell whether a limiter is in sight: in what is started, below it, or handed to it."""
    if any(_LIMIT_NAMES.search(name.lower()) for name in crowd.names):
        return True
    if any(_LIMIT_NAMES.search(part) for part in crowd.func.lower().split(".")):
        return True
    if any(thing.path in _HARMLESS for thing in crowd.things):
        return True
    return any(
        _holds_back(target, where, _DEPTH) or _only_in_threads(target, where)
        for target in crowd.functions
    )


def _only_in_threads(function: FunctionId, where: Where) -> bool:
    """Tell whether a coroutine does its work in an executor, whose threads are few."""
    if function in where.program.awaited_io:
        return False
    return any(
        site.call.awaited
        and (site.call.func.endswith("run_in_executor") or site.call.func.endswith("to_thread"))
        for site in where.program.sites_of(function)
    )


def _holds_back(function: FunctionId, where: Where, depth: int) -> bool:
    view = where.sibling(function[0])
    body = view.file.functions[function[1]].block
    blocks = [view.block(number) for number in view.below(body)]
    if any(b.kind == "with" and b.is_async and _is_limiter(b, view) for b in blocks):
        return True
    for site in where.program.sites_of(function):
        method = site.call.func.lower().rpartition(".")[2]
        if method in {"acquire", "throttle", "wait_for_token"}:
            return True
        if depth and any(_holds_back(t, where, depth - 1) for t in site.targets if t != function):
            return True
    return False


def _is_limiter(block: Block, view: Where) -> bool:
    if block.value is None:
        return False
    made = view.call_of(block.value)
    words = (made.func if made is not None else block.value.ref).lower().split(".")
    if any(_LIMIT_NAMES.search(word) for word in words):
        return True
    return any(_LIMITS.match(thing.path) for thing in view.things(block.value, block.parent))


def _limits_connections(program: Program) -> bool:
    """Tell whether the program sets a connection limit of its own on its HTTP clients."""
    sites = (site for sites in program.sites for site in sites)
    return any(
        site.things
        and site.things[0].path in {"aiohttp.TCPConnector", "httpx.Limits"}
        and any(name in _LIMIT_WORDS and value.const != 0 for name, value in site.call.keywords)
        for site in sites
    )
