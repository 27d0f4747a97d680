"""Names to what they mean: imports, locals, attributes, factories, return types, parameters."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from perfscan.analyzers.facts import Assign, Call, FileFacts, Function, Value
from perfscan.analyzers.knowledge import Knowledge
from perfscan.analyzers.modules import Modules, Parts
from perfscan.analyzers.scopes import Binding, FileScopes

_BUILTINS = frozenset(dir(builtins))
_MAX_DEPTH = 40
_MAX_THINGS = 6
_MAX_PATH = 160
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


class Thing(NamedTuple):
    """What a name may mean.

    kind: ``external`` (path: ``requests.Session().get``), ``module`` (path: dotted parts),
    ``function``, ``class``, ``instance`` (of a scanned class; file and number point to it),
    ``container`` (items), ``accessor`` (a method of a container), ``super``.
    """

    kind: str
    path: str = ""
    file: int = -1
    number: int = -1
    items: tuple[Thing, ...] = ()


Things = tuple[Thing, ...]

ArgumentsOf = Callable[[int, int, int], Things]
"""(file, function, parameter) to what callers pass; empty until the call graph is known."""


class Names:
    """Resolves values of the scanned files. Answers are memoised."""

    def __init__(self, files: Sequence[FileFacts], modules: Modules, knowledge: Knowledge) -> None:
        self.files = files
        self.modules = modules
        self.knowledge = knowledge
        self.scopes = [FileScopes(facts) for facts in files]
        self.arguments_of: ArgumentsOf = lambda file, function, position: ()
        self._memo: dict[tuple[object, ...], Things] = {}
        self._depth = 0

    def forget(self) -> None:
        """Drop the answers that came to nothing, because callers have become known."""
        self._memo = {key: things for key, things in self._memo.items() if things}

    # Values.

    def evaluate(self, file: int, value: Value, block: int, order: int) -> Things:
        """Return what ``value`` may mean in ``block`` after ``order`` calls were evaluated."""
        kind = value.kind
        if kind == "ref":
            return self.resolve(file, value.ref, block, order)
        if kind in {"list", "tuple", "set", "dict"}:
            items = self._union(self.evaluate(file, item, block, order) for item in value.items[:8])
            return (Thing("container", "", file, -1, items),)
        if kind == "comp":
            items = self.evaluate(file, value.items[0], value.block, order)
            return (Thing("container", "", file, -1, items),)
        if kind in {"boolean", "conditional"}:
            return self._union(self.evaluate(file, item, block, order) for item in value.items)
        if kind == "element":
            return self._union(
                self.member(thing, "[]")
                for thing in self.evaluate(file, value.items[0], block, order)
            )
        if kind == "lambda":
            index = self.scopes[file].function_of_block[value.block]
            return (Thing("function", "", file, index),)
        if kind == "star":
            return self.evaluate(file, value.items[0], block, order)
        if kind == "binary" and value.ref == "Div":  # a path stays a path
            left = self.evaluate(file, value.items[0], block, order)
            return tuple([thing for thing in left if thing.path.startswith("pathlib.")])
        if kind in {"const", "fstring"} and value.const is not None:
            return (Thing("external", f"builtins.{type(value.const).__name__}()"),)
        return ()

    def resolve(self, file: int, ref: str, block: int, order: int) -> Things:
        """Return what a reference may mean."""
        base, *rest = ref.split(".")
        if base.startswith("@"):
            things = self.result(file, int(base[1:]))
        elif base.startswith("$"):
            things = (Thing("external", f"builtins.{base[1:]}()"),)
        else:
            things = self.lookup(file, base, block, order)
        for name in rest:
            if not things:
                return ()
            things = self._union(self.member(thing, name) for thing in things)
        return things

    def callee(self, file: int, call: Call) -> Things:
        """Return what ``call`` may call."""
        key = ("callee", file, call.number)
        return self._once(key, lambda: self.resolve(file, call.func, call.block, call.number))

    def result(self, file: int, index: int) -> Things:
        """Return what call number ``index`` may return; ``await`` is transparent."""
        call = self.files[file].calls[index]
        return self._once(
            ("result", file, index),
            lambda: self._union(
                self._called(file, call, thing) for thing in self.callee(file, call)
            ),
        )

    def _once(self, key: tuple[object, ...], compute: Callable[[], Things]) -> Things:
        known = self._memo.get(key)
        if known is not None:
            return known
        if self._depth >= _MAX_DEPTH:
            return ()
        self._memo[key] = ()  # recursion finds nothing new
        self._depth += 1
        try:
            self._memo[key] = answer = compute()
        finally:
            self._depth -= 1
        return answer

    def _union(self, groups: Iterable[Things]) -> Things:
        found: dict[Thing, None] = {}
        for group in groups:
            for thing in group:
                found[thing] = None
        return tuple(found)[:_MAX_THINGS]

    # Names.

    def lookup(self, file: int, name: str, block: int, order: int) -> Things:
        """Return what a plain name may mean in ``block``."""
        blocks = self.files[file].blocks
        table = self.scopes[file].table
        home = blocks[block].function
        scope = blocks[block].scope
        first = True
        while scope >= 0:
            if (first or blocks[scope].kind != "class") and name in table.get(scope, ()):
                bindings = table[scope][name]
                # Within the running function the order of statements is known; elsewhere all count.
                if blocks[scope].function == home and (home >= 0 or len(bindings) > 1):
                    bindings = self._reaching(file, bindings, block, order)
                return self._union(self.bound(file, binding) for binding in bindings)
            first = False
            scope = blocks[blocks[scope].parent].scope if blocks[scope].parent >= 0 else -1
        return self._from_outside(file, name)

    def _reaching(
        self, file: int, bindings: list[Binding], block: int, order: int
    ) -> list[Binding]:
        """Return the bindings that may hold at this point, in straight-line code the last."""
        if len(bindings) == 1:
            return bindings
        blocks, assigns = self.files[file].blocks, self.files[file].assigns
        around: set[int] = set()
        at = block
        while at >= 0:
            around.add(at)
            at = blocks[at].parent
        reaching: list[Binding] = []
        for binding in reversed(bindings):
            if binding.kind == "assign" and assigns[binding.number].order > order:
                continue
            reaching.append(binding)
            settled = binding.block in around and binding.kind != "param"
            if settled and not self._is_note(file, binding):
                return reaching
        return reaching or bindings

    def _is_note(self, file: int, binding: Binding) -> bool:
        """Tell whether a binding changes a value (``+=``) or only annotates it."""
        return binding.kind == "assign" and self.files[file].assigns[binding.number].op not in {
            "=", "for", "with", ":=", "except",
        }  # fmt: skip

    def bound(self, file: int, binding: Binding) -> Things:
        """Return what one binding gives its name."""
        if binding.kind == "function":
            return (Thing("function", "", file, binding.number),)
        if binding.kind == "class":
            return (Thing("class", "", file, binding.number),)
        if binding.kind == "import":
            return self._imported(file, binding.number)
        if binding.kind == "param":
            return self.parameter(file, binding.number, binding.extra)
        assign = self.files[file].assigns[binding.number]
        return self._once(("assign", file, binding.number), lambda: self.assigned(file, assign))

    def assigned(self, file: int, assign: Assign) -> Things:
        """Return what one assignment gives its target."""
        if assign.op == "del":
            return ()
        if assign.annotation is not None:
            declared = self.instances(file, assign.annotation, assign.block)
            if declared:
                return declared
        # Calls on the right-hand side are numbered below ``order``.
        things = self.evaluate(file, assign.value, assign.block, assign.order)
        if assign.op == "with":
            return self._union(self._entered(thing) for thing in things)
        return things

    def _entered(self, thing: Thing) -> Things:
        """Return what ``with`` binds: the result of ``__enter__``, else the thing itself."""
        if thing.kind == "instance":
            for name in ("__aenter__", "__enter__"):
                for method in self.method(thing.file, thing.number, name):
                    returned = self.returned(method)
                    if returned:
                        return returned
        return (thing,)

    def _from_outside(self, file: int, name: str) -> Things:
        for entry in self.scopes[file].stars:
            parts, external = self._module_of(file, entry.module, entry.level)
            if parts is not None:
                found = self.member(Thing("module", ".".join(parts)), name)
                if found:
                    return found
            elif self.knowledge.effect(f"{external}.{name}") or self.knowledge.client(
                f"{external}.{name}"
            ):
                return (self.external(f"{external}.{name}"),)
        return (Thing("external", f"builtins.{name}"),) if name in _BUILTINS else ()

    def _imported(self, file: int, index: int) -> Things:
        entry = self.files[file].imports[index]
        return self._once(("import", file, index), lambda: self._import(file, *entry[:4]))

    def _import(self, file: int, module: str, name: str, bound: str, level: int) -> Things:
        parts, external = self._module_of(file, module, level)
        if not name:
            return (Thing("module", ".".join(parts)) if parts else self.external(external),)
        if parts is None:
            return (self.external(f"{external}.{name}"),) if external else ()
        return self.member(Thing("module", ".".join(parts)), name)

    def _module_of(self, file: int, module: str, level: int) -> tuple[Parts | None, str]:
        """Return the parts of a scanned module, or (None, the external module's name)."""
        if level:
            parts = self.modules.relative(file, self.files[file].path, level, module)
            found = parts if parts is not None and self.modules.exists(parts) else None
            return found, ""
        return self.modules.absolute(file, module), module

    def external(self, path: str) -> Thing:
        """Return an external thing under its canonical name."""
        return Thing("external", self.knowledge.canonical(path)[:_MAX_PATH])

    # Members.

    def member(self, thing: Thing, name: str) -> Things:
        """Return what ``thing.name`` may mean."""
        if thing.kind == "external":
            return (self.external(f"{thing.path}.{name}"),)
        if thing.kind == "module":
            return self._module_member(thing.path, name)
        if thing.kind in {"class", "instance", "super"}:
            key = ("member", thing, name)
            return self._once(key, lambda: self._class_member(thing, name))
        if thing.kind == "container":
            if name == "[]":
                return thing.items
            return (Thing("accessor", name, thing.file, -1, thing.items),)
        return ()

    def _module_member(self, dotted: str, name: str) -> Things:
        parts = tuple(dotted.split("."))
        file = self.modules.file(parts)
        if file >= 0:
            bindings = self.scopes[file].table.get(0, {}).get(name)
            if bindings:
                return self._once(
                    ("global", file, name),
                    lambda: self._union(self.bound(file, binding) for binding in bindings),
                )
        if self.modules.exists((*parts, name)):
            return (Thing("module", f"{dotted}.{name}"),)
        if file >= 0 and self.scopes[file].stars:
            return self._once(("star", file, name), lambda: self._from_outside(file, name))
        return ()

    def _class_member(self, thing: Thing, name: str) -> Things:
        lineage = self.lineage(thing.file, thing.number)
        bound = thing.kind != "class"
        for file, cls in lineage[1:] if thing.kind == "super" else lineage:
            method = self.scopes[file].methods.get(cls, {}).get(name)
            if method is not None:
                found = Thing("function", "", file, method)
                if bound and _is_property(self.files[file].functions[method]):
                    return self.returned(found)
                return (found,)
            values = self._attribute(file, cls, name)
            if values:
                return values
        outside = self._external_bases(thing.file, thing.number)
        suffix = "()" if bound else ""
        if outside:
            return self._union((self.external(f"{path}{suffix}.{name}"),) for path in outside)
        return self._below(thing, name) if bound else ()

    def _attribute(self, file: int, cls: int, name: str) -> Things:
        scopes = self.scopes[file]
        found: list[Things] = []
        body = self.files[file].classes[cls].block
        for binding in scopes.table.get(body, {}).get(name, ()):
            found.append(self.bound(file, binding))
        assigns = scopes.attributes.get(cls, {})
        for assign in assigns.get(name, ()):
            found.append(self.assigned(file, assign))
        held = [self.assigned(file, assign) for assign in assigns.get(f"{name}.[]", ())]
        items = self._union(held)
        if items:  # self.clients[key] = Client(): a container, whatever it was made by
            return (Thing("container", "", file, -1, items),)
        return self._union(found)

    def lineage(self, file: int, cls: int) -> tuple[tuple[int, int], ...]:
        """Return the class and its scanned bases, nearest first."""
        things = self._once(("lineage", file, cls), lambda: self._bases(file, cls))
        return ((file, cls), *[(t.file, t.number) for t in things if t.kind == "class"])

    def _bases(self, file: int, cls: int) -> Things:
        facts = self.files[file].classes[cls]
        found: dict[Thing, None] = {}
        for base in facts.bases:
            for thing in self.evaluate(file, base, facts.outer, 1 << 30):
                found[thing] = None
                if thing.kind == "class" and (thing.file, thing.number) != (file, cls):
                    inherited = self._once(
                        ("lineage", thing.file, thing.number),
                        lambda thing=thing: self._bases(thing.file, thing.number),  # type: ignore[misc]
                    )
                    found.update(dict.fromkeys(inherited))
        return tuple(found)

    def _external_bases(self, file: int, cls: int) -> list[str]:
        self.lineage(file, cls)
        things = self._memo.get(("lineage", file, cls), ())
        plain = ("builtins.", "typing.", "abc.", "enum.", "typing_extensions.")
        return [t.path for t in things if t.kind == "external" and not t.path.startswith(plain)]

    def external_bases(self, file: int, cls: int) -> list[str]:
        """Return the paths of the library classes that a scanned class derives from."""
        return self._external_bases(file, cls)

    def _below(self, thing: Thing, name: str) -> Things:
        """Return overrides in subclasses, for a base class that only declares the interface."""
        children = self._children().get((thing.file, thing.number), ())
        found: list[Things] = []
        for file, cls in children:
            method = self.scopes[file].methods.get(cls, {}).get(name)
            if method is not None:
                found.append((Thing("function", "", file, method),))
        return self._union(found)

    def _children(self) -> dict[tuple[int, int], list[tuple[int, int]]]:
        table: dict[tuple[int, int], list[tuple[int, int]]] | None = getattr(
            self, "_children_table", None
        )
        if table is None:
            table = {}
            self._children_table = table
            for file, facts in enumerate(self.files):
                for cls in facts.classes:
                    if cls.bases:
                        for base in self.lineage(file, cls.number)[1:]:
                            table.setdefault(base, []).append((file, cls.number))
        return table

    def method(self, file: int, cls: int, name: str) -> Things:
        """Return the method ``name`` of a scanned class or its scanned bases."""
        for home, index in self.lineage(file, cls):
            found = self.scopes[home].methods.get(index, {}).get(name)
            if found is not None:
                return (Thing("function", "", home, found),)
        return ()

    # Calls.

    def _called(self, file: int, call: Call, thing: Thing) -> Things:
        if thing.kind == "external":
            return self._called_outside(file, call, thing.path)
        if thing.kind == "class":
            return (Thing("instance", "", thing.file, thing.number),)
        if thing.kind == "function":
            return self.returned(thing)
        if thing.kind == "instance":
            return self._union(
                self.returned(method)
                for method in self.method(thing.file, thing.number, "__call__")
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
                return self.evaluate(file, argument, call.block, call.number)
            if path == "builtins.getattr" and len(call.args) > 1:
                name = call.args[1].const
                step = name if isinstance(name, str) else "[]"
                things = self.evaluate(file, argument, call.block, call.number)
                return self._union(self.member(thing, step) for thing in things)
            if path == "builtins.next":
                things = self.evaluate(file, argument, call.block, call.number)
                return self._union(self.member(thing, "[]") for thing in things)
            if path == "typing.cast" and len(call.args) > 1:
                return self.instances(file, argument, call.block)
            if path == "functools.partial":
                return self.evaluate(file, argument, call.block, call.number)
        if path == "dataclasses.field":
            factory = dict(call.keywords).get("default_factory")
            made = self.evaluate(file, factory, call.block, call.number) if factory else ()
            return self._union(self._called(file, call, thing) for thing in made)
        return (self.external(f"{path}()"),)

    def _super(self, file: int, call: Call) -> Things:
        facts = self.files[file]
        function = facts.blocks[call.block].function
        while function >= 0:
            owner = facts.functions[function].owner
            if owner >= 0:
                return (Thing("super", "", file, owner),)
            function = facts.functions[function].parent
        return ()

    def returned(self, thing: Thing) -> Things:
        """Return what a scanned function may return (or, as a context manager, yield)."""
        return self._once(("returned", thing.file, thing.number), lambda: self._returned(thing))

    def _returned(self, thing: Thing) -> Things:
        facts = self.files[thing.file]
        function = facts.functions[thing.number]
        if function.returns is not None:
            declared = self.instances(thing.file, function.returns, function.outer)
            if declared:
                return declared
        managed = any("contextmanager" in item.ref for item in function.decorators)
        kind = "yield" if function.is_generator else "return"
        found = self._union(
            self.evaluate(thing.file, jump.value, jump.block, 1 << 30)
            for jump in self.scopes[thing.file].jumps.get(thing.number, ())
            if jump.kind == kind and jump.value is not None
        )
        if function.is_generator and not managed and found:
            return (Thing("container", "", thing.file, -1, found),)
        return found

    def parameter(self, file: int, function: int, position: int) -> Things:
        """Return what a parameter may be: declared, ``self``, its default, or what callers pass."""
        return self._once(
            ("parameter", file, function, position),
            lambda: self._parameter(file, function, position),
        )

    def _parameter(self, file: int, function: int, position: int) -> Things:
        facts = self.files[file].functions[function]
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
            default = self.evaluate(file, param.default, facts.outer, 1 << 30)
        return self._union((default, self.arguments_of(file, function, position)))

    def instances(self, file: int, annotation: Value, block: int) -> Things:
        """Return instances of the annotated type; vague types (Any, object) give nothing."""
        if annotation.kind == "boolean":
            return self._union(self.instances(file, item, block) for item in annotation.items)
        if annotation.kind == "list":
            items = self.instances(file, annotation.items[0], block)
            return (Thing("container", "", file, -1, items),) if items else ()
        found: list[Things] = []
        for thing in self.resolve(file, annotation.ref, block, 1 << 30):
            if thing.kind == "class":
                found.append((Thing("instance", "", thing.file, thing.number),))
            elif thing.kind == "external" and not thing.path.startswith(_VAGUE):
                found.append((self.external(f"{thing.path}()"),))
        return self._union(found)


def _is_property(function: Function) -> bool:
    return any(
        item.ref in {"property", "cached_property", "functools.cached_property"}
        or item.ref.endswith(".setter")
        for item in function.decorators
    )
