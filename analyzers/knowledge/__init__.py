"""What is known of the libraries that bots use, and how to ask for it by canonical path."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from perfscan.analyzers.knowledge.loading import load_file
from perfscan.analyzers.knowledge.schema import (
    Callback,
    Client,
    Cost,
    Effect,
    Library,
    Runs,
    Timeout,
    method_pattern,
    name_pattern,
)

__all__ = [
    "Callback",
    "Client",
    "Cost",
    "Effect",
    "Knowledge",
    "Library",
    "Runs",
    "Timeout",
    "load_knowledge",
]


class Knowledge:
    """Answers questions about external paths such as ``requests.Session().get``.

    Paths are those of names.py: ``()`` marks a call, ``[]`` a subscript. Answers are memoised;
    nothing changes after construction.
    """

    def __init__(
        self,
        libraries: Iterable[Library],
        callbacks: Iterable[Callback] = (),
        own: Sequence[Library] = (),
    ) -> None:
        """``own`` is what a project says of single functions, its scanned ones among them."""
        self._own = [effect for library in own for effect in library.functions]
        self.libraries = (*libraries, *own)
        self.callback_entries = tuple(callbacks)
        self._aliases = dict(pair for library in self.libraries for pair in library.aliases)
        self._factories: dict[str, str] = {}
        self._functions: dict[str, Effect] = {}
        self._classes: dict[str, Client] = {}
        self._roles: dict[str, set[str]] = defaultdict(set)
        self._factory_patterns: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._function_patterns: dict[str, list[Effect]] = defaultdict(list)
        self._class_patterns: dict[str, list[Client]] = defaultdict(list)
        self._role_patterns: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for library in self.libraries:
            self._add(library)
        self._callbacks: dict[str, list[Callback]] = defaultdict(list)
        for callback in self.callback_entries:
            starred = "*" in callback.target
            self._callbacks["*" if starred else callback.target].append(callback)
        self.roots = frozenset(
            [name.partition(".")[0] for library in self.libraries for name in library.imports]
        )
        self._hosts = {library.name: library.host for library in self.libraries}
        self._canonical: dict[str, str] = {}
        self._effects: dict[str, Effect | None] = {}
        self._instances: dict[str, tuple[Client | None, str]] = {}
        self.property_names = frozenset(
            name.rpartition(".")[2]
            for library in self.libraries
            for client in library.classes
            for name in client.properties
        )
        """The last words of all properties that do I/O, to leave out the other attributes."""
        self._found_callbacks: dict[tuple[str, str], tuple[Callback, ...]] = {}
        self._with_role: dict[str, frozenset[str]] = {}
        self._found_roles: dict[str, frozenset[str]] = {}
        self._last_words: dict[str, frozenset[str]] = {}

    def _add(self, library: Library) -> None:
        for source, target in library.factories:
            if "*" in source:
                self._factory_patterns[_root(source)].append((source, target))
            else:
                self._factories[source] = target
        for function in library.functions:
            if "*" in function.path:
                self._function_patterns[_root(function.path)].append(function)
            else:
                self._functions[function.path] = function
        for client in library.classes:
            if "*" in client.name:
                self._class_patterns[_root(client.name)].append(client)
            else:
                self._classes[client.name] = client
        for role, pattern in library.roles:
            if "*" in pattern:
                self._role_patterns[_root(pattern)].append((role, pattern))
            else:
                self._roles[pattern].add(role)

    def canonical(self, path: str) -> str:
        """Return ``path`` with re-exports and factories rewritten to the defining names."""
        known = self._canonical.get(path)
        if known is None:
            known = path
            for _ in range(8):  # a cycle in the YAML must not hang a scan
                rewritten = self._rewrite(known)
                if rewritten == known:
                    break
                known = rewritten
            self._canonical[path] = known
        return known

    def _rewrite(self, path: str) -> str:
        for end in _ends(path):
            prefix, rest = path[:end], path[end:]
            alias = self._aliases.get(prefix)
            if alias is not None:
                return alias + rest
            if rest.startswith("()"):
                target = self._factory(prefix)
                if target is not None and target != prefix:
                    return target + rest
        return path

    def _factory(self, path: str) -> str | None:
        exact = self._factories.get(path)
        if exact is not None:
            return exact
        for pattern, target in self._factory_patterns.get(_root(path), ()):
            if name_pattern(pattern).fullmatch(path):
                return target
        return None

    def effect(self, path: str) -> Effect | None:
        """Return what calling ``path`` does, None when nothing is known of it."""
        if _root(path) not in self.roots:
            return None
        if path not in self._effects:
            self._effects[path] = self._effect(self.canonical(path))
        return self._effects[path]

    def _effect(self, path: str) -> Effect | None:
        function = self._functions.get(path)
        if function is None:
            for candidate in self._function_patterns.get(_root(path), ()):
                if name_pattern(candidate.path).fullmatch(path):
                    function = candidate
                    break
        if function is not None:
            return function
        built = self.client(path)
        if built is not None:
            return _effect_of(built, path) if built.constructor else None
        return self._member(path, of_property=False)

    def own_effect(self, name: Callable[[], str]) -> Effect | None:
        """Return what the project says of a scanned function, which is named when it matters."""
        if not self._own:
            return None
        path = name()
        stated = (e for e in self._own if name_pattern(e.path).fullmatch(path))
        return next(stated, None)

    def property_effect(self, path: str) -> Effect | None:
        """Return what merely reading the attribute ``path`` does."""
        if _root(path) not in self.roots:
            return None
        return self._member(self.canonical(path), of_property=True)

    def _member(self, path: str, *, of_property: bool) -> Effect | None:
        client, rest = self.instance(path)
        if client is None or not rest:
            return None
        if any(method_pattern(p).fullmatch(rest) for p in client.pure):
            return None
        patterns = client.properties if of_property else client.blocks
        if any(method_pattern(p).fullmatch(rest) for p in patterns):
            return _effect_of(client, path)
        return None

    def instance(self, path: str) -> tuple[Client | None, str]:
        """Split ``a.B().c.d`` into the known class ``a.B`` and the path ``c.d`` behind it."""
        if path not in self._instances:
            self._instances[path] = self._find_instance(self.canonical(path))
        return self._instances[path]

    def _find_instance(self, path: str) -> tuple[Client | None, str]:
        start = path.find("()")
        while start >= 0:
            client = self.client(path[:start])
            if client is not None:
                return client, path[start + 3 :]
            start = path.find("()", start + 2)
        return None, ""

    def client(self, path: str) -> Client | None:
        """Return the known class that ``path`` names (the class itself, not an instance)."""
        path = self.canonical(path)
        exact = self._classes.get(path)
        if exact is not None:
            return exact
        for client in self._class_patterns.get(_root(path), ()):
            if name_pattern(client.name).fullmatch(path):
                return client
        return None

    def roles(self, path: str) -> frozenset[str]:
        """Return the tags of ``path``: websocket_connect, metadata, backoff, ..."""
        if path not in self._found_roles:
            self._found_roles[path] = self._find_roles(self.canonical(path))
        return self._found_roles[path]

    def _find_roles(self, path: str) -> frozenset[str]:
        found = set(self._roles.get(path, ()))
        for role, pattern in self._role_patterns.get(_root(path), ()):
            if name_pattern(pattern).fullmatch(path):
                found.add(role)
        return frozenset(found)

    def last_words(self, role: str) -> frozenset[str]:
        """Return how the paths with a role end, to leave out other calls at a glance."""
        if role not in self._last_words:
            self._last_words[role] = frozenset(
                path.rpartition(".")[2]
                for library in self.libraries
                for name, path in library.roles
                if name == role
            )
        return self._last_words[role]

    def libraries_with(self, prefix: str) -> frozenset[str]:
        """Return the names of the libraries that have a role beginning with ``prefix``."""
        if prefix not in self._with_role:
            self._with_role[prefix] = frozenset(
                library.name
                for library in self.libraries
                if any(role.startswith(prefix) for role, _ in library.roles)
            )
        return self._with_role[prefix]

    def host_of(self, library: str) -> str:
        """Return the one server that a library talks to, "" when there is none such."""
        return self._hosts.get(library, "")

    def callbacks(self, how: str, target: str) -> tuple[Callback, ...]:
        """Return the callback entries of one sort for a path (or, for methods, a name)."""
        key = (how, target)
        if key not in self._found_callbacks:
            exact = [entry for entry in self._callbacks.get(target, ()) if entry.how == how]
            starred = [
                entry
                for entry in self._callbacks["*"]
                if entry.how == how and name_pattern(entry.target).fullmatch(target)
            ]
            self._found_callbacks[key] = (*exact, *starred)
        return self._found_callbacks[key]


def _effect_of(client: Client, path: str) -> Effect:
    return Effect(
        path,
        client.library,
        client.cost,
        client.is_async,
        client.replacement,
        client.timeout,
        client.evidence,
        on_instance=True,
    )


def _root(path: str) -> str:
    return path.partition(".")[0].partition("(")[0]


def _ends(path: str) -> list[int]:
    """Return where the prefixes of ``path`` end, longest first."""
    ends = [i for i, letter in enumerate(path) if letter == "."]
    ends += [i for i in range(len(path)) if path.startswith("()", i)]
    return sorted({*ends, len(path)}, reverse=True)


@lru_cache(maxsize=4)
def _load(paths: tuple[Path, ...], own: tuple[Library, ...]) -> Knowledge:
    libraries: list[Library] = []
    callbacks: list[Callback] = []
    for path in paths:
        more, calls = load_file(path)
        libraries += more
        callbacks += calls
    return Knowledge(libraries, callbacks, own)


SHIPPED = Path(__file__).parent
"""The folder of the YAML files that perfscan ships."""


def load_knowledge(more: Sequence[Path] = (), own: Sequence[Library] = ()) -> Knowledge:
    """Load the YAML files that perfscan ships, then ``more`` of them and a project's ``own``.

    Where two speak of the same call, the project's word counts. Raises InputError.
    """
    return _load((*sorted(SHIPPED.glob("*.yaml")), *more), tuple(own))
