"""The whole program: what each call reaches, who runs each function, what blocks below it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import MappingProxyType
from typing import TypeVar, cast

from perfscan.analyzers.blocking import find_awaited_io, find_blocking
from perfscan.analyzers.callbacks import Callbacks
from perfscan.analyzers.facts import Call, FileFacts, Function
from perfscan.analyzers.knowledge import Effect, Knowledge
from perfscan.analyzers.model import Confidence
from perfscan.analyzers.modules import Modules
from perfscan.analyzers.names import Names
from perfscan.analyzers.registry import Thresholds
from perfscan.analyzers.sites import FunctionId, Site, SiteId, argument_of
from perfscan.analyzers.texts import TextFile
from perfscan.analyzers.things import Thing, Things

__all__ = ["FunctionId", "Program", "Site", "SiteId"]

_Answer = TypeVar("_Answer")

_ROUNDS = 2
_MAX_CALLERS = 6
_RUNS_ARGUMENT_NOW = ("builtins.", "functools.reduce", "itertools.")


class Program:
    """The linked program. Everything is computed on construction and never changes."""

    def __init__(
        self,
        files: Sequence[FileFacts],
        knowledge: Knowledge,
        thresholds: Thresholds = MappingProxyType({}),
        texts: Sequence[TextFile] = (),
    ) -> None:
        self.files = tuple(files)
        self.knowledge = knowledge
        self.thresholds = thresholds
        self.texts = tuple(texts)
        self.modules = Modules([f.path for f in files], knowledge.roots)
        self.names = Names(files, self.modules, knowledge)
        self.sites: list[list[Site]] = []
        self.callers: dict[FunctionId, list[SiteId]] = defaultdict(list)
        self._answers: dict[Callable[[Program], object], object] = {}
        self._link()
        callbacks = Callbacks(self.names, self.sites)
        self.registrations = callbacks.registrations
        self.asynchronous = callbacks.asynchronous
        self.blocking = find_blocking(self)
        self.awaited_io = find_awaited_io(self)
        self.loop_parents = self._spread(self._on_loop_roots())
        """Functions that run on the event loop, and the call that brings each there."""
        self.thread_parents = self._spread(self._thread_roots())
        """Functions that run in a worker thread or process."""

    # Linking.

    def _link(self) -> None:
        self.names.arguments_of = lambda file, function, position: ()
        for file, facts in enumerate(self.files):
            self.sites.append([self._site(file, call) for call in facts.calls])
        for _ in range(_ROUNDS):
            self._index_callers()
            self.names.arguments_of = self._arguments_of
            self.names.forget()
            if not self._resolve_again():
                break
        self._index_callers()

    def _resolve_again(self) -> bool:
        changed = False
        for file, sites in enumerate(self.sites):
            for index, site in enumerate(sites):
                if not site.things and site.call.func != "?":
                    fresh = self._site(file, site.call)
                    if fresh.things:
                        sites[index] = fresh
                        changed = True
        return changed

    def _index_callers(self) -> None:
        self.callers.clear()
        for sites in self.sites:
            for site in sites:
                for target in site.targets:
                    self.callers[target].append((site.file, site.call.number))

    def _site(self, file: int, call: Call) -> Site:
        things = self.names.callee(file, call)
        if not things:
            return Site(file, call, (), (), None, Confidence.DEFINITE)
        targets = tuple(dict.fromkeys(self._targets(file, call, things)))
        effect, confidence = self._effect(call, things)
        return Site(file, call, things, targets, effect, confidence)

    def _targets(self, file: int, call: Call, things: Things) -> Iterator[FunctionId]:
        functions = [thing for thing in things if thing.kind == "function"]
        if len(functions) > 1 and "." not in call.func and self._is_param(file, call):
            functions = []  # one helper, several callables: which one runs here is not known
        for thing in functions:
            yield (thing.file, thing.number)
        for thing in things:
            names = {"class": ("__init__", "__post_init__"), "instance": ("__call__",)}
            for name in names.get(thing.kind, ()):
                for method in self.names.classes.method(thing.file, thing.number, name):
                    yield (method.file, method.number)
        path = things[0].path
        if path.startswith(_RUNS_ARGUMENT_NOW):  # sorted(key=lambda ...): runs right here
            for value in (*call.args, *[value for _, value in call.keywords]):
                if value.kind == "lambda":
                    yield (file, self.names.scopes[file].function_of_block[value.block])

    def _is_param(self, file: int, call: Call) -> bool:
        facts = self.files[file]
        function = facts.blocks[call.block].function
        return function >= 0 and any(
            param.name == call.func for param in facts.functions[function].params
        )

    def _effect(self, call: Call, things: Things) -> tuple[Effect | None, Confidence]:
        """Return the effect on which every meaning of the callee agrees."""
        effects = [
            self.knowledge.effect(thing.path) if thing.kind == "external" else None
            for thing in things
        ]
        known = [effect for effect in effects if effect is not None]
        if not known:
            return None, Confidence.DEFINITE
        effects = [
            effect
            for effect, thing in zip(effects, things, strict=True)
            if effect is not None or not _replaces(thing, known[0])
        ]
        if call.awaited and not known[0].is_async:
            return None, Confidence.DEFINITE  # awaited, so it is not what it seems to be
        if len(known) < len(effects) or len({effect.is_async for effect in known}) > 1:
            return known[0], Confidence.POSSIBLE
        sure = not known[0].on_instance and known[0].evidence != "general"
        return known[0], Confidence.DEFINITE if sure else Confidence.PROBABLE

    def _arguments_of(self, file: int, function: int, position: int) -> Things:
        facts = self.files[file].functions[function]
        param = facts.params[position]
        found: dict[Thing, None] = {}
        for caller_file, index in self.callers.get((file, function), ())[:_MAX_CALLERS]:
            site = self.sites[caller_file][index]
            value = argument_of(site, facts, position, param.name)
            if value is not None:
                call = site.call
                for thing in self.names.evaluate(caller_file, value, call.block, call.number):
                    found[thing] = None
        return tuple(found)

    def once(self, question: Callable[[Program], _Answer]) -> _Answer:
        """Answer a question about the whole program, which rules ask again and again, once."""
        if question not in self._answers:
            self._answers[question] = question(self)
        return cast(_Answer, self._answers[question])

    def dissolve(self) -> None:
        """Take the program apart; it answers nothing any more.

        Its parts refer to each other. Without those cycles its memory returns at once, and the
        cycle collector, which is off during a scan, does not walk millions of objects for it.
        """
        self.names.dissolve()
        vars(self).clear()

    # Reachability.

    def function(self, function: FunctionId) -> Function | None:
        """Return the facts of a function, None for module level."""
        file, index = function
        return self.files[file].functions[index] if index >= 0 else None

    def function_of(self, site: Site | SiteId) -> FunctionId:
        """Return the function in which a call stands."""
        file, index = (site.file, site.call.number) if isinstance(site, Site) else site
        facts = self.files[file]
        return (file, facts.blocks[facts.calls[index].block].function)

    def site(self, site: SiteId) -> Site:
        """Return the resolved call."""
        return self.sites[site[0]][site[1]]

    def sites_of(self, function: FunctionId) -> list[Site]:
        """Return the calls that stand in a function itself, not in functions nested in it."""
        table: dict[FunctionId, list[Site]] | None = getattr(self, "_by_function", None)
        if table is None:
            table = defaultdict(list)
            for sites in self.sites:
                for site in sites:
                    table[self.function_of(site)].append(site)
            self._by_function = table
        return table.get(function, [])

    def _on_loop_roots(self) -> Iterator[FunctionId]:
        for file, facts in enumerate(self.files):
            for function in facts.functions:
                if function.is_async:
                    yield (file, function.number)
        for function_id, entries in self.registrations.items():
            if any(entry.callback.runs == "loop" for entry in entries):
                yield function_id

    def _thread_roots(self) -> Iterator[FunctionId]:
        for function_id, entries in self.registrations.items():
            facts = self.function(function_id)
            offloaded = any(entry.callback.runs in {"thread", "process"} for entry in entries)
            if offloaded and facts is not None and not facts.is_async:
                yield function_id

    def _spread(self, roots: Iterable[FunctionId]) -> dict[FunctionId, SiteId | None]:
        """Follow synchronous calls from ``roots``; the value is the call that leads there."""
        parents: dict[FunctionId, SiteId | None] = dict.fromkeys(roots)
        queue = deque(parents)
        while queue:
            for site in self.sites_of(queue.popleft()):
                for target in site.targets:
                    if target not in parents and target not in self.asynchronous:
                        parents[target] = (site.file, site.call.number)
                        queue.append(target)
        return parents


def _replaces(thing: Thing, known: Effect) -> bool:
    """Tell whether an unknown function is imported instead of a known one of the same name."""
    last = known.path.rpartition(".")[2]
    return thing.kind == "external" and "(" not in thing.path and thing.path.endswith(f".{last}")
