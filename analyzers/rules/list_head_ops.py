"""PS702: a list used as a queue."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.containers import is_far
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Call
from perfscan.analyzers.key_counts import FEW
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.sequences import (
    bindings,
    is_few_written,
    is_made_inside,
    outlives_turn,
    sort_of_name,
)

_SHORT = 500
"""So many pointers move within a microsecond."""

_SMALL = re.compile(r"arg|part|path|file|dir|word|token|handler|listener|param|step", re.I)
"""Names of lists that hold a handful of things."""


@rule("PS702", "list-head-ops", Severity.MEDIUM, on=(Call, Assign), fixable="unsafe")
def list_head_ops(fact: Call | Assign, where: Where) -> Iterator[Hit]:
    """Report `pop(0)`, `insert(0, x)` and `del values[0]` on a list, again and again.

    What it does:
        Looks for operations at the front of a list in loops over data and in code that runs for
        each message, when all that binds the name makes it a list that outlives the turn.

    Why it costs a bot:
        Every other element moves by one place: a queue of 50,000 messages that is emptied from the
        front moves 1.25 billion pointers. A deque takes from both ends in constant time.

    Example:
        class Worker:
            def __init__(self):
                self.waiting = []

            def run(self):
                while True:
                    if self.waiting:
                        print(self.waiting.pop(0))

    Use instead:
        from collections import deque

        class Worker:
            def __init__(self):
                self.waiting = deque()

            def run(self):
                while True:
                    if self.waiting:
                        print(self.waiting.popleft())

    When it is fine:
        Reported as low: lists that are kept short, lists that a handler makes and drops, and code
        that no loop or handler of the bot runs.
    """
    found = _at_head(fact) if isinstance(fact, Call) else _deletes_head(fact)
    if not found:
        return
    ref, how, instead = found
    if not _repeats(ref, fact.block, where):
        return
    if sort_of_name(ref, fact.block, where) != "list" or is_few_written(ref, fact.block, where):
        return
    yield Hit(
        fact.place,
        fact.block,
        message=f"{how} moves every other element of {ref} by one place",
        fix=f"Make {ref} a collections.deque and use {instead}.",
        severity=Severity.LOW if _is_light(ref, fact.block, where) else None,
        confidence=Confidence.PROBABLE,
    )


def _is_light(ref: str, block: int, where: Where) -> bool:
    """Tell whether the list is kept short, or nothing runs this code again and again."""
    for guard in where.around(block, "if", "while"):
        test = guard.value
        if test is None or test.kind != "compare" or len(test.items) != 2:
            continue
        measured, limit = where.call_of(test.items[0]), test.items[1].const
        if measured is not None and measured.func == "len" and isinstance(limit, int):
            return measured.args[0].ref == ref and limit <= _SHORT
    few = FEW.search(ref) or _SMALL.search(ref)
    return few is not None or not outlives_turn(ref, block, where)


def _at_head(call: Call) -> tuple[str, str, str] | None:
    ref, _, verb = call.func.rpartition(".")
    if verb not in {"pop", "insert"} or not call.args or call.args[0].const != 0:
        return None
    if verb == "pop":
        return (ref, f"{ref}.pop(0)", "popleft()") if len(call.args) == 1 else None
    return ref, f"{ref}.insert(0, ...)", "appendleft()"


def _deletes_head(assign: Assign) -> tuple[str, str, str] | None:
    if assign.op != "del" or assign.key is None or assign.key.const != 0:
        return None
    ref = assign.target.removesuffix(".[]")
    return ref, f"del {ref}[0]", "popleft()"


def _repeats(ref: str, block: int, where: Where) -> bool:
    """Tell whether it happens again and again to one and the same list."""
    loops = where.data_loops(block)
    if any(not is_made_inside(ref, loop.number, where) for loop in loops):
        return not loops or not is_made_inside(ref, loops[0].number, where)
    heat = where.hot(block)
    if loops or heat is None or is_far(heat):
        return False
    function = where.file.blocks[block].function
    blocks = where.file.blocks
    return not any(
        isinstance(bound, Assign) and blocks[bound.block].function == function
        for bound in bindings(ref, block, where)
    )
