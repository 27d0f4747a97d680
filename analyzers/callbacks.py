"""Who runs a function that is handed over, decorated or overridden: loop, thread or caller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from perfscan.analyzers.facts import Call, Function, Place, Value
from perfscan.analyzers.knowledge import Callback
from perfscan.analyzers.names import Names
from perfscan.analyzers.sites import FunctionId, Site
from perfscan.analyzers.things import Thing, Things


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
        entries: dict[Callback, None] = {}
        for thing in site.things:
            if thing.kind == "external":
                entries.update(dict.fromkeys(self._knowledge.callbacks("call", thing.path)))
            elif thing.kind == "class":
                for base in self._names.classes.external_bases(thing.file, thing.number):
                    entries.update(dict.fromkeys(self._knowledge.callbacks("call", base)))
        if not entries and "." in call.func and not site.targets:
            last = call.func.rpartition(".")[2]
            entries = dict.fromkeys(self._knowledge.callbacks("method", last))
        for entry in entries:
            for name, value in _handed_over(call, entry):
                for thing in self._names.evaluate(site.file, value, call.block, call.number):
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
                    entries.update(dict.fromkeys(self._knowledge.callbacks("decorator", path)))
                elif thing.kind == "function" and self._makes_async(thing):
                    self.asynchronous.add(function.number)
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
        ref = value.ref
        if ref.startswith("@") and ref[1:].isdigit():
            call = self._names.files[file].calls[int(ref[1:])]
            return self._names.callee(file, call), call.func
        return self._names.evaluate(file, value, function.outer, 1 << 30), ref

    def _makes_async(self, decorator: Thing) -> bool:
        """Tell whether a scanned decorator wraps functions into coroutines."""
        functions = self._names.files[decorator.file].functions
        inner = [decorator.number]
        for function in functions:  # parents come first
            if function.parent in inner:
                inner.append(function.number)
                if function.is_async:
                    return True
        return False

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
