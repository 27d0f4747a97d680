"""PS607: one item's failure that ends the round for all the others."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.amounts import is_handful
from perfscan.analyzers.context import Where
from perfscan.analyzers.coroutines import in_coroutine, spoken
from perfscan.analyzers.crowds import Crowd, crowd_of
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.failures import comes_out_of, is_caught, lets_through
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.keeping import is_exceptional
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.project import SiteId
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.turns import ends_early, varies

_FAR = 3
"""Further from the endless loop, whether this is its round is a guess."""

_SET_UP = re.compile(
    r"_*(async_)?(init|set_?up|connect|reconnect|subscribe|start|stop|close|login)"
)


@rule("PS607", "failure-stops-loop", Severity.MEDIUM, on=(Block, Call))
def failure_stops_loop(fact: Block | Call, where: Where) -> Iterator[Hit]:
    """Report rounds over monitors, wallets or users that one failing request ends for all.

    What it does:
        Looks at what an endless loop does in each round: `for` loops over data whose body makes
        network calls, with no `try` around the item's work, neither there nor in the helpers that
        make the call; and `asyncio.gather` without `return_exceptions`, and task groups, over
        such work.

    Why it costs a bot:
        The third of forty monitors times out, and the other thirty-seven are not looked at in this
        round; where nothing catches it at all, the loop ends and the bot with it. Stop-losses are
        missed because of a server that has nothing to do with them.

    Example:
        import time
        import requests

        def watch(wallets):
            while True:
                for wallet in wallets:
                    balance = requests.get(f"https://api.example.org/{wallet}", timeout=5).json()
                    print(wallet, balance)
                time.sleep(10)

    Use instead:
        import time
        import requests

        def watch(wallets):
            while True:
                for wallet in wallets:
                    try:
                        answer = requests.get(f"https://api.example.org/{wallet}", timeout=5)
                    except requests.RequestException as error:
                        print(wallet, "is skipped in this round:", error)
                        continue
                    print(wallet, answer.json())
                time.sleep(10)

    When it is fine:
        When the items belong together, so that one without the others is of no use, and in scripts
        that run once.
    """
    if isinstance(fact, Block):
        if fact.kind == "for" and not fact.is_async:
            yield from _in_a_loop(fact, where)
    elif fact.func.rpartition(".")[2] in {"gather", "create_task", "start_soon"}:
        yield from _side_by_side(fact, where)


def _in_a_loop(loop: Block, where: Where) -> Iterator[Hit]:
    heat = _round_of(loop.number, where)
    if heat is None or is_handful(loop, where) or ends_early(loop, where):
        return
    for call in where.calls_in(loop.number):
        if not varies(call, loop, where) or is_caught(call.block, where, loop.number):
            continue
        if next(where.around(call.block, "except"), None) is not None:
            continue
        sink = lets_through(call, where)
        if sink is not None and _is_run_here(call, where):
            consequence = _consequence(loop.number, heat, where)
            yield _hit(call, call.func, sink[0], heat, consequence, where)
            return


def _side_by_side(call: Call, where: Where) -> Iterator[Hit]:
    heat = _round_of(call.block, where)
    if heat is None or any(name == "return_exceptions" for name, _ in call.keywords):
        return
    together = call.func.rpartition(".")[2] == "gather"
    grouped = "TaskGroup" in where.path(call) or "task_group" in where.path(call)
    crowd = crowd_of(call, where) if together or grouped else None
    if crowd is None or (together and not call.awaited):
        return
    caught = is_caught(call.block, where) or _caught_on_the_way(heat, where)
    if together and caught and call.use == "statement":
        return  # the others go on, and nobody misses what they bring
    sink = _sink_of(crowd, where)
    if sink is not None:
        dropped = "drops what all the others bring" if together else "cancels all the others"
        consequence = dropped if caught else f"ends the {heat.label}"
        yield _hit(call, crowd.func, sink, heat, consequence, where)


def _sink_of(crowd: Crowd, where: Where) -> SiteId | None:
    for function in crowd.functions:
        found = comes_out_of(function, where)
        if found is not None:
            return found[0]
    return None


def _round_of(block: int, where: Where) -> Heat | None:
    """Return the endless loop whose round this is."""
    heat = where.hot(block)
    if heat is None or heat.kind != "loop" or len(heat.via) > _FAR:
        return None
    function = where.function(block)
    if function is not None and _SET_UP.match(function.name):
        return None
    return None if is_exceptional(heat, where) or _serves_one_item(heat, where) else heat


def _serves_one_item(heat: Heat, where: Where) -> bool:
    """Tell whether a round on the way leads here: that one is reported, not the loops in it."""
    for file, number in heat.via:
        view = where.sibling(file)
        if any(loop.kind == "for" for loop in view.data_loops(view.file.calls[number].block)):
            return True
    return False


def _is_run_here(call: Call, where: Where) -> bool:
    """Tell whether the call does its work here, rather than making a coroutine for a task."""
    if in_coroutine(call.block, where) is None:
        return True
    effect = where.effect(call)
    return call.awaited or call.use == "with" or (effect is not None and not effect.is_async)


def _consequence(block: int, heat: Heat, where: Where) -> str:
    if is_caught(block, where) or _caught_on_the_way(heat, where):
        return "ends the round for all the others"
    return f"ends the {heat.label}"


def _caught_on_the_way(heat: Heat, where: Where) -> bool:
    """Tell whether a caller between the endless loop and here catches it."""
    for file, number in heat.via:
        view = where.sibling(file)
        if is_caught(view.file.calls[number].block, view):
            return True
    return False


def _hit(call: Call, func: str, sink: SiteId, heat: Heat, consequence: str, where: Where) -> Hit:
    below = where.program.site(sink)
    direct = sink == (where.index, call.number)
    made = "" if direct or below.effect is None else f" ({below.effect.readable}() below it)"
    name = spoken(call, where) if direct or not made else func.lstrip("@0123456789.")
    here = heat.file == where.index
    place = f"line {heat.line}" if here else f"{where.program.files[heat.file].path}:{heat.line}"
    return Hit(
        call.place,
        call.block,
        message=f"a failure of {name}(){made} for one item {consequence} ({place})",
        fix="Catch and log what one item raises around that item's work, and go on with the next.",
        confidence=Confidence.PROBABLE,
        trace=tuple(where.step(site) for site in heat.via),
    )
