"""Objects that hold more than memory: locks with waiters, tasks, threads, sessions with sockets."""

from __future__ import annotations

from perfscan.analyzers.containers import Container, Growth
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value

_KINDS = {
    "asyncio.Lock": "lock", "asyncio.Semaphore": "semaphore", "asyncio.Event": "event",
    "asyncio.BoundedSemaphore": "semaphore", "asyncio.Condition": "condition",
    "asyncio.Queue": "queue", "threading.Lock": "lock", "threading.RLock": "lock",
    "threading.Event": "event", "threading.Semaphore": "semaphore", "threading.Thread": "thread",
    "asyncio.create_task": "task", "asyncio.ensure_future": "task",
}  # fmt: skip
_WORDS = frozenset([path.rpartition(".")[2] for path in _KINDS])
_SESSION_WORDS = ("Session", "Client")


def may_keep(where: Where) -> bool:
    """Tell at a glance whether the file makes, or names, anything of the kind."""
    return any(
        word in _WORDS or word.endswith(_SESSION_WORDS)
        for call in where.file.calls
        for value in (call.func, *[argument.ref for argument in call.args[:1]])
        for word in (value.rpartition(".")[2],)
    )


def kept_by(growth: Growth, where: Where) -> str:
    """Return what a dictionary keeps under the key that it gains here, "" for plain data."""
    if growth.container.kind != "dict":
        return ""
    if growth.verb == "[]":
        return _made_on_demand(growth.container, where)
    if growth.verb not in {"[]=", "setdefault"} or growth.value is None:
        return ""
    return kind_of(growth.value, growth.block, where)


def kind_of(value: Value, block: int, where: Where) -> str:
    """Return lock, task, session or another kind for a value that is more than data."""
    call = where.call_of(value)
    if call is not None:
        return _made(call, where)
    if value.kind != "ref":
        return ""
    function = where.file.blocks[block].function
    for assign in where.file.assigns:
        if assign.target == value.ref and where.file.blocks[assign.block].function == function:
            made = where.call_of(assign.value)
            if made is not None and (kind := _made(made, where)):
                return kind
    return ""


def _made(call: Call, where: Where) -> str:
    for path in where.paths(call):
        if path in _KINDS:
            return _KINDS[path]
    if call.func.endswith(".create_task") and not call.awaited:
        return "task"
    client = where.client(call)
    return "session" if client is not None and client.is_client else ""


def _made_on_demand(container: Container, where: Where) -> str:
    """Return what ``defaultdict(asyncio.Lock)`` makes."""
    for assign in where.file.assigns:
        made = where.call_of(assign.value)
        if assign.place != container.place or made is None or not made.args:
            continue
        for thing in where.things(made.args[0], assign.block, assign.order):
            if thing.path in _KINDS:
                return _KINDS[thing.path]
    return ""
