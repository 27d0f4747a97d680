"""Start-up code: what runs once, before the bot's first loop, so that nobody waits behind it."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING

from perfscan.analyzers.sites import FunctionId

if TYPE_CHECKING:
    from perfscan.analyzers.links import Edge

Incoming = Mapping[FunctionId, Sequence["Edge"]]
"""The calls of each function."""


class StartUp:
    """Answers whether a call belongs to the start of the bot."""

    def __init__(
        self,
        early: Container[FunctionId],
        looping: Mapping[FunctionId, int],
        spawns: Mapping[FunctionId, int],
        incoming: Incoming,
    ) -> None:
        self._early = early
        self._looping = looping
        self._spawns = spawns
        self._incoming = incoming

    def runs_early(self, function: FunctionId) -> bool:
        """Tell whether only start-up code calls a function."""
        return function in self._early

    def runs_once(self, edge: Edge) -> bool:
        """Tell whether a call happens while the program starts, before anything else runs."""
        return is_early(edge, self._early, self._looping)

    def precedes_work(self, edge: Edge) -> bool:
        """Tell whether a call runs once before an endless loop, with no task started before it.

        Nobody waits behind such a call yet, however long it blocks.
        """
        return self.runs_once(edge) and self._precedes_work(edge, frozenset())

    def _precedes_work(self, edge: Edge, seen: frozenset[FunctionId]) -> bool:
        function = edge.caller
        if self._spawns.get(function, edge.number) < edge.number:
            return False
        if function in self._looping and edge.line < self._looping[function]:
            return True
        callers = self._incoming.get(function, ())
        return (
            bool(callers)
            and function not in seen
            and all(self._precedes_work(caller, seen | {function}) for caller in callers)
        )


def is_early(edge: Edge, early: Container[FunctionId], looping: Mapping[FunctionId, int]) -> bool:
    """Tell whether a call stands in start-up code, in no loop and before the first endless one."""
    if edge.in_loop or not (edge.function < 0 or edge.caller in early):
        return False
    first = looping.get(edge.caller)
    return first is None or edge.line < first


def find_early(
    incoming: Incoming,
    outgoing: Incoming,
    looping: Mapping[FunctionId, int],
    registered: Container[FunctionId],
) -> set[FunctionId]:
    """Find the functions that only start-up code calls.

    Starts from every function with callers and strikes out what is called later on.
    """
    left = {function for function in incoming if function not in registered}
    queue = list(left)
    while queue:
        function = queue.pop()
        if function in left and not all(is_early(e, left, looping) for e in incoming[function]):
            left.discard(function)
            queue.extend(target for edge in outgoing.get(function, ()) for target in edge.targets)
    return left
