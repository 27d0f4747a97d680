"""What one file adds to the tables of the whole program: calls, loops, handlers, registrations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from perfscan.analyzers.blocking import is_awaited_io, is_blocking, is_sink
from perfscan.analyzers.callbacks import Callbacks, Registration
from perfscan.analyzers.facts import LOOPS, Call, FileFacts
from perfscan.analyzers.heat import Heat, endless_loops, heat_of_callback, named_handlers
from perfscan.analyzers.knowledge import Effect
from perfscan.analyzers.members import is_property
from perfscan.analyzers.model import Confidence
from perfscan.analyzers.sites import FunctionId, SiteId, use_at
from perfscan.analyzers.targets import IMPLICIT

if TYPE_CHECKING:
    from perfscan.analyzers.project import Program

_SPAWNS = frozenset({"create_task", "ensure_future", "start_soon", "gather", "start", "submit"})


class Edge(NamedTuple):
    """A call that runs scanned functions."""

    file: int
    number: int
    function: int
    """The function in which the call stands."""
    targets: tuple[FunctionId, ...]
    line: int
    in_loop: bool
    """It stands in a loop of its function."""
    endless: int = -1
    """The nearest endless loop around it, -1 without one."""
    stored: bool = False
    """A parameter or attribute is called, behind which there may be another function each time."""

    @property
    def site(self) -> SiteId:
        """The id of the call."""
        return (self.file, self.number)

    @property
    def caller(self) -> FunctionId:
        """The id of the function in which the call stands."""
        return (self.file, self.function)


class Sink(NamedTuple):
    """A library call that blocks for long, or is awaited network I/O."""

    site: SiteId
    function: int
    effect: Effect
    confidence: Confidence


class ImplicitFunction(NamedTuple):
    """A synchronous function that may run without being called by name."""

    number: int
    is_property: bool
    name: str
    """Of the property or generator function, or of the class that has ``__enter__`` and such."""
    reads: tuple[str, ...]
    """Properties of the same file that it reads, or at least attributes of their name."""


class Links(NamedTuple):
    """One file's part."""

    edges: tuple[Edge, ...]
    uses: tuple[Edge, ...]
    """What runs functions without a call: properties, ``with``, ``for``."""
    implicit: tuple[ImplicitFunction, ...]
    sinks: tuple[Sink, ...]
    awaited: tuple[Sink, ...]
    coroutines: tuple[int, ...]
    asynchronous: tuple[int, ...]
    """Functions whose call only makes a coroutine, or is offloaded by a decorator."""
    registrations: tuple[tuple[Registration, Heat, int], ...]
    """Each with the heat of a hot callback and the endless loop around the registration."""
    loops: tuple[tuple[int, Heat], ...]
    """Endless loops: the function that turns them, and what to call them."""
    handlers: tuple[tuple[int, Heat], ...]
    spawns: tuple[tuple[int, int], ...]
    """By function: its first call that starts something beside it."""


def links_of(program: Program, file: int) -> Links:
    """Work out the part of one file."""
    facts = program.files[file]
    sites = list(program.sites[file])
    loops = endless_loops(program, file, sites)
    callbacks = Callbacks(program.names, file, sites)
    edges: list[Edge] = []
    sinks: list[Sink] = []
    awaited: list[Sink] = []
    spawns: dict[int, int] = {}
    for site in sites:
        call = site.call
        function = facts.blocks[call.block].function
        if site.targets:
            endless = _loop_around(facts, call.block, loops)
            stored = program.targets.is_stored(file, call, site.targets)
            edge = edge_at(facts, file, call, site.targets)
            edges.append(edge._replace(endless=endless, stored=stored))
        if site.effect is not None:
            sink = Sink((file, call.number), function, site.effect, site.confidence)
            if is_sink(site):
                sinks.append(sink)
            elif is_awaited_io(site):
                awaited.append(sink)
        if call.func.rpartition(".")[2] in _SPAWNS:
            spawns.setdefault(function, call.number)
    for number, read in enumerate(facts.reads, start=len(facts.calls)):
        effect = program.read_effect(file, read)
        if effect is not None and is_blocking(effect, Confidence.PROBABLE):
            function = facts.blocks[read.block].function
            sinks.append(Sink((file, number), function, effect, Confidence.PROBABLE))
    return Links(
        tuple(edges),
        (),
        tuple(_implicit_functions(facts)),
        tuple(sinks),
        tuple(awaited),
        tuple([function.number for function in facts.functions if function.is_async]),
        tuple(sorted(callbacks.asynchronous)),
        tuple(
            [
                (entry, heat_of_callback(program, entry), _loop_around(facts, entry.block, loops))
                for entry in callbacks.registrations
            ]
        ),
        tuple([(facts.blocks[block].function, heat) for block, heat in loops.items()]),
        named_handlers(file, facts),
        tuple(spawns.items()),
    )


def links_with_uses(program: Program, file: int) -> Links:
    """Return the part of one file with what it runs without a call, as far as that blocks."""
    links, facts = program.links(file), program.files[file]
    uses: list[Edge] = []
    for number, targets in program.targets.uses(file, program.implicit):
        if targets:
            uses.append(edge_at(facts, file, use_at(facts, number), targets))
    return links._replace(uses=tuple(uses))


def _implicit_functions(facts: FileFacts) -> Iterator[ImplicitFunction]:
    properties = {f.number: f.name for f in facts.functions if f.owner >= 0 and is_property(f)}
    names = frozenset(properties.values())
    reads: dict[int, set[str]] = {}
    for read in facts.reads if names else ():
        found = names.intersection(read.ref.split("."))
        if found:
            reads.setdefault(facts.blocks[read.block].function, set()).update(found)
    for function in facts.functions:
        if function.is_async:
            continue
        read_there = tuple(sorted(reads.get(function.number, ())))
        if function.number in properties:
            yield ImplicitFunction(function.number, True, function.name, read_there)
        elif function.owner >= 0 and function.name in IMPLICIT:
            name = facts.classes[function.owner].name
            yield ImplicitFunction(function.number, False, name, read_there)
        elif function.is_generator or read_there:
            yield ImplicitFunction(function.number, False, function.name, read_there)


def edge_at(facts: FileFacts, file: int, call: Call, targets: Sequence[FunctionId] = ()) -> Edge:
    """Return a call with what matters of the place where it stands."""
    function = facts.blocks[call.block].function
    looping = _in_loop(facts, call.block)
    return Edge(file, call.number, function, tuple(targets), call.line, looping)


def _loop_around(facts: FileFacts, block: int, loops: dict[int, Heat]) -> int:
    while block >= 0 and facts.blocks[block].kind not in {"function", "module"}:
        if block in loops:
            return block
        block = facts.blocks[block].parent
    return -1


def _in_loop(facts: FileFacts, block: int) -> bool:
    while block >= 0 and facts.blocks[block].kind not in {"function", "class", "module"}:
        if facts.blocks[block].kind in LOOPS:
            return True
        block = facts.blocks[block].parent
    return False
