"""What is known of one library: the records that the YAML files become."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

Cost = Literal["network", "sleep", "subprocess", "database", "file", "cpu", "socket", "lock"]
Runs = Literal["loop", "thread", "process", "single", "caller"]
"""Who runs a callback that is no coroutine: ``single`` is one thread, call after call; ``caller``
whoever drives the library, which is not known."""
Evidence = Literal["wheel", "docs", "general"]


@dataclass(frozen=True, slots=True)
class Timeout:
    """A call's time limit: the default (None: waits for ever), the parameter, its unit."""

    default: float | None
    parameter: str
    unit: Literal["s", "ms"] = "s"
    at: Literal["call", "constructor"] = "call"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a call does to its caller: it blocks, or (``is_async``) it is awaited I/O."""

    path: str
    """Canonical path of what is called: ``requests.Session().get``."""
    library: str
    cost: Cost
    is_async: bool
    replacement: str
    timeout: Timeout | None
    evidence: Evidence
    on_instance: bool
    """A method of a client instance, or the construction of one."""

    @property
    def readable(self) -> str:
        """The path for people: ``requests.Session().get`` as ``requests.Session.get``."""
        plain = self.path.replace("().", ".").replace("**.", "").replace("**", "")
        return plain.replace(".[]", "[...]").removesuffix("()")


@dataclass(frozen=True, slots=True)
class Client:
    """A class whose instances do I/O."""

    name: str
    """One path; ``*`` stands for one identifier."""
    library: str
    cost: Cost
    is_client: bool
    """Building one per call throws a connection pool away (PS301, PS302)."""
    is_async: bool
    blocks: tuple[str, ...]
    pure: tuple[str, ...]
    constructor: bool
    properties: tuple[str, ...]
    replacement: str
    timeout: Timeout | None
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Callback:
    """Who runs a function that is passed by reference, decorated or overridden."""

    target: str
    """Full path pattern, method name, or class path, as ``how`` says."""
    how: Literal["call", "method", "decorator", "decorator_method", "override"]
    arguments: tuple[int, ...]
    keywords: tuple[str, ...]
    methods: tuple[str, ...]
    runs: Runs
    hot: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Library:
    """One entry of the YAML files."""

    name: str
    imports: tuple[str, ...]
    evidence: Evidence
    replacement: str
    aliases: tuple[tuple[str, str], ...]
    factories: tuple[tuple[str, str], ...]
    functions: tuple[Effect, ...]
    classes: tuple[Client, ...]
    roles: tuple[tuple[str, str], ...]
    """Pairs of role and path pattern."""
    host: str = ""
    """The one server that the library talks to, when there is just one: ``api.telegram.org``."""


@cache
def name_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a full path pattern: ``*`` is one identifier, ``**`` anything."""
    return _compile(pattern, r"[^.()]*")


@cache
def method_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern for the path behind an instance: ``*`` stops at parentheses only."""
    return _compile(pattern, r"[^()]*")


def _compile(pattern: str, star: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", pattern)
    swap = {"**": ".*", "*": star}
    return re.compile("".join(swap.get(part, re.escape(part)) for part in parts))
