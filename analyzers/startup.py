"""Start-up code: what runs once, before the bot's first loop, so that nobody waits behind it."""

from __future__ import annotations

from perfscan.analyzers.facts import LOOPS, FileFacts
from perfscan.analyzers.heat import HotRegions
from perfscan.analyzers.project import FunctionId, Program, SiteId

_SPAWNS = frozenset({"create_task", "ensure_future", "start_soon", "gather", "start", "submit"})


class StartUp:
    """The functions that only start-up code calls. Built once per program."""

    def __init__(self, program: Program, heat: HotRegions) -> None:
        self._program = program
        self._first_loop = {
            (file, facts.blocks[block].function): facts.blocks[block].place[0]
            for (file, block) in sorted(heat.loops, reverse=True)
            for facts in (program.files[file],)
        }
        self._functions = self._find()

    def runs_once(self, site: SiteId) -> bool:
        """Tell whether a call happens while the program starts, before anything else runs."""
        function = self._program.function_of(site)
        return (function[1] < 0 or function in self._functions) and self._before_loops(site)

    def precedes_work(self, site: SiteId) -> bool:
        """Tell whether a call runs once before an endless loop, with no task started before it.

        Nobody waits behind such a call yet, however long it blocks.
        """
        return self.runs_once(site) and self._precedes_work(site, frozenset())

    def _precedes_work(self, site: SiteId, seen: frozenset[FunctionId]) -> bool:
        program = self._program
        function = program.function_of(site)
        earlier = [s for s in program.sites_of(function) if s.call.number < site[1]]
        if any(s.call.func.rpartition(".")[2] in _SPAWNS for s in earlier):
            return False
        line = program.site(site).call.place[0]
        if function in self._first_loop and line < self._first_loop[function]:
            return True
        callers = program.callers.get(function, ())
        return (
            bool(callers)
            and function not in seen
            and all(self._precedes_work(caller, seen | {function}) for caller in callers)
        )

    def _find(self) -> set[FunctionId]:
        """Start from every function with callers and strike out what is called later on."""
        program = self._program
        left = {
            function
            for function, callers in program.callers.items()
            if callers and function not in program.registrations
        }
        queue = list(left)
        while queue:
            function = queue.pop()
            if function in left and not all(
                self._is_early(s, left) for s in program.callers[function]
            ):
                left.discard(function)
                queue.extend(
                    target for site in program.sites_of(function) for target in site.targets
                )
        return left

    def _is_early(self, site: SiteId, left: set[FunctionId]) -> bool:
        function = self._program.function_of(site)
        return (function[1] < 0 or function in left) and self._before_loops(site)

    def _before_loops(self, site: SiteId) -> bool:
        """Tell whether a call stands in no loop and before the first endless one."""
        file, number = site
        facts = self._program.files[file]
        call = facts.calls[number]
        if _in_loop(facts, call.block):
            return False
        first = self._first_loop.get((file, facts.blocks[call.block].function))
        return first is None or call.place[0] < first


def _in_loop(facts: FileFacts, block: int) -> bool:
    while block >= 0 and facts.blocks[block].kind not in {"function", "class", "module"}:
        if facts.blocks[block].kind in LOOPS:
            return True
        block = facts.blocks[block].parent
    return False
