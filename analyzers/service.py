"""Whether the scanned program is a bot: it starts by itself, runs for long, talks to servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Place, Value
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.survey import survey

_SERVERS = frozenset({"network"})
_RUNNERS = frozenset(
    {
        "asyncio.run", "anyio.run", "trio.run", "uvicorn.run", "aiohttp.web.run_app",
        "asyncio.AbstractEventLoop().run_until_complete", "asyncio.AbstractEventLoop().run_forever",
    }
)  # fmt: skip
_RUNNING_METHODS = frozenset(
    {"run", "run_forever", "run_polling", "start_polling", "infinity_polling", "polling",
     "run_until_disconnected", "serve_forever", "start"}
)  # fmt: skip
"""What libraries call the method that starts a bot and does not come back."""


class Work(NamedTuple):
    """The endless loop or handler in which a bot makes most of its remote calls."""

    heat: Heat
    place: Place
    block: int
    calls: int


def main_work(where: Where) -> Work | None:
    """Return the loop or handler at the heart of a bot; None when the program is no bot.

    A bot starts by itself, which a library does not, and asks servers again and again.
    """
    if not _starts_by_itself(where):
        return None
    found: Counter[tuple[str, str, int, int, int]] = Counter()
    heats: dict[tuple[str, str, int, int, int], Heat] = {}
    for heat in _remote_calls(where):
        key = (heat.kind, heat.label, heat.file, heat.line, heat.block)
        found[key] += 1
        heats.setdefault(key, heat)
    if not found:
        return None
    best = min(found, key=lambda key: (-found[key], key))
    return _work(heats[best], found[best], where)


def _one_after_another(parts: Sequence[Sequence[Heat]]) -> Sequence[Heat]:
    return [heat for part in parts for heat in part]


@survey(_one_after_another)
def _remote_calls(where: Where) -> tuple[Heat, ...]:
    """Return, for each remote call that runs again and again, what drives it."""
    effects = [(call, where.effect(call)) for call in where.file.calls]
    remote = [call for call, effect in effects if effect is not None and effect.cost in _SERVERS]
    return tuple([heat for call in remote if (heat := where.hot(call.block)) is not None])


def _work(heat: Heat, calls: int, where: Where) -> Work:
    facts = where.program.files[heat.file]
    if heat.block >= 0:
        block = facts.blocks[heat.block]
        return Work(heat, block.place, block.number, calls)
    for function in facts.functions:
        if function.place[0] == heat.line:
            return Work(heat, function.place, function.block, calls)
    return Work(heat, (heat.line, 0, heat.line, 0), 0, calls)


@survey(any)
def _starts_by_itself(where: Where) -> bool:
    """Tell whether a module starts the work when it is run, behind ``__main__`` or not."""
    return any(
        _is_main(call, where) or _runs(call, where)
        for call in where.file.calls
        if where.block(call.block).function < 0
    )


def _is_main(call: Call, where: Where) -> bool:
    blocks, at = where.file.blocks, call.block
    while at > 0:
        if blocks[at].kind == "if" and is_main_guard(blocks[at].value):
            return True
        at = blocks[at].parent
    return False


def is_main_guard(test: Value | None) -> bool:
    """Tell whether a condition is ``__name__ == "__main__"``."""
    return test is not None and test.kind == "compare" and "__name__" in test.names


def _runs(call: Call, where: Where) -> bool:
    """Tell whether a module-level call runs an event loop or a library's bot."""
    return any(
        path in _RUNNERS or ("()." in path and path.rpartition(".")[2] in _RUNNING_METHODS)
        for path in where.paths(call)
    )
