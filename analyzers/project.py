"""The whole program: what each call reaches, who runs each function, what blocks below it."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar, cast

from perfscan.analyzers.facts import Call, FileFacts, Function, Place, Value
from perfscan.analyzers.knowledge import Callback, Effect, Knowledge
from perfscan.analyzers.model import Confidence
from perfscan.analyzers.modules import Modules
from perfscan.analyzers.names import Names
from perfscan.analyzers.things import Thing, Things

_Answer = TypeVar("_Answer")

FunctionId = tuple[int, int]
"""File and function; function -1 is the module's own code."""

SiteId = tuple[int, int]
"""File and call."""

COST_RANK = {"network": 0, "sleep": 1, "subprocess": 2, "socket": 3, "database": 4}
"""What blocks long enough to be followed through helpers, worst first."""

_ROUNDS = 2
_MAX_CALLERS = 6
_RUNS_ARGUMENT_NOW = ("builtins.", "functools.reduce", "itertools.")


class Site(NamedTuple):
    """One call, resolved."""

    file: int
    call: Call
    things: Things
    targets: tuple[FunctionId, ...]
    """Scanned functions that it runs: functions, ``__init__``, ``__call__``."""
    effect: Effect | None
    """What a library call does; None for everything else."""
    confidence: Confidence


class Registration(NamedTuple):
    """A function was handed to somebody who will run it."""

    function: FunctionId
    callback: Callback
    file: int
    place: Place
    block: int
    name: str
    """What it was handed to, for messages: ``threading.Thread``, ``on_message``."""


class Blocking(NamedTuple):
    """Why a synchronous function blocks: the worst call below it and the way there."""

    effect: Effect
    confidence: Confidence
    sink: SiteId
    """The library call that blocks."""
    step: SiteId
    """The call in this function that leads there; the sink itself when it stands here."""
    depth: int


class AwaitedIO(NamedTuple):
    """The awaited network call nearest to a coroutine, and how many calls away it is."""

    sink: SiteId
    depth: int


class Program:
    """The linked program. Everything is computed on construction and never changes."""

    def __init__(self, files: Sequence[FileFacts], knowledge: Knowledge) -> None:
        self.files = tuple(files)
        self.knowledge = knowledge
        self.modules = Modules([f.path for f in files], knowledge.roots)
        self.names = Names(files, self.modules, knowledge)
        self.sites: list[list[Site]] = []
        self.callers: dict[FunctionId, list[SiteId]] = defaultdict(list)
        self.registrations: dict[FunctionId, list[Registration]] = defaultdict(list)
        self.asynchronous: set[FunctionId] = set()
        """Functions whose call only makes a coroutine, or is offloaded by a decorator."""
        self._answers: dict[Callable[[Program], object], object] = {}
        self._link()
        self.blocking = self._find_blocking()
        self.awaited_io = self._find_awaited_io()
        self.loop_parents = self._spread(self._on_loop_roots())
        """Functions that run on the event loop, and the call that brings each there."""
        self.thread_parents = self._spread(self._thread_roots())
        """Functions that run in a worker thread or process."""

    # Linking.

    def _link(self) -> None:
        self.names.arguments_of = lambda file, function, position: ()
        for file, facts in enumerate(self.files):
            self.sites.append([self._site(file, call) for call in facts.calls])
        self._register_all()
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
                        self._register_call(fresh)
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
            value = _argument(site, facts, position, param.name)
            if value is not None:
                call = site.call
                for thing in self.names.evaluate(caller_file, value, call.block, call.number):
                    found[thing] = None
        return tuple(found)

    # Callbacks.

    def _register_all(self) -> None:
        for sites in self.sites:
            for site in sites:
                self._register_call(site)
        for file, facts in enumerate(self.files):
            for function in facts.functions:
                if function.is_async:
                    self.asynchronous.add((file, function.number))
                if function.decorators:
                    self._register_decorators(file, function)
            for cls in facts.classes:
                if cls.bases:
                    self._register_overrides(file, cls.number)

    def _register_call(self, site: Site) -> None:
        call = site.call
        entries: dict[Callback, None] = {}
        for thing in site.things:
            if thing.kind == "external":
                entries.update(dict.fromkeys(self.knowledge.callbacks("call", thing.path)))
            elif thing.kind == "class":
                for base in self.names.classes.external_bases(thing.file, thing.number):
                    entries.update(dict.fromkeys(self.knowledge.callbacks("call", base)))
        if not entries and "." in call.func and not site.targets:
            last = call.func.rpartition(".")[2]
            entries = dict.fromkeys(self.knowledge.callbacks("method", last))
        for entry in entries:
            for name, value in _handed_over(call, entry):
                for thing in self.names.evaluate(site.file, value, call.block, call.number):
                    if thing.kind == "function":
                        self._register(
                            (thing.file, thing.number),
                            entry,
                            site.file,
                            call.place,
                            call.block,
                            name,
                        )

    def _register_decorators(self, file: int, function: Function) -> None:
        for decorator in function.decorators:
            things, ref = self._decorator(file, function, decorator)
            entries: dict[Callback, None] = {}
            for thing in things:
                if thing.kind == "external":
                    path = thing.path.removesuffix("()")
                    entries.update(dict.fromkeys(self.knowledge.callbacks("decorator", path)))
                elif thing.kind == "function" and self._makes_async(thing):
                    self.asynchronous.add((file, function.number))
            if not entries and "." in ref:
                last = ref.rpartition(".")[2]
                entries = dict.fromkeys(self.knowledge.callbacks("decorator_method", last))
            for entry in entries:
                if entry.kind == "offload":
                    self.asynchronous.add((file, function.number))
                self._register(
                    (file, function.number), entry, file, function.place, function.outer, ref
                )

    def _decorator(self, file: int, function: Function, value: Value) -> tuple[Things, str]:
        ref = value.ref
        if ref.startswith("@") and ref[1:].isdigit():
            call = self.files[file].calls[int(ref[1:])]
            return self.names.callee(file, call), call.func
        return self.names.evaluate(file, value, function.outer, 1 << 30), ref

    def _makes_async(self, decorator: Thing) -> bool:
        """Tell whether a scanned decorator wraps functions into coroutines."""
        functions = self.files[decorator.file].functions
        inner = [decorator.number]
        for function in functions:  # parents come first
            if function.parent in inner:
                inner.append(function.number)
                if function.is_async:
                    return True
        return False

    def _register_overrides(self, file: int, cls: int) -> None:
        methods = self.names.scopes[file].methods.get(cls, {})
        for base in self.names.classes.external_bases(file, cls):
            for entry in self.knowledge.callbacks("override", base):
                for name in entry.methods:
                    if name in methods:
                        function = self.files[file].functions[methods[name]]
                        self._register(
                            (file, methods[name]), entry, file, function.place, function.outer, name
                        )

    def _register(
        self,
        function: FunctionId,
        entry: Callback,
        file: int,
        place: Place,
        block: int,
        name: str,
    ) -> None:
        self.registrations[function].append(Registration(function, entry, file, place, block, name))

    def once(self, question: Callable[[Program], _Answer]) -> _Answer:
        """Answer a question about the whole program, which rules ask again and again, once."""
        if question not in self._answers:
            self._answers[question] = question(self)
        return cast(_Answer, self._answers[question])

    def dissolve(self) -> None:
        """Cut the one reference cycle, so that memory returns without the cycle collector."""
        self.names.arguments_of = lambda file, function, position: ()

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

    def _find_blocking(self) -> dict[FunctionId, Blocking]:
        """Find, for each synchronous function, the worst blocking call in or below it."""
        queue: list[tuple[int, int, SiteId, SiteId, FunctionId]] = []
        for sites in self.sites:
            for site in sites:
                if self.is_sink(site) and site.effect is not None:
                    at = (site.file, site.call.number)
                    rank = COST_RANK[site.effect.cost]
                    queue.append((rank, 0, at, at, self.function_of(site)))
        heapq.heapify(queue)
        found: dict[FunctionId, Blocking] = {}
        while queue:
            rank, depth, sink, step, function = heapq.heappop(queue)
            if function in found or function[1] < 0 or function in self.asynchronous:
                continue
            site = self.site(sink)
            if site.effect is None:
                continue
            found[function] = Blocking(site.effect, site.confidence, sink, step, depth)
            for caller in self.callers.get(function, ()):
                above = self.function_of(caller)
                if above not in found:
                    heapq.heappush(queue, (rank, depth + 1, sink, caller, above))
        return found

    def _find_awaited_io(self) -> dict[FunctionId, AwaitedIO]:
        """Find, for each coroutine, the nearest awaited network call in or below it."""
        found: dict[FunctionId, AwaitedIO] = {}
        queue: deque[tuple[FunctionId, AwaitedIO]] = deque()
        for sites in self.sites:
            for site in sites:
                effect = site.effect
                if effect is not None and effect.is_async and effect.cost == "network":
                    at = (site.file, site.call.number)
                    queue.append((self.function_of(at), AwaitedIO(at, 0)))
        while queue:
            function, io = queue.popleft()
            if function[1] >= 0 and function not in found:
                found[function] = io
                above = AwaitedIO(io.sink, io.depth + 1)
                queue.extend((self.function_of(c), above) for c in self.callers.get(function, ()))
        return found

    @staticmethod
    def is_sink(site: Site) -> bool:
        """Tell whether the call itself blocks its thread for long."""
        effect = site.effect
        return (
            effect is not None
            and not effect.is_async
            and effect.cost in COST_RANK
            and site.confidence is not Confidence.POSSIBLE
        )

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


def _argument(site: Site, facts: Function, position: int, name: str) -> Value | None:
    """Return what a call passes for one parameter, None when it is not written out."""
    for keyword, value in site.call.keywords:
        if keyword == name:
            return value
    bound = facts.owner >= 0 and not any(d.ref == "staticmethod" for d in facts.decorators)
    index = position - 1 if bound else position
    args = site.call.args
    if 0 <= index < len(args) and not any(value.kind == "star" for value in args[: index + 1]):
        return args[index]
    return None


def _handed_over(call: Call, entry: Callback) -> Iterator[tuple[str, Value]]:
    """Yield the callables that a call hands over, each with the name to use in messages."""
    for position in entry.arguments:
        if position < len(call.args):
            yield call.func.rpartition(".")[2], call.args[position]
    for keyword, value in call.keywords:
        if keyword in entry.keywords:
            yield keyword, value
