"""PS207: a coroutine that looks again and again instead of being woken."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.coroutines import awaits_in, in_coroutine, suspending_blocks
from perfscan.analyzers.facts import Await, Block, Call, Value
from perfscan.analyzers.literals import number
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_SHORT_S = 0.1
_STATES = {
    "is_set": ("asyncio.Event()", "threading.Event()"),
    "done": ("asyncio.", "concurrent.futures.Future()"),
    "empty": ("asyncio.", "queue."),
    "full": ("asyncio.", "queue."),
    "qsize": ("asyncio.", "queue."),
    "locked": ("asyncio.",),
}
"""Questions to in-process objects that can wake whoever waits, and whose objects these are."""


@rule("PS207", "async-busy-poll", Severity.MEDIUM, on=Block)
def async_busy_poll(loop: Block, where: Where) -> Iterator[Hit]:
    """Report coroutines that poll the bot's own state with a very short sleep.

    What it does:
        Finds loops in coroutines whose only `await` is a sleep of less than 0.1 s, and whose
        condition looks at the state of this process: an attribute that other methods set, a queue,
        an event, a task.

    Why it costs a bot:
        Each poll wakes the event loop, whether or not there is anything to do: ten waiting
        coroutines at 10 ms are a thousand wake-ups a second. And what they wait for is noticed
        late, by half the pause on average.

    Example:
        import asyncio

        class Bot:
            def __init__(self):
                self.ready = False

            def on_open(self):
                self.ready = True

            async def run(self):
                while not self.ready:
                    await asyncio.sleep(0.01)

    Use instead:
        import asyncio

        class Bot:
            def __init__(self):
                self.ready = asyncio.Event()

            def on_open(self):
                self.ready.set()

            async def run(self):
                await self.ready.wait()

    When it is fine:
        When the state is somewhere else (a server, a file, a device), and with longer pauses.
    """
    if loop.kind != "while" or in_coroutine(loop.number, where) is None:
        return
    seconds = _pause(loop, where)
    if seconds is None:
        return
    asked = _polled(loop, where)
    if asked is None:
        return
    state, confidence = asked
    yield Hit(
        loop.place,
        loop.number,
        message=f"{where.name(loop.number)} looks at {state} every {seconds * 1000:g} ms",
        fix="Await an asyncio.Event, an asyncio.Queue or the task itself, which wakes it at once.",
        confidence=confidence,
    )


def _pause(loop: Block, where: Where) -> float | None:
    """Return the seconds that a turn sleeps, when that is short and all that it awaits."""
    awaits = awaits_in(loop.number, where)
    if not awaits or any(suspending_blocks(loop.number, where)):
        return None
    pauses = [_seconds(entry, where) for entry in awaits]
    known = [seconds for seconds in pauses if seconds is not None]
    short = len(known) == len(pauses) and 0 < max(known) < _SHORT_S
    return max(known) if short else None


def _seconds(entry: Await, where: Where) -> float | None:
    call = where.call_of(entry.value)
    if call is None or not call.args or "sleep" not in where.roles(call):
        return None
    return number(call.args[0], where, entry.block)


def _polled(loop: Block, where: Where) -> tuple[str, Confidence] | None:
    """Return the state that the loop waits for, when it is the program's own."""
    tests = [loop.value] if loop.value is not None and loop.value.kind != "const" else []
    if not tests:
        tests = [
            block.value
            for block in map(where.block, sorted(where.below(loop.number)))
            if block.kind == "if" and block.parent == loop.number and block.value is not None
        ]
    states = [_state(test, loop, where) for test in tests[:1]]
    return states[0] if states else None


def _state(test: Value, loop: Block, where: Where) -> tuple[str, Confidence] | None:
    """Return what a condition looks at; None as soon as one part of it may lie elsewhere."""
    if test.kind in {"binary", "boolean", "compare"}:
        parts = [item for item in test.items if item.kind != "const" and not _is_clock(item, where)]
        states = [_state(item, loop, where) for item in parts]
        known = [state for state in states if state is not None]
        return known[0] if known and len(known) == len(states) else None
    call = where.call_of(test)
    if call is not None:
        return _asked(call, loop, where)
    if test.kind == "ref" and _is_set_elsewhere(test.ref, loop, where):
        return test.ref, Confidence.PROBABLE
    return None


def _is_clock(value: Value, where: Where) -> bool:
    call = where.call_of(value)
    return call is not None and call.func.rpartition(".")[2] in {"time", "monotonic", "now"}


def _asked(call: Call, loop: Block, where: Where) -> tuple[str, Confidence] | None:
    if call.func == "len" and len(call.args) == 1:
        return _state(call.args[0], loop, where)
    receiver, _, method = call.func.rpartition(".")
    path = where.path(call)
    if any(path.startswith(owner) for owner in _STATES.get(method, ())):
        return f"{receiver.lstrip('@0123456789.')}.{method}()", Confidence.DEFINITE
    return None


def _is_set_elsewhere(ref: str, loop: Block, where: Where) -> bool:
    """Tell whether another function of the class sets the attribute, or changes what it holds."""
    base, _, name = ref.partition(".")
    owner = where.class_of(loop.number)
    if owner is None or base not in {"self", "cls"} or not name or "." in name:
        return False
    here = where.block(loop.number).function
    assigns = where.program.names.scopes[where.index].attributes.get(owner.number, {})
    setters = {where.block(assign.block).function for assign in assigns.get(name, ())}
    starts = {
        function.number
        for function in where.file.functions
        if function.owner == owner.number and function.name == "__init__"
    }
    if setters - starts - {here}:
        return True
    return bool(setters) and any(
        call.func.startswith(f"{ref}.")
        and call.func.endswith((".append", ".add", ".extend", ".appendleft", ".update"))
        and where.block(call.block).function != here
        for call in where.file.calls
    )
