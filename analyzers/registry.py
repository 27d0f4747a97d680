"""Rules: plain functions with a decorator, found by walking the package; no list to edit.

How to write a rule
-------------------
A rule is one module ``analyzers/rules/<name with underscores>.py`` with one decorated function::

    @rule("PS102", "blocking-sleep", Severity.CRITICAL, on=Call, fixable="safe")
    def blocking_sleep(call: Call, where: Where) -> Iterator[Hit]:
        '''Blocking sleep on the event loop. ...the manual, see Manual...'''
        effect = where.effect(call)
        if effect and effect.cost == "sleep" and where.on_loop(call.block):
            yield Hit(call.place, call.block, message="...", fix="...")

``on`` names what the function is asked about, once for each of them in the scan: a fact (``Call``,
``LibraryCall`` or ``EffectCall`` for some of the calls,
``Block``, ``Function``, ``Assign``, ``Jump``, ``Await``, ``Class``, ``Import``, ``Read``,
``Subscript``, ``Comparison``) or a tuple of them, ``FileFacts``
(once a file) or ``Program`` (once a scan; then ``where`` is the view of the first file and hits
name their file). ``where`` (context.Where) answers everything about names, types, loops, who runs
the code and how often. A rule that must know something of every file asks a survey (survey.py)
and never walks over ``program.files``. The engine adds id, name, path, symbol, fingerprint and the
``why``.
"""

from __future__ import annotations

import importlib
import pkgutil
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from perfscan.analyzers.facts import Place
from perfscan.analyzers.model import Confidence, Manual, RuleCard, Severity, TraceStep

if TYPE_CHECKING:
    from perfscan.analyzers.context import Where

_Rule = TypeVar("_Rule", bound=Callable[..., Iterator["Hit"]])

Thresholds = Mapping[tuple[str, str], int]
"""(rule name, limit name) to what a configuration sets it to."""

SECTIONS = (
    "What it does",
    "Why it costs a bot",
    "Example",
    "Use instead",
    "When it is fine",
)
"""The headings of every rule's docstring, in this order, each on a line of its own with a colon."""


class LibraryCall:
    """Stands in ``on`` for the calls that leave the scanned code: most rules need no other.

    The fact is a ``Call``. Plain built-ins without an effect (``len``, ``str.join``) are left out.
    """


class EffectCall:
    """Stands in ``on`` for the calls of which the knowledge base tells what they do."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that a rule found; the engine turns it into a Finding."""

    place: Place
    """Where the offending call or loop header stands: ``call.place``, ``block.place``."""
    block: int
    """The block it stands in, which gives the symbol."""
    message: str
    """What is wrong here, with the names of the user's code, one sentence."""
    fix: str
    """What to do, one imperative sentence."""
    severity: Severity | None = None
    """Instead of the rule's own."""
    confidence: Confidence = Confidence.DEFINITE
    trace: tuple[TraceStep, ...] = ()
    fixable: Literal["safe", "unsafe", "no"] | None = None
    """Instead of what the rule usually offers."""
    file: int | None = None
    """The index of the file when it is not the one that the rule was asked about."""
    text: str = ""
    """The path when it stands in one of ``program.texts``, not in a Python file."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the catalogue."""

    id: str
    name: str
    severity: Severity
    on: tuple[type[Any], ...]
    fixable: Literal["safe", "unsafe", "no"]
    manual: Manual
    check: Callable[[Any, Where], Iterator[Hit]]
    calls: frozenset[str] = frozenset()
    """The last names of the calls that it is asked about; empty: of all calls."""
    thresholds: Mapping[str, int] = field(default_factory=dict)
    """Limits that a configuration may set, with what they are otherwise; ask
    ``where.threshold(rule name, limit name)`` for the one that counts."""

    @property
    def card(self) -> RuleCard:
        """What reports may say of the rule."""
        return RuleCard(self.id, self.name, self.severity, self.fixable, self.manual)


_rules: dict[str, Rule] = {}


def rule(
    id: str,
    name: str,
    severity: Severity,
    *,
    on: type[Any] | tuple[type[Any], ...],
    fixable: Literal["safe", "unsafe", "no"] = "no",
    calls: Collection[str] = (),
    thresholds: Mapping[str, int] = MappingProxyType({}),
) -> Callable[[_Rule], _Rule]:
    """Register the decorated function as a rule; its docstring is the manual.

    ``calls`` are the last names of the calls (``Call``) that it wants to be asked about, all when
    empty: in a million lines that spares most of the questions.
    """

    def register(check: _Rule) -> _Rule:
        if id in _rules and _rules[id].check.__module__ != check.__module__:
            raise ValueError(f"two rules are called {id}")
        manual = parse_manual(check.__doc__ or "", id)
        facts = on if isinstance(on, tuple) else (on,)
        _rules[id] = Rule(
            id, name, severity, facts, fixable, manual, check, frozenset(calls), thresholds
        )
        return check

    return register


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return every rule of the package, ordered by id."""
    import perfscan.analyzers.rules as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return tuple(sorted(_rules.values(), key=lambda rule: (int(rule.id[2:]), rule.id)))


def threshold(rule_name: str, limit: str, configured: Thresholds) -> int:
    """Return a limit as configured, else as its rule declares it."""
    return configured.get((rule_name, limit), _declared(rule_name, limit))


@cache
def _declared(rule_name: str, limit: str) -> int:
    (default,) = [rule.thresholds[limit] for rule in all_rules() if rule.name == rule_name]
    return default


def parse_manual(docstring: str, id: str) -> Manual:
    """Take a rule's docstring apart. Raises ValueError when a section is missing."""
    lines = textwrap.dedent("    " + docstring.strip("\n")).split("\n")
    summary, sections, current = lines[0].strip(), dict[str, list[str]](), ""
    for line in lines[1:]:
        heading = line.strip().removesuffix(":")
        if line.strip().endswith(":") and heading in SECTIONS:
            current = heading
            sections[current] = []
        elif current:
            sections[current].append(line)
    missing = [name for name in SECTIONS if name not in sections]
    if missing or not summary:
        raise ValueError(f"the docstring of {id} lacks: {', '.join(missing) or 'a first line'}")
    texts = [_unindent(sections[name]) for name in SECTIONS]
    return Manual(summary, texts[0], texts[1], texts[2], texts[3], texts[4])


def _unindent(lines: list[str]) -> str:
    return textwrap.dedent("\n".join(lines)).strip("\n")
