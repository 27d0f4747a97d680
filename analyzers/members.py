"""What ``thing.name`` means: attributes of modules, classes, instances, containers, libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfscan.analyzers.facts import Function
from perfscan.analyzers.things import Thing, Things, container_of, held_by, module_at, union

if TYPE_CHECKING:
    from perfscan.analyzers.names import Names

ELEMENT_METHODS = frozenset({"get", "pop", "popleft", "popitem", "setdefault", "__getitem__"})
SAME_METHODS = frozenset({"values", "copy", "items", "keys"})
_METHODS = ELEMENT_METHODS | SAME_METHODS

_HOLDERS = frozenset(
    {
        "builtins.list()", "builtins.set()", "builtins.dict()", "collections.deque()",
        "collections.defaultdict()", "collections.OrderedDict()", "queue.Queue()",
        "asyncio.Queue()", "weakref.WeakSet()", "weakref.WeakValueDictionary()",
    }
)  # fmt: skip
"""Containers of the standard library: what is put in comes out again."""

_MAX_ITEMS = 8
_MAX_CHILDREN = 20


def with_items(things: Things, items: Things) -> Things:
    """Return ``things``, the containers among them holding ``items``, too."""
    if not items:
        return things
    return tuple(
        [
            thing._replace(items=union((thing.items, items)))
            if thing.kind == "container" or thing.path in _HOLDERS
            else thing
            for thing in things
        ]
    )


def is_property(function: Function) -> bool:
    """Tell whether reading the attribute calls the function."""
    return any(
        item.ref.rpartition(".")[2] in {"property", "cached_property", "hybrid_property"}
        for item in function.decorators
    )


class Members:
    """The half of ``Names`` that looks behind dots and brackets."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def member(self, thing: Thing, name: str) -> Things:
        """Return what ``thing.name`` may mean."""
        kind = thing.kind
        if kind == "external":
            return self._external_member(thing, name)
        if kind == "module":
            return self._module_member(thing.path, name)
        if kind in {"class", "instance", "super"}:
            key = ("member", thing, name)
            return self._names.memo.once(key, lambda: self._class_member(thing, name))
        if kind in {"container", "tuple", "generator"}:
            if name == "[]":
                return held_by(thing)
            return (Thing("accessor", name, thing.file, -1, (thing,)),)
        return ()

    def _external_member(self, thing: Thing, name: str) -> Things:
        if thing.items:  # a container of the standard library
            if name == "[]":
                return thing.items
            if name in _METHODS:
                return (Thing("accessor", name, thing.file, -1, (container_of(thing.items),)),)
        return (self._names.external(f"{thing.path}.{name}"),)

    def _module_member(self, path: str, name: str) -> Things:
        names = self._names
        parts = tuple(path.split("/"))
        file = names.modules.file(parts)
        if file >= 0:
            bindings = names.scopes[file].table.get(0, {}).get(name, ())
            found = names.memo.once(
                ("global", file, name),
                lambda: union(names.bound(file, binding) for binding in bindings),
            )
            if found:
                return found
        if names.modules.exists((*parts, name)):
            return (module_at((*parts, name)),)
        return names.from_star(file, name) if file >= 0 else ()

    def _class_member(self, thing: Thing, name: str) -> Things:
        classes = self._names.classes
        lineage = classes.lineage(thing.file, thing.number)
        bound = thing.kind != "class"
        if name == "[]":
            name = "__getitem__" if bound else "__class_getitem__"
        for file, cls in lineage[1:] if thing.kind == "super" else lineage:
            found = self._of_class(file, cls, name, bound)
            if found:
                return found
        outside = classes.external_bases(thing.file, thing.number)
        suffix = "()" if bound else ""
        if outside:
            return union((self._names.external(f"{path}{suffix}.{name}"),) for path in outside)
        return self._from_below(thing, name) if thing.kind == "instance" else ()

    def _of_class(self, file: int, cls: int, name: str, bound: bool) -> Things:
        """Return what a class itself defines under ``name``."""
        names = self._names
        method = names.scopes[file].methods.get(cls, {}).get(name)
        if method is None:
            return self._attribute(file, cls, name)
        found = Thing("function", "", file, method)
        function = names.files[file].functions[method]
        if name == "__getitem__" or (bound and is_property(function)):
            return names.results.returned(found)
        if bound and self._is_open(file, cls, function):
            return union([names.classes.overrides(file, cls, name), (found,)])
        return (found,)

    def property_of(self, owner: Thing, name: str) -> Things:
        """Return the function that reading ``owner.name`` runs; nothing for plain attributes."""
        if owner.kind not in {"instance", "super"}:
            return ()
        names = self._names
        lineage = names.classes.lineage(owner.file, owner.number)
        for file, cls in lineage[1:] if owner.kind == "super" else lineage:
            method = names.scopes[file].methods.get(cls, {}).get(name)
            if method is not None:
                found = is_property(names.files[file].functions[method])
                return (Thing("function", "", file, method),) if found else ()
        return ()

    def _is_open(self, file: int, cls: int, function: Function) -> bool:
        """Tell whether a method only says that subclasses have one."""
        if any(item.ref.rpartition(".")[2] == "abstractmethod" for item in function.decorators):
            return True
        jumps = self._names.scopes[file].jumps.get(function.number, ())
        if function.statements <= 2 and any(jump.kind == "raise" for jump in jumps):
            return True
        return function.statements <= 2 and self._names.classes.is_protocol(file, cls)

    def _from_below(self, thing: Thing, name: str) -> Things:
        """Return what subclasses and their other bases know: the rest of a mixin's ``self``."""
        classes = self._names.classes
        found = classes.overrides(thing.file, thing.number, name)
        if found:
            return found
        known = set(classes.lineage(thing.file, thing.number))
        above = dict.fromkeys(
            other
            for child in classes.below(thing.file, thing.number)[:_MAX_CHILDREN]
            for other in classes.lineage(*child)
            if other not in known
        )
        return union(self._of_class(file, cls, name, True) for file, cls in above)

    def _attribute(self, file: int, cls: int, name: str) -> Things:
        names, scopes = self._names, self._names.scopes[file]
        found: list[Things] = []
        body = names.files[file].classes[cls].block
        for binding in scopes.table.get(body, {}).get(name, ()):
            found.append(names.bound(file, binding))
        for assign in scopes.attributes.get(cls, {}).get(name, ()):
            found.append(names.assigned(file, assign))
        things = union(found)
        held = scopes.held_by_attribute.get(cls, {}).get(name)
        if held is None:
            return things
        items = union(
            names.evaluate(file, put.value, put.block, put.order) for put in held[:_MAX_ITEMS]
        )
        holding = with_items(things, items)
        if items and holding == things and not any(thing.items for thing in things):
            return (container_of(items, "dict"),)  # self.clients[key] = ..., whatever made it
        return holding
