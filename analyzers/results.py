"""What calls give: constructors, factories, return types, and what callers pass as parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from perfscan.analyzers.facts import Call, Function, Value
from perfscan.analyzers.members import ELEMENT_METHODS, SAME_METHODS
from perfscan.analyzers.sites import argument_of
from perfscan.analyzers.things import (
    Thing,
    Things,
    container_of,
    held_by,
    iterated,
    tuple_of,
    union,
)

if TYPE_CHECKING:
    from perfscan.analyzers.names import Names

_SAME = (
    "asyncio.wait_for", "asyncio.create_task", "asyncio.ensure_future", "asyncio.shield",
    "copy.copy", "copy.deepcopy", "builtins.iter", "contextlib.closing", "contextlib.aclosing",
    "contextlib.nullcontext", "functools.partial",
)  # fmt: skip
"""What gives its first argument back."""

_LISTS = (
    "builtins.list", "builtins.tuple", "builtins.set", "builtins.sorted", "builtins.reversed",
    "builtins.frozenset", "collections.deque", "itertools.cycle", "itertools.chain",
)  # fmt: skip
"""What holds the items of its arguments."""

_FIELDS = (
    "dataclasses.field", "attr.ib", "attr.attrib", "attr.field", "attrs.field", "pydantic.Field",
    "pydantic.PrivateAttr", "pydantic.fields.Field", "sqlmodel.Field",
)  # fmt: skip

_STACKS = ("contextlib.ExitStack()", "contextlib.AsyncExitStack()")
_OF_CLASS = frozenset({"__new__", "__init_subclass__", "__class_getitem__"})
_END = 1 << 30

_Answer = Callable[[int, Call], Things]


class Results:
    """The half of ``Names`` that looks through calls."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._known: dict[str, _Answer] = {
            "builtins.super": self._super,
            "builtins.getattr": self._getattr,
            "builtins.next": self._next,
            "builtins.dict": self._dict,
            "builtins.zip": self._zip,
            "builtins.enumerate": self._enumerate,
            "collections.defaultdict": self._defaultdict,
            "typing.cast": self._cast,
            "typing.NewType": lambda file, call: self._type(file, call, call.args[1:]),
            "typing.TypeVar": self._type_variable,
            "asyncio.gather": self._gather,
            "asyncio.to_thread": self._offloaded,
            "anyio.to_thread.run_sync": self._offloaded,
            "attr.Factory": self._made_by_first,
            "attrs.Factory": self._made_by_first,
            "fastapi.Depends": self._dependency,
            **dict.fromkeys(_SAME, self._first),
            **dict.fromkeys(_LISTS, self._list),
            **dict.fromkeys(_FIELDS, self._field),
            **{f"{stack}.enter_context": self._enter for stack in _STACKS},
            **{f"{stack}.enter_async_context": self._enter for stack in _STACKS},
        }
        self._roots = frozenset(path.partition(".")[0] for path in self._known)

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
            return self._accessed(thing.path, thing.items[0])
        return ()

    @staticmethod
    def _accessed(method: str, holder: Thing) -> Things:
        """Return what a method of a container gives."""
        if method in ELEMENT_METHODS:
            return held_by(holder)
        if method not in SAME_METHODS:
            return ()
        if method == "items":
            return (container_of((tuple_of(((), held_by(holder))),)),)
        if method == "keys":
            return (container_of((), "dict"),)
        return (container_of(held_by(holder), holder.path if method == "copy" else ""),)

    # Libraries.

    def _called_outside(self, file: int, call: Call, path: str) -> Things:
        if path.partition(".")[0] in self._roots:
            answer = self._known.get(path)
            found = answer(file, call) if answer else ()
            if found:
                return found
        if path.endswith(".run_in_executor"):
            return self._offloaded(file, call, 1)
        return (self._names.external(f"{path}()"),)

    def _evaluate(self, file: int, call: Call, value: Value | None) -> Things:
        if value is None:
            return ()
        return self._names.evaluate(file, value, call.block, call.number)

    def _argument(self, file: int, call: Call, position: int = 0, keyword: str = "") -> Things:
        for name, value in call.keywords:
            if name == keyword:
                return self._evaluate(file, call, value)
        return self._evaluate(file, call, call.args[position]) if position < len(call.args) else ()

    def _elements(self, file: int, call: Call, position: int) -> Things:
        things = self._argument(file, call, position)
        return union(self.iterated(thing) for thing in things)

    def _first(self, file: int, call: Call) -> Things:
        return self._argument(file, call)

    def _list(self, file: int, call: Call) -> Things:
        items = union(self._elements(file, call, index) for index in range(len(call.args)))
        return (container_of(items),) if items else ()

    def _dict(self, file: int, call: Call) -> Things:
        given = union(self._evaluate(file, call, value) for _, value in call.keywords)
        if given:
            return (container_of(given, "dict"),)
        copied = [thing for thing in self._argument(file, call) if thing.kind == "container"]
        return tuple(copied)

    def _defaultdict(self, file: int, call: Call) -> Things:
        made = self._made_by_first(file, call)
        return (Thing("external", "collections.defaultdict()", -1, -1, made),) if made else ()

    def _zip(self, file: int, call: Call) -> Things:
        parts = [self._elements(file, call, index) for index in range(len(call.args))]
        return (container_of((tuple_of(parts),)),) if any(parts) else ()

    def _enumerate(self, file: int, call: Call) -> Things:
        items = self._elements(file, call, 0)
        return (container_of((tuple_of(((), items)),)),) if items else ()

    def _gather(self, file: int, call: Call) -> Things:
        parts = [self._evaluate(file, call, value) for value in call.args if value.kind != "star"]
        return (tuple_of(parts),) if any(parts) and len(parts) == len(call.args) else ()

    def _next(self, file: int, call: Call) -> Things:
        return self._elements(file, call, 0)

    def _getattr(self, file: int, call: Call) -> Things:
        if len(call.args) < 2:
            return ()
        name = call.args[1].const
        step = name if isinstance(name, str) else "[]"
        return union(self._names.member(t, step) for t in self._argument(file, call))

    def _cast(self, file: int, call: Call) -> Things:
        kinds = self._names.declared.classes(file, call.args[0], call.block) if call.args else ()
        return union(self.called(file, call, kind) for kind in kinds)

    def _type(self, file: int, call: Call, kinds: tuple[Value, ...]) -> Things:
        return union(self._names.declared.classes(file, kind, call.block) for kind in kinds)

    def _type_variable(self, file: int, call: Call) -> Things:
        bound = tuple([value for name, value in call.keywords if name == "bound"])
        return self._type(file, call, bound or call.args[1:])

    def _offloaded(self, file: int, call: Call, position: int = 0) -> Things:
        """Return what a function gives that a thread runs and whose result is awaited."""
        return union(self.called(file, call, t) for t in self._argument(file, call, position))

    def _made_by_first(self, file: int, call: Call) -> Things:
        return self._offloaded(file, call)

    def _dependency(self, file: int, call: Call) -> Things:
        """Return what FastAPI injects: the result of a dependency, or what it yields."""
        made = self._offloaded(file, call)
        return union(held_by(t) if t.kind == "generator" else (t,) for t in made)

    def _field(self, file: int, call: Call) -> Things:
        """Return what a field of a dataclass, attrs or pydantic class starts with."""
        given = dict(call.keywords)
        factory = given.get("default_factory") or given.get("factory")
        if factory is not None:
            things = self._evaluate(file, call, factory)
            return union(self.called(file, call, thing) for thing in things)
        if "type" in given:
            kinds = self._type(file, call, (given["type"],))
            return union(self.called(file, call, kind) for kind in kinds)
        return self._argument(file, call, 0, "default")

    def _enter(self, file: int, call: Call) -> Things:
        return union(self.entered(thing) for thing in self._argument(file, call))

    def _super(self, file: int, call: Call) -> Things:
        facts = self._names.files[file]
        function = facts.blocks[call.block].function
        while function >= 0:
            owner = facts.functions[function].owner
            if owner >= 0:
                return (Thing("super", "", file, owner),)
            function = facts.functions[function].parent
        return ()

    # Protocols of the language.

    def entered(self, thing: Thing) -> Things:
        """Return what ``with`` binds: the result of ``__enter__``, else the thing itself."""
        if thing.kind == "instance":
            for name in ("__aenter__", "__enter__"):
                for method in self._names.classes.method(thing.file, thing.number, name):
                    returned = self.returned(method)
                    if returned:
                        return returned
        return (thing,)

    def iterated(self, thing: Thing) -> Things:
        """Return what iterating over ``thing`` gives."""
        if thing.kind == "external":
            return thing.items or self._names.member(thing, "[]")
        if thing.kind != "instance":
            return iterated(thing)
        classes = self._names.classes
        for name in ("__iter__", "__aiter__"):
            for method in classes.method(thing.file, thing.number, name):
                found = union(held_by(t) for t in self.returned(method) if t.kind == "generator")
                if found:
                    return found
        for name in ("__next__", "__anext__", "__getitem__"):
            for method in classes.method(thing.file, thing.number, name):
                return self.returned(method)
        return ()

    # Functions.

    def returned(self, thing: Thing) -> Things:
        """Return what a scanned function may return (or, as a context manager, yield)."""
        return self._names.memo.once(
            ("returned", thing.file, thing.number), lambda: self._returned(thing)
        )

    def _returned(self, thing: Thing) -> Things:
        facts = self._names.files[thing.file]
        function = facts.functions[thing.number]
        managed = any("contextmanager" in item.ref for item in function.decorators)
        generates = function.is_generator and not managed
        if function.returns is not None:
            declared = self._names.declared.instances(thing.file, function.returns, function.outer)
            if declared and managed:
                return union(held_by(t) if t.kind == "container" else (t,) for t in declared)
            if declared and not generates:
                return declared
        kind = "yield" if function.is_generator else "return"
        found = union(
            self._names.evaluate(thing.file, jump.value, jump.block, _END)
            for jump in self._names.scopes[thing.file].jumps.get(thing.number, ())
            if jump.kind == kind and jump.value is not None
        )
        return (Thing("generator", "", thing.file, thing.number, found),) if generates else found

    def wrappers(self, thing: Thing) -> Things:
        """Return what the project's own decorators put in the place of a function."""
        function = self._names.files[thing.file].functions[thing.number]
        if not function.decorators:
            return ()
        return self._names.memo.once(
            ("wrappers", thing.file, thing.number), lambda: self._wrappers(thing.file, function)
        )

    def _wrappers(self, file: int, function: Function) -> Things:
        return union(
            self.returned(decorator)
            for item in function.decorators
            for decorator in self._names.evaluate(file, item, function.outer, _END)
            if decorator.kind == "function"
        )

    def called_parameters(self, thing: Thing) -> Things:
        """Return the parameters that a function calls, or hands to a function that does."""
        function = self._names.files[thing.file].functions[thing.number]
        if not function.params:
            return ()
        return self._names.memo.once(
            ("called", thing.file, thing.number),
            lambda: tuple(self._called_parameters(thing, function)),
        )

    def _called_parameters(self, thing: Thing, function: Function) -> Iterator[Thing]:
        params = {param.name: index for index, param in enumerate(function.params)}
        facts = self._names.files[thing.file]
        found: set[int] = set()
        for number in self._names.scopes[thing.file].calls.get(thing.number, ()):
            call = facts.calls[number]
            if call.func in params:
                found.add(params[call.func])
            elif not params.keys().isdisjoint(call.names):
                found.update(self._handed_on(thing.file, call, params))
        for index in sorted(found):
            yield Thing("parameter", "", thing.file, index)

    def _handed_on(self, file: int, call: Call, params: dict[str, int]) -> Iterator[int]:
        values = (*call.args, *[value for _, value in call.keywords])
        if not any(value.ref in params for value in values):
            return
        for target in self._names.callee(file, call):
            if target.kind == "function":
                function = self._names.files[target.file].functions[target.number]
                for called in self.called_parameters(target):
                    param = function.params[called.number]
                    value = argument_of(call, function, called.number, param.name)
                    if value is not None and value.ref in params:
                        yield params[value.ref]

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
            declared = self._names.declared.instances(file, param.annotation, facts.outer)
            if declared:
                several = {"args": "", "kwargs": "dict"}
                if param.kind in several:
                    return (container_of(declared, several[param.kind]),)
                return declared
        decorators = {item.ref for item in facts.decorators}
        if position == 0 and facts.owner >= 0 and "staticmethod" not in decorators:
            kind = "class" if "classmethod" in decorators or facts.name in _OF_CLASS else "instance"
            return (Thing(kind, "", file, facts.owner),)
        if param.kind in {"args", "kwargs"}:
            return ()
        default: Things = ()
        if param.default is not None:
            default = self._names.evaluate(file, param.default, facts.outer, _END)
        return union((default, self._names.arguments_of(file, function, position)))
