"""The whole program: what each call reaches, who runs each function, what blocks below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from perfscan.analyzers.facts import Call, FileFacts, Function, Read
from perfscan.analyzers.heat import HotRegions
from perfscan.analyzers.knowledge import Effect, Knowledge
from perfscan.analyzers.links import Links, links_of
from perfscan.analyzers.model import Confidence
from perfscan.analyzers.modules import Modules
from perfscan.analyzers.names import Names
from perfscan.analyzers.registry import Thresholds
from perfscan.analyzers.sites import FunctionId, Site, SiteId, argument_of, use_at
from perfscan.analyzers.startup import StartUp
from perfscan.analyzers.tables import ClassId, Tables
from perfscan.analyzers.targets import Implicit, Targets
from perfscan.analyzers.texts import TextFile
from perfscan.analyzers.things import Thing, Things
from perfscan.analyzers.tracing import ALL, TEXTS, WHOLE, Sources, Trace, TracedFiles, TracedTable

if TYPE_CHECKING:
    from perfscan.analyzers.survey import Survey

__all__ = ["FunctionId", "Program", "Site", "SiteId"]

_Answer = TypeVar("_Answer")

_MAX_CALLERS = 6
_MAX_SITES = 100_000


class Program:
    """The program as one process sees it: files are loaded and calls resolved when asked for.

    The tables about the whole program become known phase by phase (linking.py). Every answer is a
    function of the files alone, whoever asks first, and is traced to what it was made from.
    """

    def __init__(
        self,
        paths: Sequence[str],
        load: Callable[[int], FileFacts],
        knowledge: Knowledge,
        thresholds: Thresholds = MappingProxyType({}),
        texts: Sequence[TextFile] = (),
    ) -> None:
        self.trace = Trace()
        self.paths = tuple(paths)
        self.files: Sequence[FileFacts] = TracedFiles(len(paths), load, self.trace)
        self.knowledge = knowledge
        self.thresholds = thresholds
        self._texts = tuple(texts)
        self.modules = Modules(paths, knowledge.roots)
        self.names = Names(self.files, self.modules, knowledge, self.trace)
        self.names.arguments_of = self._arguments_of
        self.names.classes.children = self._children
        self.targets = Targets(self.names)
        self._links: dict[int, tuple[Links, Sources]] = {}
        self.sites: Sequence[Sequence[Site]] = _Rows(self)
        self._sites: dict[SiteId, tuple[Site, Sources]] = {}
        self._tables: dict[str, TracedTable[Any, Any]] = {}
        self._missed: set[str] = set()
        self._answers: dict[object, tuple[object, Sources]] = {}

    # The tables.

    def learn(self, tables: Tables) -> None:
        """Take in tables that have become known, and drop the answers that had to do without."""
        self.learn_later({name: partial(dict, rows) for name, rows in tables.items()})

    def learn_later(self, tables: Mapping[str, Callable[[], dict[Any, Any]]]) -> None:
        """Take in tables that will be loaded when they are asked for."""
        for name, load in tables.items():
            self._tables[name] = TracedTable(name, load, self.trace)
        missed = self._missed.intersection(tables)
        if missed:
            self.names.memo.forget({(name, ALL) for name in missed})
            self._missed -= missed
            self._sites.clear()
            self._answers.clear()

    def table(self, name: str) -> TracedTable[Any, Any]:
        """Return a table; an empty one as long as it is not known."""
        known = self._tables.get(name)
        if known is None:
            self._missed.add(name)
            self.trace.sources.add((name, ALL))
            return TracedTable(name, dict, self.trace)
        return known

    @property
    def texts(self) -> tuple[TextFile, ...]:
        """The files beside the Python sources."""
        self.trace.sources.add(TEXTS)
        return self._texts

    @property
    def implicit(self) -> Implicit:
        """What blocks and may run without being called by name."""
        nothing = Implicit(frozenset(), frozenset(), frozenset())
        return cast(Implicit, self.table("implicit").get(WHOLE, nothing))

    @property
    def callers(self) -> Mapping[FunctionId, Sequence[SiteId]]:
        """The calls of each function."""
        return self.table("callers")

    @property
    def registrations(self) -> Mapping[FunctionId, Sequence[Any]]:
        """Who else runs a function: it was handed over, decorated, or overrides a method."""
        return self.table("registrations")

    @property
    def asynchronous(self) -> Mapping[FunctionId, bool]:
        """Functions whose call only makes a coroutine, or is offloaded by a decorator."""
        return self.table("asynchronous")

    @property
    def blocking(self) -> Mapping[FunctionId, Any]:
        """The worst blocking call in or below each synchronous function."""
        return self.table("blocking")

    @property
    def awaited_io(self) -> Mapping[FunctionId, Any]:
        """The nearest awaited network call in or below each coroutine."""
        return self.table("awaited_io")

    @property
    def loop_parents(self) -> Mapping[FunctionId, SiteId | None]:
        """Functions that run on the event loop, and the call that brings each there."""
        return self.table("loop_parents")

    @property
    def thread_parents(self) -> Mapping[FunctionId, SiteId | None]:
        """Functions that run in a worker thread or process."""
        return self.table("thread_parents")

    @property
    def hot_regions(self) -> HotRegions:
        """What runs again and again."""
        return HotRegions(
            lambda file: self.files[file].blocks,
            self.table("loops"),
            self.table("hot"),
            self.table("looping"),
            self.table("hot_files"),
        )

    @property
    def start_up(self) -> StartUp:
        """What runs once, before the bot works."""
        return StartUp(*[self.table(name) for name in ("early", "looping", "spawns", "incoming")])

    def survey(self, survey: Survey[_Answer]) -> _Answer:
        """Return what was found out about the whole program, file by file."""
        return survey.answer(self.table(survey.name))

    def once(self, question: Callable[[Program], _Answer]) -> _Answer:
        """Answer a question about the whole program, which rules ask again and again, once."""
        if question not in self._answers:
            outer = self.trace.begin()
            answer = question(self)
            self._answers[question] = (answer, self.trace.end(outer))
        answer, sources = cast("tuple[_Answer, Sources]", self._answers[question])
        self.trace.sources |= sources
        return answer

    # Calls.

    def site(self, site: SiteId) -> Site:
        """Return the resolved call."""
        known = self._sites.get(site)
        if known is None:
            outer = self.trace.begin()
            resolved = self._resolve(*site)
            known = self._sites[site] = (resolved, self.trace.end(outer))
        self.trace.sources |= known[1]
        return known[0]

    def let_go(self) -> None:
        """Forget resolved calls when they are many; they can be resolved again."""
        if len(self._sites) > _MAX_SITES:
            self._sites.clear()

    def _resolve(self, file: int, number: int) -> Site:
        facts = self.files[file]
        if number >= len(facts.calls):
            return self._resolve_use(file, number)
        call = facts.calls[number]
        things = self.names.callee(file, call)
        if not things:
            return Site(file, call, (), (), None, Confidence.DEFINITE)
        targets = tuple(dict.fromkeys(self.targets.of_call(file, call, things)))
        effect, confidence = self._effect(call, things)
        return Site(file, call, things, targets, effect, confidence)

    def _resolve_use(self, file: int, number: int) -> Site:
        """Resolve what runs code without a call: reading, ``with``, ``for``."""
        facts = self.files[file]
        use = use_at(facts, number)
        edges = self.table("uses").get(file, ())
        targets = tuple(t for edge in edges if edge.number == number for t in edge.targets)
        effect = None
        if len(facts.calls) <= number < len(facts.calls) + len(facts.reads):
            effect = self.read_effect(file, facts.reads[number - len(facts.calls)])
        return Site(file, use, (), targets, effect, Confidence.PROBABLE)

    def read_effect(self, file: int, read: Read) -> Effect | None:
        """Return the I/O that reading a library's attribute does; None for ordinary ones."""
        if read.ref.rpartition(".")[2] not in self.knowledge.property_names:
            return None
        things = self.names.resolve(file, read.ref, read.block, read.order)
        effects = [self.knowledge.property_effect(t.path) for t in things if t.kind == "external"]
        return effects[0] if effects and len(effects) == len(things) else None

    def links(self, file: int) -> Links:
        """Return what one file adds to the tables of the whole program."""
        known = self._links.get(file)
        if known is None:
            outer = self.trace.begin()
            links = links_of(self, file)
            known = self._links[file] = (links, self.trace.end(outer))
        self.trace.sources |= known[1]
        return known[0]

    def _effect(self, call: Call, things: Things) -> tuple[Effect | None, Confidence]:
        """Return the effect on which every meaning of the callee agrees."""
        effects = [self._effect_of(thing) for thing in things]
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
        if known[0].cost == "subprocess" and any("WNOHANG" in v.ref for v in call.args):
            return None, Confidence.DEFINITE  # only looks, and does not wait
        if len(known) < len(effects) or len({effect.is_async for effect in known}) > 1:
            return known[0], Confidence.POSSIBLE
        sure = not known[0].on_instance and known[0].evidence != "general"
        return known[0], Confidence.DEFINITE if sure else Confidence.PROBABLE

    def _effect_of(self, thing: Thing) -> Effect | None:
        if thing.kind == "external":
            return self.knowledge.effect(thing.path)
        if thing.kind != "function":
            return None
        return self.knowledge.own_effect(lambda: self._dotted((thing.file, thing.number)))

    def _dotted(self, function: FunctionId) -> str:
        file, number = function
        return f"{self.modules.name(file)}.{self.files[file].functions[number].qualname}"

    def _arguments_of(self, file: int, function: int, position: int) -> Things:
        return self.names.memo.higher(lambda: self._passed(file, function, position))

    def _passed(self, file: int, function: int, position: int) -> Things:
        facts = self.files[file].functions[function]
        param = facts.params[position]
        found: dict[Thing, None] = {}
        callers = self.table("direct_callers").get((file, function), ())
        for caller_file, index in callers[:_MAX_CALLERS]:
            call = self.files[caller_file].calls[index]
            value = argument_of(call, facts, position, param.name)
            if value is not None:
                for thing in self.names.evaluate(caller_file, value, call.block, call.number):
                    found[thing] = None
        return tuple(found)

    def _children(self, cls: ClassId, method: str) -> Sequence[ClassId]:
        return cast("Sequence[ClassId]", self.table("children").get((cls, method), ()))

    def dissolve(self) -> None:
        """Take the program apart; it answers nothing any more.

        Its parts refer to each other. Without those cycles its memory returns at once, and the
        cycle collector, which is off during a scan, does not walk millions of objects for it.
        """
        self.names.dissolve()
        vars(self).clear()

    # Functions.

    def function(self, function: FunctionId) -> Function | None:
        """Return the facts of a function, None for module level."""
        file, index = function
        return self.files[file].functions[index] if index >= 0 else None

    def function_of(self, site: Site | SiteId) -> FunctionId:
        """Return the function in which a call stands."""
        file, index = (site.file, site.call.number) if isinstance(site, Site) else site
        facts = self.files[file]
        return (file, facts.blocks[use_at(facts, index).block].function)

    def sites_of(self, function: FunctionId) -> list[Site]:
        """Return the calls that stand in a function itself, not in functions nested in it."""
        file, number = function
        calls = self.names.scopes[file].calls.get(number, ())
        return [self.site((file, call)) for call in calls]


class _Rows(Sequence[Sequence[Site]]):
    """The resolved calls of all files, row by row."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def __getitem__(self, file: int) -> Sequence[Site]:  # type: ignore[override]  # no slices
        return _Row(self._program, file)

    def __iter__(self) -> Iterator[Sequence[Site]]:
        return (self[file] for file in range(len(self)))

    def __len__(self) -> int:
        return len(self._program.paths)


class _Row(Sequence[Site]):
    """The resolved calls of one file."""

    def __init__(self, program: Program, file: int) -> None:
        self._program = program
        self._file = file

    def __getitem__(self, number: int) -> Site:  # type: ignore[override]  # no slices
        return self._program.site((self._file, number))

    def __iter__(self) -> Iterator[Site]:
        return (self[number] for number in range(len(self)))

    def __len__(self) -> int:
        return len(self._program.files[self._file].calls)


def _replaces(thing: Thing, known: Effect) -> bool:
    """Tell whether an unknown function is imported instead of a known one of the same name."""
    last = known.path.rpartition(".")[2]
    return thing.kind == "external" and "(" not in thing.path and thing.path.endswith(f".{last}")
