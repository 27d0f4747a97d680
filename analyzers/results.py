"""What calls give: constructors, factories, return types, and what callers pass as parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.things import Thing, Things, union

if TYPE_CHECKING:
    from perfscan.analyzers.names import Names

_PASS_THROUGH = frozenset(
    {
        "asyncio.wait_for", "asyncio.create_task", "asyncio.ensure_future", "asyncio.shield",
        "copy.copy", "copy.deepcopy", "builtins.iter", "builtins.list", "builtins.tuple",
        "builtins.set", "builtins.sorted", "builtins.reversed", "builtins.frozenset",
        "contextlib.closing", "contextlib.aclosing", "builtins.enumerate",
    }
)  # fmt: skip
_ELEMENT_METHODS = frozenset(
    {"get", "pop", "popleft", "popitem", "setdefault", "[]", "__getitem__"}
)
_SAME_METHODS = frozenset({"values", "copy", "items"})
_VAGUE = ("typing.", "builtins.", "collections.abc.", "types.")
_END = 1 << 30


class Results:
    """The half of ``Names`` that looks through calls."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def called(self, file: int, call: Call, thing: Thing) -> Things:
        """Return what calling ``thing`` gives."""
        if thing.kind == "external":
            return self._called_outside(file, call, thing.path)
        if thing.kind == "class":
            return (Thing("instance", "", thing.file, thing.number),)
        if thing.kind == "function":
            return self.returned(thing)
        if thing.kind == "instance":
            return union(
                self.returned(method)
                for method in self._names.classes.method(thing.file, thing.number, "__call__")
            )
        if thing.kind == "accessor":
            if thing.path in _ELEMENT_METHODS:
                return thing.items
            if thing.path in _SAME_METHODS:
                return (Thing("container", "", thing.file, -1, thing.items),)
        return ()

    def _called_outside(self, file: int, call: Call, path: str) -> Things:
        argument = call.args[0] if call.args else None
        if path == "builtins.super":
            return self._super(file, call)
        if argument is not None:
            if path in _PASS_THROUGH:
                return self._names.evaluate(file, argument, call.block, call.number)
            if path == "builtins.getattr" and len(call.args) > 1:
                name = call.args[1].const
                step = name if isinstance(name, str) else "[]"
                things = self._names.evaluate(file, argument, call.block, call.number)
                return union(self._names.member(thing, step) for thing in things)
            if path == "builtins.next":
                things = self._names.evaluate(file, argument, call.block, call.number)
                return union(self._names.member(thing, "[]") for thing in things)
            if path == "typing.cast" and len(call.args) > 1:
                return self.instances(file, argument, call.block)
            if path == "functools.partial":
                return self._names.evaluate(file, argument, call.block, call.number)
        if path == "dataclasses.field":
            factory = dict(call.keywords).get("default_factory")
            made = self._names.evaluate(file, factory, call.block, call.number) if factory else ()
            return union(self.called(file, call, thing) for thing in made)
        return (self._names.external(f"{path}()"),)

    def _super(self, file: int, call: Call) -> Things:
        facts = self._names.files[file]
        function = facts.blocks[call.block].function
        while function >= 0:
            owner = facts.functions[function].owner
            if owner >= 0:
                return (Thing("super", "", file, owner),)
            function = facts.functions[function].parent
        return ()

    def returned(self, thing: Thing) -> Things:
        """Return what a scanned function may return (or, as a context manager, yield)."""
        return self._names.memo.once(
            ("returned", thing.file, thing.number), lambda: self._returned(thing)
        )

    def _returned(self, thing: Thing) -> Things:
        facts = self._names.files[thing.file]
        function = facts.functions[thing.number]
        if function.returns is not None:
            declared = self.instances(thing.file, function.returns, function.outer)
            if declared:
                return declared
        managed = any("contextmanager" in item.ref for item in function.decorators)
        kind = "yield" if function.is_generator else "return"
        found = union(
            self._names.evaluate(thing.file, jump.value, jump.block, 1 << 30)
            for jump in self._names.scopes[thing.file].jumps.get(thing.number, ())
            if jump.kind == kind and jump.value is not None
        )
        if function.is_generator and not managed and found:
            return (Thing("container", "", thing.file, -1, found),)
        return found

    def parameter(self, file: int, function: int, position: int) -> Things:
        """Return what a parameter may be: declared, ``self``, its default, or what callers pass."""
        return self._names.memo.once(
            ("parameter", file, function, position),
            lambda: self._parameter(file, function, position),
        )

    def _parameter(self, file: int, function: int, position: int) -> Things:
        facts = self._names.files[file].functions[function]
        param = facts.params[position]
        if param.annotation is not None:
            declared = self.instances(file, param.annotation, facts.outer)
            if declared:
                return declared
        decorators = {item.ref for item in facts.decorators}
        if position == 0 and facts.owner >= 0 and "staticmethod" not in decorators:
            kind = "class" if "classmethod" in decorators else "instance"
            return (Thing(kind, "", file, facts.owner),)
        if param.kind in {"args", "kwargs"}:
            return ()
        default: Things = ()
        if param.default is not None:
            default = self._names.evaluate(file, param.default, facts.outer, 1 << 30)
        return union((default, self._names.arguments_of(file, function, position)))

    def instances(self, file: int, annotation: Value, block: int) -> Things:
        """Return instances of the annotated type; vague types (Any, object) give nothing."""
        if annotation.kind == "boolean":
            return union(self.instances(file, item, block) for item in annotation.items)
        if annotation.kind == "list":
            items = self.instances(file, annotation.items[0], block)
            return (Thing("container", "", file, -1, items),) if items else ()
        found: list[Things] = []
        for thing in self._names.resolve(file, annotation.ref, block, 1 << 30):
            if thing.kind == "class":
                found.append((Thing("instance", "", thing.file, thing.number),))
            elif thing.kind == "external" and not thing.path.startswith(_VAGUE):
                found.append((self._names.external(f"{thing.path}()"),))
        return union(found)
