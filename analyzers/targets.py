"""Which scanned functions a call runs, and a ``with``, a ``for`` or the reading of a property."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

from perfscan.analyzers.facts import Block, Call, FileFacts, Function
from perfscan.analyzers.sites import FunctionId, argument_of, first_block
from perfscan.analyzers.things import Thing, Things

if TYPE_CHECKING:
    from perfscan.analyzers.names import Names

_CONSTRUCTING = ("__new__", "__init__", "__post_init__")
_ENTERING = ("__enter__", "__exit__")
_ITERATING = ("__iter__", "__next__")
_RUNNING = {"with": _ENTERING, "for": _ITERATING, "comp": _ITERATING}
IMPLICIT = frozenset({*_ENTERING, *_ITERATING, "__len__"})
"""Methods that the language calls."""

_ITERATES = frozenset(
    {
        "all", "any", "dict", "enumerate", "filter", "frozenset", "len", "list", "map", "max",
        "min", "next", "set", "sorted", "sum", "tuple", "zip", "$str.join",
    }
)  # fmt: skip
"""Builtins that go through their arguments, or ask for their length."""

_RUNS_FIRST = frozenset({"builtins.map", "builtins.filter", "functools.reduce"})
_RUNS_KEY = frozenset({"builtins.sorted", "builtins.min", "builtins.max", "builtins.list().sort"})


class Implicit(NamedTuple):
    """What blocks and may run without being called by name, so that its uses are looked for."""

    properties: frozenset[str]
    """Names of properties."""
    methods: frozenset[FunctionId]
    """Generator functions, and methods such as ``__enter__`` and ``__iter__``."""
    names: frozenset[str]
    """What generator functions and the classes of those methods are called."""


class Targets:
    """Answers which functions run at a place of the code."""

    def __init__(self, names: Names) -> None:
        self._names = names

    # Calls.

    def of_call(self, file: int, call: Call, things: Things) -> Iterator[FunctionId]:
        """Yield what a call runs before it returns, ``things`` being what it may call."""
        several = len(things) > 1 and self.parameter(file, call) == "outer"
        for thing in things:
            kind = thing.kind
            if kind == "function":
                function = self._function(thing)
                if several or _is_lazy(function, call):
                    continue  # one wrapper for several functions: which runs is not known
                yield (thing.file, thing.number)
                if function.decorators:
                    yield from _ids(self._names.results.wrappers(thing))
                if call.args or call.keywords:
                    yield from self._handed_over(file, call, thing, function)
            elif kind == "class":
                yield from self._methods(thing, _CONSTRUCTING)
            elif kind == "instance":
                yield from self._methods(thing, ("__call__",))
            elif kind == "external" and (thing.path in _RUNS_FIRST or thing.path in _RUNS_KEY):
                yield from self._run_now(file, call, thing.path)

    def direct(self, file: int, call: Call) -> Iterator[FunctionId]:
        """Yield the functions that get the arguments of a call."""
        things = self._names.callee(file, call)
        if len(things) > 1 and self.parameter(file, call) == "outer":
            return
        for thing in things:
            if thing.kind == "function":
                yield (thing.file, thing.number)
                if self._function(thing).decorators:
                    yield from _ids(self._names.results.wrappers(thing))
            elif thing.kind == "class":
                yield from self._methods(thing, _CONSTRUCTING)
            elif thing.kind == "instance":
                yield from self._methods(thing, ("__call__",))

    def parameter(self, file: int, call: Call) -> str:
        """Tell whose parameter is called: ``own``, ``outer`` for an enclosing function's, or ""."""
        if "." in call.func:
            return ""
        facts = self._names.files[file]
        number = facts.blocks[call.block].function
        kind = "own"
        while number >= 0:
            function = facts.functions[number]
            if any(param.name == call.func for param in function.params):
                return kind
            number, kind = function.parent, "outer"
        return ""

    def is_stored(self, file: int, call: Call, targets: Collection[FunctionId]) -> bool:
        """Tell whether an attribute or parameter stands for one of several functions at a time."""
        if "." not in call.func:
            return self.parameter(file, call) == "own"
        last = call.func.rpartition(".")[2]
        if len(targets) < 2 or last == "[]":
            return False
        functions = [self._names.files[home].functions[number] for home, number in targets]
        return any(function.owner < 0 and function.name != last for function in functions)

    def is_open(self, file: int, call: Call, targets: Collection[FunctionId]) -> bool:
        """Tell whether one of several functions runs: overrides, or what callers hand over."""
        if len(targets) < 2:
            return self.parameter(file, call) == "own"
        last = call.func.rpartition(".")[2]
        functions = [self._names.files[home].functions[number] for home, number in targets]
        return sum(function.name == last for function in functions) > 1

    def _run_now(self, file: int, call: Call, path: str) -> Iterator[FunctionId]:
        run = [value for name, value in call.keywords if name == "key" and path in _RUNS_KEY]
        if path in _RUNS_FIRST:
            run += call.args[:1]
        for value in run:
            yield from _ids(self._names.evaluate(file, value, call.block, call.number))

    def _handed_over(
        self, file: int, call: Call, thing: Thing, function: Function
    ) -> Iterator[FunctionId]:
        """Yield the functions that are passed to a function which calls its parameters."""
        scopes = self._names.scopes[file]
        values = (*call.args, *[value for _, value in call.keywords])
        if not any(scopes.names_function(value, call.block) for value in values):
            return
        if thing.number not in self._names.scopes[thing.file].handing:
            return
        for position in self._names.results.called_parameters(thing):
            param = function.params[position.number]
            value = argument_of(call, function, position.number, param.name)
            if value is not None and value.kind in {"ref", "lambda"}:
                yield from _ids(self._names.evaluate(file, value, call.block, call.number))

    # What runs without being called by name.

    def uses(self, file: int, implicit: Implicit) -> Iterator[tuple[int, list[FunctionId]]]:
        """Yield the numbers of calls, reads and blocks (sites.py) that run something implicit."""
        facts = self._names.files[file]
        properties = implicit.properties
        number = len(facts.calls)
        if properties:
            for call in facts.calls:
                path = call.func.rpartition(".")[0]
                if "." in path and not properties.isdisjoint(path.split(".")):
                    yield call.number, self.of_path(file, path, call.block, call.number, properties)
            for read in facts.reads:
                if not properties.isdisjoint(read.ref.split(".")):
                    yield number, self.of_path(file, read.ref, read.block, read.order, properties)
                number += 1
            for part in facts.subscripts:
                if not properties.isdisjoint(part.ref.split(".")):
                    yield number, self.of_path(file, part.ref, part.block, part.order, properties)
                number += 1
        if implicit.methods:
            for call in facts.calls:
                if call.func in _ITERATES and call.args:
                    yield call.number, self._taken(file, call, implicit)
            for block in facts.blocks:
                if block.kind in _RUNNING and self._may_run(facts, block, implicit.names):
                    yield first_block(facts) + block.number, self._of_block(file, block, implicit)

    def of_path(
        self, file: int, ref: str, block: int, order: int, properties: Collection[str]
    ) -> list[FunctionId]:
        """Return the properties that are read on the way along a reference."""
        steps = ref.split(".")
        found: list[FunctionId] = []
        for index, step in enumerate(steps[1:], start=1):
            if step in properties:
                owners = self._names.resolve(file, ".".join(steps[:index]), block, order)
                for owner in owners:
                    found += _ids(self._names.property_of(owner, step))
        return found

    @staticmethod
    def _may_run(facts: FileFacts, block: Block, names: Collection[str]) -> bool:
        value = block.value
        if value is None or value.kind != "ref" or block.is_async:
            return False
        if not value.ref.startswith("@"):
            return True
        called = value.ref[1:]
        return called.isdigit() and facts.calls[int(called)].func.rpartition(".")[2] in names

    def _of_block(self, file: int, block: Block, implicit: Implicit) -> list[FunctionId]:
        """Return what entering and leaving a ``with`` runs, or iterating for a ``for``."""
        assert block.value is not None
        things = self._names.evaluate(file, block.value, block.parent, 1 << 30)
        return self._of_things(things, _RUNNING[block.kind], implicit)

    def _taken(self, file: int, call: Call, implicit: Implicit) -> list[FunctionId]:
        """Return what a builtin runs that goes through its arguments, or asks for their length."""
        names = ("__len__",) if call.func == "len" else _ITERATING
        found: list[FunctionId] = []
        for value in call.args:
            if value.kind == "ref":
                things = self._names.evaluate(file, value, call.block, call.number)
                found += self._of_things(things, names, implicit)
        return found

    def _of_things(
        self, things: Things, names: tuple[str, ...], implicit: Implicit
    ) -> list[FunctionId]:
        found: list[FunctionId] = []
        for thing in things:
            if thing.kind == "instance":
                found += self._methods(thing, names)
            elif thing.kind == "generator":
                found.append((thing.file, thing.number))
        return [function for function in found if function in implicit.methods]

    def _methods(self, thing: Thing, names: tuple[str, ...]) -> Iterator[FunctionId]:
        for name in names:
            yield from _ids(self._names.classes.method(thing.file, thing.number, name))

    def _function(self, thing: Thing) -> Function:
        return self._names.files[thing.file].functions[thing.number]


def _is_lazy(function: Function, call: Call) -> bool:
    """Tell whether calling a function only makes a generator, which nobody runs yet."""
    if not function.is_generator or function.is_async or call.use == "yielded":
        return False
    return not any("contextmanager" in item.ref for item in function.decorators)


def _ids(things: Things) -> Iterator[FunctionId]:
    for thing in things:
        if thing.kind == "function":
            yield (thing.file, thing.number)
