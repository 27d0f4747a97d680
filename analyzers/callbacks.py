"""Who runs a function that is handed over, decorated or overridden: loop, thread or caller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from perfscan.analyzers.facts import Call, FileFacts, Function, Place, Value
from perfscan.analyzers.knowledge import Callback
from perfscan.analyzers.names import Names
from perfscan.analyzers.sites import FunctionId, Site
from perfscan.analyzers.tabled import Cell, cells
from perfscan.analyzers.things import Thing, Things

_SCANNED = frozenset({"function", "class", "instance"})
_ELSEWHERE = frozenset({"thread", "process", "single"})


class Registration(NamedTuple):
    """A function was handed to somebody who will run it."""

    function: FunctionId
    callback: Callback
    file: int
    place: Place
    block: int
    name: str
    """What it was handed to, for messages: ``threading.Thread``, ``on_message``."""


class Callbacks:
    """The registrations that one file makes."""

    def __init__(self, names: Names, file: int, sites: Sequence[Site]) -> None:
        self._names = names
        self._knowledge = names.knowledge
        self.registrations: list[Registration] = []
        self.asynchronous: set[int] = set()
        """Functions whose call only makes a coroutine, or is offloaded by a decorator."""
        for site in sites:
            self._register_call(site)
        self._register_definitions(file)
        self._register_attributes(file)

    def _register_attributes(self, file: int) -> None:
        """Register ``app.on_message = handler`` like ``App(on_message=handler)``."""
        for assign in self._names.files[file].assigns:
            base, _, attribute = assign.target.rpartition(".")
            if not base or not attribute.startswith("on_") or assign.op != "=":
                continue
            at = (assign.block, assign.order)
            entries = {
                entry: None
                for thing in self._names.resolve(file, base, *at)
                if thing.kind == "external" and thing.path.endswith("()")
                for entry in self._knowledge.callbacks("call", thing.path[:-2])
                if attribute in entry.keywords
            }
            for entry in entries:
                for thing in self._names.evaluate(file, assign.value, *at):
                    if thing.kind == "function":
                        function = (thing.file, thing.number)
                        self._register(function, entry, file, assign.place, assign.block, attribute)

    def _register_definitions(self, file: int) -> None:
        facts = self._names.files[file]
        for function in facts.functions:
            if function.is_async:
                self.asynchronous.add(function.number)
            if function.decorators:
                self._register_decorators(file, function)
        for cls in facts.classes:
            if cls.bases:
                self._register_overrides(file, cls.number)

    def _register_call(self, site: Site) -> None:
        call = site.call
        for entry in self._entries(site.file, call, site.things):
            for name, value in _handed_over(call, entry):
                for thing in self._functions(site.file, call, value):
                    function = (thing.file, thing.number)
                    self._register(function, entry, site.file, call.place, call.block, name)

    def _functions(self, file: int, call: Call, value: Value) -> list[Thing]:
        """Return the functions that a handed over value may be: all of them, if a table's."""
        written = cells(value, call, self._names.files[file], self._names.scopes[file])
        spots = written or [Cell(value, call.block, call.number)]
        things = [t for spot in spots for t in self._names.evaluate(file, *spot)]
        found = [thing for thing in things if thing.kind in {"function", "generator"}]
        return list(dict.fromkeys(found))

    def _entries(self, file: int, call: Call, things: Things) -> list[Callback]:
        """Return what is known of handing a function to this call."""
        entries: dict[Callback, None] = {}
        for thing in things:
            if thing.kind == "external":
                entries.update(dict.fromkeys(self._knowledge.callbacks("call", thing.path)))
            elif thing.kind == "class":
                for base in self._names.classes.external_bases(thing.file, thing.number):
                    entries.update(dict.fromkeys(self._knowledge.callbacks("call", base)))
        unknown = not entries and "." in call.func
        if unknown and not any(thing.kind in _SCANNED for thing in things):
            last = call.func.rpartition(".")[2]
            entries = dict.fromkeys(self._knowledge.callbacks("method", last))
        if entries and call.func.endswith(".run_in_executor") and call.args:
            pools = self._names.evaluate(file, call.args[0], call.block, call.number)
            if any(pool.path.endswith("ProcessPoolExecutor()") for pool in pools):
                return [replace(entry, runs="process") for entry in entries]
        return list(entries)

    def _register_decorators(self, file: int, function: Function) -> None:
        for decorator in function.decorators:
            things, ref = self._decorator(file, function, decorator)
            entries: dict[Callback, None] = {}
            for thing in things:
                if thing.kind == "external":
                    path = thing.path.removesuffix("()")
                    entries.update(dict.fromkeys(self._knowledge.callbacks("decorator", path)))
                elif thing.kind == "function":
                    if self._makes_async(thing):
                        self.asynchronous.add(function.number)
                    entries.update(dict.fromkeys(self._offloading(thing)))
            if not entries and "." in ref:
                last = ref.rpartition(".")[2]
                entries = dict.fromkeys(self._knowledge.callbacks("decorator_method", last))
            for entry in entries:
                if entry.kind == "offload":
                    self.asynchronous.add(function.number)
                self._register(
                    (file, function.number), entry, file, function.place, function.outer, ref
                )

    def _decorator(self, file: int, function: Function, value: Value) -> tuple[Things, str]:
        """Return what decorates: the library's function, or the project's after ``(options)``."""
        ref = value.ref
        if ref.startswith("@") and ref[1:].isdigit():
            call = self._names.files[file].calls[int(ref[1:])]
            things = self._names.callee(file, call)
            if any(thing.kind == "function" for thing in things):
                things = self._names.result(file, call.number)
            return things, call.func
        return self._names.evaluate(file, value, function.outer, 1 << 30), ref

    def _offloading(self, decorator: Thing) -> list[Callback]:
        """Return how a scanned decorator's wrapper hands the function to threads, if it does."""
        facts = self._names.files[decorator.file]
        params = facts.functions[decorator.number].params
        if not params:
            return []
        scopes = self._names.scopes[decorator.file]
        found: list[Callback] = []
        for function in scopes.within(decorator.number):
            for number in scopes.calls.get(function, ()):
                call = facts.calls[number]
                if params[-1].name in call.names:
                    things = self._names.callee(decorator.file, call)
                    found += [
                        replace(entry, kind="offload")
                        for entry in self._entries(decorator.file, call, things)
                        if entry.runs in _ELSEWHERE
                        and any(
                            params[-1].name in _functions_in(value, facts)
                            for _, value in _handed_over(call, entry)
                        )
                    ]
        return found

    def _makes_async(self, decorator: Thing) -> bool:
        """Tell whether a scanned decorator wraps functions into coroutines."""
        functions = self._names.files[decorator.file].functions
        inner = self._names.scopes[decorator.file].within(decorator.number)
        return any(functions[number].is_async for number in inner)

    def _register_overrides(self, file: int, cls: int) -> None:
        methods = self._names.scopes[file].methods.get(cls, {})
        for base in self._names.classes.external_bases(file, cls):
            for entry in self._knowledge.callbacks("override", base):
                for name in entry.methods:
                    if name in methods:
                        function = self._names.files[file].functions[methods[name]]
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
        self.registrations.append(Registration(function, entry, file, place, block, name))


def _handed_over(call: Call, entry: Callback) -> Iterator[tuple[str, Value]]:
    """Yield the callables that a call hands over, each with the name to use in messages."""
    for position in entry.arguments:
        if position < len(call.args):
            yield call.func.rpartition(".")[2], call.args[position]
    for keyword, value in call.keywords:
        if keyword in entry.keywords:
            yield keyword, value


def _functions_in(value: Value, facts: FileFacts) -> set[str]:
    """Return the names of the functions that a handed over value may run."""
    if value.kind == "lambda":
        block = facts.blocks[value.block]
        return {call.func for call in facts.calls if call.block == block.number}
    if value.ref.startswith("@"):  # partial(function, ...)
        return set(value.names)
    return {value.ref}
