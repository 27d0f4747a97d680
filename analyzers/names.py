"""Names to what they mean: scopes, assignments, imports, and values built from them."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence

from perfscan.analyzers.classes import Classes
from perfscan.analyzers.declared import Declared
from perfscan.analyzers.facts import Assign, Call, FileFacts, Value
from perfscan.analyzers.knowledge import Knowledge
from perfscan.analyzers.members import Members, with_items
from perfscan.analyzers.modules import Modules, Parts
from perfscan.analyzers.results import Results
from perfscan.analyzers.scopes import Binding, FileScopes
from perfscan.analyzers.things import (
    Memo,
    Thing,
    Things,
    container_of,
    module_at,
    part_of,
    tuple_of,
    union,
)
from perfscan.analyzers.tracing import Trace, TracedFiles

_BUILTINS = frozenset(dir(builtins))
_COMPUTING = ("pathlib.", "pandas.", "numpy.", "polars.")
"""Libraries whose operators give a value of the same kind."""

_MAX_PATH = 160
_MAX_ITEMS = 8

ArgumentsOf = Callable[[int, int, int], Things]
"""(file, function, parameter) to what callers pass; empty until the call graph is known."""


class Names:
    """Resolves values of the scanned files. Answers are memoised."""

    def __init__(
        self, files: Sequence[FileFacts], modules: Modules, knowledge: Knowledge, trace: Trace
    ) -> None:
        self.files = files
        self.modules = modules
        self.knowledge = knowledge
        self.scopes = TracedFiles(len(files), lambda file: FileScopes(files[file]), trace)
        self.arguments_of: ArgumentsOf = lambda file, function, position: ()
        self.memo = Memo(trace)
        self.classes = Classes(files, self.scopes, self.evaluate, self.memo)
        self.declared = Declared(self)
        self.results = Results(self)
        self._members = Members(self)
        self.member = self._members.member
        self.property_of = self._members.property_of

    def dissolve(self) -> None:
        """Cut the reference cycles; nothing can be asked afterwards."""
        vars(self).clear()

    # Values.

    def evaluate(self, file: int, value: Value, block: int, order: int) -> Things:
        """Return what ``value`` may mean in ``block`` after ``order`` calls were evaluated."""
        kind = value.kind
        if kind == "ref":
            if value.items and value.ref.endswith(".[]"):
                return self._subscript(file, value, block, order)
            return self.resolve(file, value.ref, block, order)
        if kind == "const":
            if value.const is None:
                return ()
            return (Thing("external", f"builtins.{type(value.const).__name__}()"),)
        if kind == "tuple":
            return (tuple_of(self.evaluate(file, v, block, order) for v in value.items),)
        if kind in {"boolean", "conditional"}:
            return union(self.evaluate(file, item, block, order) for item in value.items)
        if kind in {"list", "set", "dict"}:
            items = union(
                self.evaluate(file, item, block, order) for item in value.items[:_MAX_ITEMS]
            )
            return (container_of(items, "dict" if kind == "dict" else ""),)
        if kind == "comp":
            items = self.evaluate(file, value.items[0], value.block, order)
            return (container_of(items, "dict" if value.ref == "dict" else ""),)
        if kind in {"element", "star"}:
            return union(
                self.results.iterated(thing)
                for thing in self.evaluate(file, value.items[0], block, order)
            )
        if kind == "part":
            position = value.const if isinstance(value.const, int) else 0
            things = self.evaluate(file, value.items[0], block, order)
            return union(part_of(thing, position) for thing in things)
        if kind == "lambda":
            index = self.scopes[file].function_of_block[value.block]
            return (Thing("function", "", file, index),)
        if kind == "binary":
            return self._binary(file, value, block, order)
        return ()

    def _binary(self, file: int, value: Value, block: int, order: int) -> Things:
        items = union(self.evaluate(file, item, block, order) for item in value.items)
        if value.ref == "BitOr" and not any("(" in thing.path for thing in items):
            return items  # of types: either of them
        # A path stays a path, a table a table.
        return tuple([thing for thing in items if thing.path.startswith(_COMPUTING)])

    def _subscript(self, file: int, value: Value, block: int, order: int) -> Things:
        index = value.items[0]
        things = self.resolve(file, value.ref[: -len(".[]")], block, order)
        if any(thing.path in self.declared.forms for thing in things):  # Optional[X], not x[0]
            inner = index.items if index.kind == "tuple" else (index,)
            return union(self.declared.classes(file, item, block) for item in inner)
        if isinstance(index.const, int) and any(thing.kind == "tuple" for thing in things):
            return union(part_of(thing, index.const) for thing in things)
        return union(self.member(thing, "[]") for thing in things)

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
            if len(things) == 1:
                things = self.member(things[0], name)
            else:
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
                self.results.called(file, call, thing) for thing in self.callee(file, call)
            ),
        )

    # Names.

    def lookup(self, file: int, name: str, block: int, order: int) -> Things:
        """Return what a plain name may mean in ``block``."""
        scopes = self.scopes[file]
        scope = scopes.scope_of(block, name)
        if scope < 0:
            return self._from_outside(file, name)
        blocks = self.files[file].blocks
        home = blocks[block].function
        bindings = scopes.table[scope][name]
        # Within the running function the order of statements is known; elsewhere all count.
        if blocks[scope].function == home and (home >= 0 or len(bindings) > 1):
            bindings = self._reaching(file, bindings, block, order)
        if len(bindings) == 1:
            things = self.bound(file, bindings[0])
        else:
            things = union(self.bound(file, binding) for binding in bindings)
        if name in scopes.held_by_name:
            things = with_items(things, self._held(file, name, scope))
        return things or self._said_of(file, name, scope, block, order)

    def _said_of(self, file: int, name: str, scope: int, block: int, order: int) -> Things:
        """Return what a bare ``name: Type`` or an ``isinstance`` says when its value does not."""
        assigns = self.files[file].assigns
        for binding in self.scopes[file].table[scope][name]:
            if binding.kind == "assign" and assigns[binding.number].op == ":":
                return self.bound(file, binding)
        return self.declared.narrowed(file, name, block, order)

    def _held(self, file: int, name: str, scope: int) -> Things:
        """Return what is put into the container that a name stands for."""
        scopes = self.scopes[file]
        return self.memo.once(
            ("held", file, scope, name),
            lambda: union(
                self.evaluate(file, held.value, held.block, held.order)
                for held in scopes.held_by_name[name][:_MAX_ITEMS]
                if scopes.scope_of(held.block, name) == scope
            ),
        )

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
            return self.results.parameter(file, binding.number, binding.extra)
        assign = self.files[file].assigns[binding.number]
        return self.memo.once(("assign", file, binding.number), lambda: self.assigned(file, assign))

    def assigned(self, file: int, assign: Assign) -> Things:
        """Return what one assignment gives its target."""
        if assign.op == "del":
            return ()
        if assign.annotation is not None:
            declared = self.declared.instances(file, assign.annotation, assign.block)
            if declared:
                return declared
            if isinstance(assign.value.const, str):  # Name: TypeAlias = "requests.Session"
                return self.declared.classes(file, assign.value, assign.block)
        # Calls on the right-hand side are numbered below ``order``.
        things = self.evaluate(file, assign.value, assign.block, assign.order)
        if assign.op == "with":
            return union(self.results.entered(thing) for thing in things)
        return things

    # Imports.

    def _from_outside(self, file: int, name: str) -> Things:
        for entry in self.scopes[file].stars:
            parts, external = self._module_of(file, entry.module, entry.level)
            if parts is not None:
                home = self.modules.file(parts)
                if home < 0 or self.scopes[home].exports(name):
                    found = self.member(module_at(parts), name)
                    if found:
                        return found
            elif self.knowledge.effect(f"{external}.{name}") or self.knowledge.client(
                f"{external}.{name}"
            ):
                return (self.external(f"{external}.{name}"),)
        return (Thing("external", f"builtins.{name}"),) if name in _BUILTINS else ()

    def from_star(self, file: int, name: str) -> Things:
        """Return what a star import of the module brings under ``name``."""
        if not self.scopes[file].stars:
            return ()
        return self.memo.once(("star", file, name), lambda: self._from_outside(file, name))

    def _imported(self, file: int, index: int) -> Things:
        entry = self.files[file].imports[index]
        return self.memo.once(("import", file, index), lambda: self._import(file, *entry[:4]))

    def _import(self, file: int, module: str, name: str, bound: str, level: int) -> Things:
        parts, external = self._module_of(file, module, level)
        if not name:
            return (module_at(parts) if parts else self.external(external),)
        if parts is None:
            return (self.external(f"{external}.{name}"),) if external else ()
        return self.member(module_at(parts), name)

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
