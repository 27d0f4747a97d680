"""PS705: whole object trees copied in a loop."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.containers import is_far
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, rule


@rule("PS705", "deepcopy-in-loop", Severity.MEDIUM, on=Call, calls=("deepcopy",))
def deepcopy_in_loop(call: Call, where: Where) -> Iterator[Hit]:
    """Report `copy.deepcopy` in loops over data and in what runs for each message.

    What it does:
        Looks for `copy.deepcopy(x)` in loops whose number of turns depends on data, and in the
        bot's own loops and handlers.

    Why it costs a bot:
        `deepcopy` walks every nested list, dict and object in Python, with a table of all it has
        seen: 50 to 100 times the cost of `dict(x)`, milliseconds for a state of a few thousand
        values, each of them with the interpreter's lock held.

    Example:
        import copy

        def snapshots(state, events):
            found = []
            for event in events:
                state.update(event)
                found.append(copy.deepcopy(state))
            return found

    Use instead:
        def snapshots(state, events):
            found = []
            for event in events:
                state = {**state, **event}
                found.append(state)
            return found

    When it is fine:
        Outside of loops, for small flat objects, and where every level really is changed later.
        Low when each turn copies its own item, informational where no loop or handler of the bot
        runs the code.
    """
    if where.path(call) != "copy.deepcopy" or not call.args:
        return
    loops, heat = where.data_loops(call.block), where.hot(call.block)
    near = heat is not None and not is_far(heat)
    if not loops and not near:
        return
    what = call.args[0].ref.replace(".[]", "[...]")
    turn = f"each run of the {heat.label}" if near and heat else "every turn of the loop"
    yield Hit(
        call.place,
        call.block,
        message=(
            f"copy.deepcopy({'' if what.startswith(('@', '$')) else what}) walks the whole"
            f" object in {turn}"
        ),
        fix="Copy only what changes: dict(x), list(x), dataclasses.replace(x), or build it anew.",
        severity=_severity(call, loops, where),
        confidence=where.confidence(call),
    )


def _severity(call: Call, loops: list[Block], where: Where) -> Severity | None:
    if where.is_cold(call.block):
        return Severity.INFO
    own = any(set(call.args[0].names) & set(loop.targets) for loop in loops)
    return Severity.LOW if own or not loops else None
