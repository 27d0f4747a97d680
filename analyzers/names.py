"""Names to what they mean: imports, locals, attributes, factories, return types, parameters."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence

from perfscan.analyzers.classes import Classes
from perfscan.analyzers.facts import Assign, Call, FileFacts, Function, Value
from perfscan.analyzers.knowledge import Knowledge
from perfscan.analyzers.modules import Modules, Parts
from perfscan.analyzers.results import Results
from perfscan.analyzers.scopes import Binding, FileScopes
from perfscan.analyzers.things import Memo, Thing, Things, union

_BUILTINS = frozenset(dir(builtins))
_MAX_PATH = 160
_COMPUTING = ("pathlib.", "pandas.", "numpy.", "polars.")
"""Libraries whose operators give a value of the same kind."""

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
        self.memo = Memo()
        self.classes = Classes(files, self.scopes, self.evaluate)
        self._results = Results(self)

    def forget(self) -> None:
        """Drop the answers that came to nothing, because callers have become known."""
        self.memo.forget_nothings()

    def dissolve(self) -> None:
        """Cut the reference cycles; nothing can be asked afterwards."""
        vars(self).clear()

    # Values.

    def evaluate(self, file: int, value: Value, block: int, order: int) -> Things:
        """Return what ``value`` may mean in ``block`` after ``order`` calls were evaluated."""
        kind = value.kind
        if kind == "ref":
            return self.resolve(file, value.ref, block, order)
        if kind in {"list", "tuple", "set", "dict"}:
            items = union(self.evaluate(file, item, block, order) for item in value.items[:8])
            return (Thing("container", "", file, -1, items),)
        if kind == "comp":
            items = self.evaluate(file, value.items[0], value.block, order)
            return (Thing("container", "", file, -1, items),)
        if kind in {"boolean", "conditional"}:
            return union(self.evaluate(file, item, block, order) for item in value.items)
        if kind == "element":
            return union(
                self.member(thing, "[]")
                for thing in self.evaluate(file, value.items[0], block, order)
            )
        if kind == "lambda":
            index = self.scopes[file].function_of_block[value.block]
            return (Thing("function", "", file, index),)
        if kind == "star":
            return self.evaluate(file, value.items[0], block, order)
        if kind == "binary":  # a path stays a path, a table a table
            items = union(self.evaluate(file, item, block, order) for item in value.items)
            return tuple([thing for thing in items if thing.path.startswith(_COMPUTING)])
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
            things = union(self.member(thing, name) for thing in things)
        return things

    def callee(self, file: int, call: Call) -> Things:
        """Return what ``call`` may call."""
        key = ("callee", file, call.number)
        return self.memo.once(key, lambda: self.resolve(file, call.func, call.block, call.number))

    def result(self, file: int, index: int) -> Things:
        """Return what call number ``index`` may return; ``await`` is transparent."""
        call = self.files[file].calls[index]
        return self.memo.once(
            ("result", file, index),
            lambda: union(
                self._results.called(file, call, thing) for thing in self.callee(file, call)
            ),
        )

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
                return union(self.bound(file, binding) for binding in bindings)
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
            return self._results.parameter(file, binding.number, binding.extra)
        assign = self.files[file].assigns[binding.number]
        return self.memo.once(("assign", file, binding.number), lambda: self.assigned(file, assign))

    def assigned(self, file: int, assign: Assign) -> Things:
        """Return what one assignment gives its target."""
        if assign.op == "del":
            return ()
        if assign.annotation is not None:
            declared = self._results.instances(file, assign.annotation, assign.block)
            if declared:
                return declared
        # Calls on the right-hand side are numbered below ``order``.
        things = self.evaluate(file, assign.value, assign.block, assign.order)
        if assign.op == "with":
            return union(self._entered(thing) for thing in things)
        return things

    def _entered(self, thing: Thing) -> Things:
        """Return what ``with`` binds: the result of ``__enter__``, else the thing itself."""
        if thing.kind == "instance":
            for name in ("__aenter__", "__enter__"):
                for method in self.classes.method(thing.file, thing.number, name):
                    returned = self._results.returned(method)
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
        return self.memo.once(("import", file, index), lambda: self._import(file, *entry[:4]))

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
            return self.memo.once(key, lambda: self._class_member(thing, name))
        if thing.kind == "container":
            if name == "[]":
                return thing.items
            return (Thing("accessor", name, thing.file, -1, thing.items),)
        return ()

    def _module_member(self, dotted: str, name: str) -> Things:
        parts = tuple(dotted.split("."))
        file = self.modules.file(parts)
        if file >= 0:
            bindings = self.scopes[file].table.get(0, {}).get(name, ())
            found = self.memo.once(
                ("global", file, name),
                lambda: union(self.bound(file, binding) for binding in bindings),
            )
            if found:
                return found
        if self.modules.exists((*parts, name)):
            return (Thing("module", f"{dotted}.{name}"),)
        if file >= 0 and self.scopes[file].stars:
            return self.memo.once(("star", file, name), lambda: self._from_outside(file, name))
        return ()

    def _class_member(self, thing: Thing, name: str) -> Things:
        lineage = self.classes.lineage(thing.file, thing.number)
        bound = thing.kind != "class"
        for file, cls in lineage[1:] if thing.kind == "super" else lineage:
            method = self.scopes[file].methods.get(cls, {}).get(name)
            if method is not None:
                found = Thing("function", "", file, method)
                function = self.files[file].functions[method]
                if bound and _is_property(function):
                    return self._results.returned(found)
                if bound and _is_abstract(function):
                    return union([self.classes.overrides(file, cls, name), (found,)])
                return (found,)
            values = self._attribute(file, cls, name)
            if values:
                return values
        outside = self.classes.external_bases(thing.file, thing.number)
        suffix = "()" if bound else ""
        if outside:
            return union((self.external(f"{path}{suffix}.{name}"),) for path in outside)
        return self.classes.overrides(thing.file, thing.number, name) if bound else ()

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
        items = union(held)
        if items:  # self.clients[key] = Client(): a container, whatever it was made by
            return (Thing("container", "", file, -1, items),)
        return union(found)


def _is_property(function: Function) -> bool:
    return any(
        item.ref in {"property", "cached_property", "functools.cached_property"}
        or item.ref.endswith(".setter")
        for item in function.decorators
    )


def _is_abstract(function: Function) -> bool:
    return any(item.ref.rpartition(".")[2] == "abstractmethod" for item in function.decorators)
