"""What a rule may ask: names, effects, loops, who runs the code and how often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cached_property
from typing import TypeVar, cast

from perfscan.analyzers.blocking import Blocking
from perfscan.analyzers.facts import (
    LOOPS,
    Block,
    Call,
    Class,
    FileFacts,
    Function,
    Place,
    Read,
    Value,
)
from perfscan.analyzers.heat import Heat, HotRegions
from perfscan.analyzers.knowledge import Client, Effect, Knowledge
from perfscan.analyzers.links import edge_at
from perfscan.analyzers.model import Confidence, Severity, TraceStep
from perfscan.analyzers.project import FunctionId, Program, Site, SiteId
from perfscan.analyzers.registry import threshold
from perfscan.analyzers.sites import use_at
from perfscan.analyzers.startup import StartUp
from perfscan.analyzers.things import Things

_Answer = TypeVar("_Answer")

_FAR = 4
"""Code so many helpers away from a handler hardly runs each time."""


class Context(StrEnum):
    """Who runs a piece of code. Where several do, the one that suffers most from waiting."""

    LOOP = "loop"
    """The event loop, directly or through synchronous helpers."""
    THREAD = "thread"
    PROCESS = "process"
    START_UP = "start-up"
    """Only the module itself or what it calls, once, before there is a loop."""
    UNKNOWN = "unknown"


class Where:
    """The view of one file inside the program. Facts are those of ``where.file``."""

    def __init__(self, program: Program, index: int) -> None:
        self.program = program
        self.hot_regions: HotRegions = program.hot_regions
        self.start_up: StartUp = program.start_up
        self.index = index
        self.file: FileFacts = program.files[index]
        self.knowledge: Knowledge = program.knowledge
        self._answers: dict[Callable[[Where], object], object] = {}
        self._sites: dict[int, Site] = {}  # rules ask for the same calls again and again
        self._roles: dict[int, frozenset[str]] = {}

    def threshold(self, rule: str, limit: str) -> int:
        """Return a limit of the rule called ``rule``, as configured or as declared."""
        return threshold(rule, limit, self.program.thresholds)

    # What is called.

    def site(self, call: Call) -> Site:
        """Return the resolved call: things, targets, effect, confidence."""
        known = self._sites.get(call.number)
        if known is None:
            known = self._sites[call.number] = self.program.site((self.index, call.number))
        return known

    def path(self, call: Call) -> str:
        """Return the canonical library path that is called, "" when it is not one."""
        for thing in self.site(call).things:
            if thing.kind == "external":
                return thing.path
        return ""

    def paths(self, call: Call) -> tuple[str, ...]:
        """Return every library path that may be called."""
        return tuple([t.path for t in self.site(call).things if t.kind == "external"])

    def effect(self, call: Call) -> Effect | None:
        """Return what the library call does (blocks, or is awaited I/O); None when unknown."""
        return self.site(call).effect

    def confidence(self, call: Call) -> Confidence:
        """Return how surely the callee is known."""
        return self.site(call).confidence

    def property_effect(self, read: Read) -> Effect | None:
        """Return the I/O that reading an attribute does; None for ordinary attributes."""
        if read.ref.rpartition(".")[2] not in self.knowledge.property_names:
            return None
        things = self.program.names.resolve(self.index, read.ref, read.block, read.order)
        effects = [self.knowledge.property_effect(t.path) for t in things if t.kind == "external"]
        return effects[0] if effects and len(effects) == len(things) else None

    def client(self, call: Call) -> Client | None:
        """Return the known client class that the call constructs, directly or by a factory."""
        for path in self.paths(call):
            made = self.knowledge.canonical(f"{path}()")
            client, rest = self.knowledge.instance(made)
            if client is not None and not rest and made.endswith("()"):
                return client
        return None

    def roles(self, call: Call) -> frozenset[str]:
        """Return the knowledge base's tags of the callee."""
        known = self._roles.get(call.number)
        if known is None:
            found = [self.knowledge.roles(path) for path in self.paths(call)]
            known = self._roles[call.number] = frozenset().union(*found)
        return known

    def targets(self, call: Call) -> tuple[FunctionId, ...]:
        """Return the scanned functions that the call runs."""
        return self.site(call).targets

    def running(self) -> Iterator[tuple[Call, tuple[FunctionId, ...]]]:
        """Yield what runs scanned functions: calls, and reading properties, ``with``, ``for``."""
        for call in self.file.calls:
            targets = self.targets(call)
            if targets:
                yield call, targets
        for use in self.program.table("uses").get(self.index, ()):
            yield use_at(self.file, use.number), use.targets

    def things(self, value: Value, block: int, order: int = 1 << 30) -> Things:
        """Return what a value may be; ``order`` is the number of calls before it."""
        return self.program.names.evaluate(self.index, value, block, order)

    def value_path(self, value: Value, block: int, order: int = 1 << 30) -> str:
        """Return the library path of a value: ``pandas.DataFrame()``; "" when unknown."""
        for thing in self.things(value, block, order):
            if thing.kind == "external":
                return thing.path
        return ""

    def call_of(self, value: Value | None) -> Call | None:
        """Return the call whose result ``value`` is, awaited or not."""
        if value is None or not value.ref.startswith("@") or not value.ref[1:].isdigit():
            return None
        return self.file.calls[int(value.ref[1:])]

    def argument(self, call: Call, position: int, keyword: str = "") -> Value | None:
        """Return one argument by position or keyword, None when it is not given."""
        for name, value in call.keywords:
            if keyword and name == keyword:
                return value
        if position < 0 or any(value.kind == "star" for value in call.args[: position + 1]):
            return None
        return call.args[position] if position < len(call.args) else None

    # Where it stands.

    def block(self, index: int) -> Block:
        """Return a block of this file."""
        return self.file.blocks[index]

    def function(self, block: int) -> Function | None:
        """Return the function that runs ``block``, None at module level."""
        index = self.file.blocks[block].function
        return self.file.functions[index] if index >= 0 else None

    def name(self, block: int) -> str:
        """Return the dotted name of the function that runs ``block``, for messages."""
        function = self.function(block)
        return function.qualname if function else "the module"

    def function_id(self, block: int) -> FunctionId:
        """Return the program-wide id of the function that runs ``block``."""
        return (self.index, self.file.blocks[block].function)

    def class_of(self, block: int) -> Class | None:
        """Return the class whose method (or function nested in one) runs ``block``."""
        function = self.function(block)
        while function is not None:
            if function.owner >= 0:
                return self.file.classes[function.owner]
            function = self.file.functions[function.parent] if function.parent >= 0 else None
        return None

    def around(self, block: int, *kinds: str) -> Iterator[Block]:
        """Yield ``block`` and its parents within the same function, innermost first.

        Only those of the given kinds when kinds are given.
        """
        while block >= 0:
            fact = self.file.blocks[block]
            if fact.kind in {"function", "class", "module"}:
                return
            if not kinds or fact.kind in kinds:
                yield fact
            block = fact.parent

    def loops(self, block: int) -> list[Block]:
        """Return the loops around ``block`` in its function, innermost first."""
        return list(self.around(block, *LOOPS))

    def data_loops(self, block: int) -> list[Block]:
        """Return the loops whose number of turns depends on data: no literals, no constants."""
        return [loop for loop in self.loops(block) if not self.is_constant(loop)]

    def is_constant(self, loop: Block) -> bool:
        """Tell whether a loop makes a small, written-down number of turns."""
        value = loop.value
        if loop.kind == "while" or value is None:
            return False
        return self.is_few(value)

    def is_few(self, value: Value) -> bool:
        """Tell whether an iterable is written down: a literal, a constant, ``range(3)``."""
        if value.kind in {"list", "tuple", "set", "dict"}:
            return not any(item.kind == "star" for item in value.items)
        call = self.call_of(value)
        if call is not None:
            if call.func == "range":
                return all(self._is_number(item) for item in call.args)
            if call.func in {"enumerate", "reversed", "sorted", "zip"}:
                return any(self.is_few(item) for item in call.args)
            return False
        last = value.ref.rpartition(".")[2]
        return value.kind == "ref" and last.isupper() and "[]" not in value.ref

    @staticmethod
    def _is_number(value: Value) -> bool:
        last = value.ref.rpartition(".")[2]
        return isinstance(value.const, int) or (value.kind == "ref" and last.isupper())

    def calls_in(self, block: int) -> list[Call]:
        """Return the calls inside ``block``, at any depth, in the same function."""
        by_block = self._calls_by_block
        calls = [call for inner in self.below(block) for call in by_block.get(inner, ())]
        return sorted(calls, key=lambda call: call.number)

    @cached_property
    def library_calls(self) -> list[Call]:
        """The calls of this file that leave the scanned code, plain built-ins apart."""
        return [call for call in self.file.calls if _leaves(self.site(call))]

    @cached_property
    def effect_calls(self) -> list[Call]:
        """The calls of this file whose effect is known: they block, or are awaited I/O."""
        return [call for call in self.library_calls if self.site(call).effect is not None]

    def call_at(self, place: Place) -> Call | None:
        """Return the outermost call that stands at ``place``."""
        return self._calls_by_place.get(place)

    @cached_property
    def _calls_by_place(self) -> dict[Place, Call]:
        return {call.place: call for call in self.file.calls}

    @cached_property
    def _calls_by_block(self) -> dict[int, list[Call]]:
        table: dict[int, list[Call]] = {}
        for call in self.file.calls:
            table.setdefault(call.block, []).append(call)
        return table

    def below(self, block: int) -> set[int]:
        """Return ``block`` and the blocks inside it that the same function runs."""
        blocks = self.file.blocks
        inside, function = {block}, blocks[block].function
        for fact in blocks[block + 1 :]:
            if fact.parent in inside and fact.function == function:
                inside.add(fact.number)
            elif fact.parent < block and fact.function == function:
                break
        return inside

    # Who runs it.

    def on_loop(self, block: int) -> bool:
        """Tell whether the event loop itself runs this code: a coroutine or a loop callback.

        Synchronous helpers of coroutines are not meant here: see ``reached_from_loop``.
        """
        function = self.function_id(block)
        if function[1] < 0:
            return False
        parents = self.program.loop_parents
        return function in parents and parents[function] is None

    def reached_from_loop(self, block: int) -> bool:
        """Tell whether the event loop runs this code, directly or through helpers."""
        return self.function_id(block) in self.program.loop_parents

    def in_thread(self, block: int) -> bool:
        """Tell whether a worker thread or process runs this code."""
        return self.function_id(block) in self.program.thread_parents

    def context(self, block: int) -> Context:
        """Return who runs this code."""
        function = self.function_id(block)
        if function in self.program.loop_parents:
            return Context.LOOP
        if function in self.program.thread_parents:
            return self._offloaded(function)
        if function[1] < 0 or self.start_up.runs_early(function):
            return Context.START_UP
        return Context.UNKNOWN

    def _offloaded(self, function: FunctionId) -> Context:
        """Tell threads from processes by how the first function of the chain was handed over."""
        parents = self.program.thread_parents
        while (site := parents[function]) is not None:
            function = self.program.function_of(site)
        entries = self.program.registrations.get(function, ())
        apart = any(entry.callback.runs == "process" for entry in entries)
        return Context.PROCESS if apart else Context.THREAD

    def hot(self, block: int) -> Heat | None:
        """Return the endless loop or handler that runs this code again and again, or None."""
        return self.hot_regions.of_block(self.index, block)

    def is_cold(self, block: int) -> bool:
        """Tell whether the bot's loops and handlers are known, and none of them runs this code."""
        if not self.hot_regions.functions and not self.hot_regions.loops:
            return False
        heat = self.hot(block)
        return heat is None or (heat.block < 0 and len(heat.via) > _FAR)

    def starting(self, call: Call) -> bool:
        """Tell whether the call runs once, while the program starts, before its first loop."""
        return self.start_up.runs_once(edge_at(self.file, self.index, call))

    def precedes_work(self, call: Call | Read) -> bool:
        """Tell whether the call runs once before an endless loop, so that nobody waits behind it.

        Attribute reads are never taken for start-up code.
        """
        return isinstance(call, Call) and self.start_up.precedes_work(
            edge_at(self.file, self.index, call)
        )

    def weight(self, call: Call | Read, usual: Severity) -> Severity:
        """Return ``usual``, or info for a call that only holds up the start of the bot."""
        return Severity.INFO if self.precedes_work(call) else usual

    def once(self, question: Callable[[Where], _Answer]) -> _Answer:
        """Answer a question about this file, which several rules ask, once."""
        if question not in self._answers:
            self._answers[question] = question(self)
        return cast(_Answer, self._answers[question])

    def sibling(self, file: int) -> Where:
        """Return the view of another file of the program."""
        return Where(self.program, file)

    def blocking(self, function: FunctionId) -> Blocking | None:
        """Return the worst blocking call in or below a synchronous scanned function."""
        return self.program.blocking.get(function)

    # Paths for people.

    def step(self, site: SiteId) -> TraceStep:
        """Return a trace step for a call anywhere in the program."""
        file, index = site
        facts = self.program.files[file]
        call = use_at(facts, index)
        return TraceStep(facts.path, call.place[0], self.symbol(file, call.block))

    def symbol(self, file: int, block: int) -> str:
        """Return ``module:Class.function`` for a block of any file."""
        return symbol_of(self.program, file, block)

    def chain(self, function: FunctionId) -> tuple[TraceStep, ...]:
        """Return the steps from a blocking function down to the call that blocks."""
        steps: list[TraceStep] = []
        blocking = self.program.blocking.get(function)
        while blocking is not None:
            steps.append(self.step(blocking.step))
            if blocking.step == blocking.sink:
                break
            below = [
                t for t in self.program.site(blocking.step).targets if self._leads(t, blocking)
            ]
            blocking = self.program.blocking[below[0]] if below else None
        return tuple(steps)

    def _leads(self, function: FunctionId, above: Blocking) -> bool:
        blocking = self.program.blocking.get(function)
        return blocking is not None and blocking.sink == above.sink and blocking.depth < above.depth


def _leaves(site: Site) -> bool:
    if site.effect is not None:
        return True
    return any(
        thing.kind == "external" and not thing.path.startswith("builtins.") for thing in site.things
    )


def symbol_of(program: Program, file: int, block: int) -> str:
    """Return ``package.module:Class.function`` for a block, without the colon at module level."""
    facts = program.files[file]
    module = program.modules.name(file)
    index = facts.blocks[block].function
    if index >= 0:
        return f"{module}:{facts.functions[index].qualname}"
    while block > 0:
        for cls in facts.classes:
            if cls.block == block:
                return f"{module}:{cls.qualname}"
        block = facts.blocks[block].parent
    return module
