"""Helpers that fetch the same thing twice for one event: same function, same argument."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Call, Function, Value
from perfscan.analyzers.keeping import is_cached
from perfscan.analyzers.project import FunctionId, Program, SiteId
from perfscan.analyzers.survey import survey

_CHANGING = re.compile(
    r"price|ticker|quote|balance|position|order|status|state|block|slot|time|nonce|trade|book"
    r"|depth|volume|latest|current|poll|recv|receive|next|confirm|health|update|random|lock"
    r"|connect|session|client|page",
    re.IGNORECASE,
)
"""Answers that may differ a moment later: asking again is right."""

_ACTING = re.compile(
    r"^_*(a?send|post|create|submit|place|execute|buy|sell|cancel|set|delete|notify|publish|upload"
    r"|write|save|add|put|remove|close|transfer|swap|sign|login|retry|call|request|query|run|do)",
    re.IGNORECASE,
)
"""Functions that do something, or that any kind of request goes through."""

_DEPTH = 3
_BRANCHES = ("if", "else", "case", "except")
_REMOTE = frozenset({"network", "socket"})


@dataclass(frozen=True, slots=True)
class Use:
    """A fetch that a function makes, itself or through helpers."""

    getter: FunctionId
    arguments: tuple[str, ...]
    """In the names of the function asked about."""
    leaf: SiteId
    """The call of the getter."""
    path: tuple[SiteId, ...]
    """Calls from the function to the leaf, both included."""
    branch: str
    """What it depends on: a kind of block (``if``, ``except``, ...), "" when it always happens."""
    leaves: bool
    """The branch ends in return: what follows does not run as well."""


def repeated(where: Where, function: Function) -> Iterator[tuple[Use, Use]]:
    """Yield pairs of fetches of one function that ask the same thing twice."""
    seen: dict[tuple[FunctionId, tuple[str, ...]], Use] = {}
    for use in _uses(where, function, _DEPTH):
        key = (use.getter, use.arguments)
        first = seen.setdefault(key, use)
        apart = first.leaf != use.leaf and not _exclusive(first, use)
        if apart and not _changed_between(first, use, where):
            yield first, use


def _exclusive(first: Use, second: Use) -> bool:
    """Tell whether one event makes only one of the two, or the second because the first failed."""
    return bool(first.branch and second.branch) or first.leaves or second.branch == "except"


def _changed_between(first: Use, second: Use, where: Where) -> bool:
    """Tell whether something is done to the argument between the two fetches."""
    start, end = first.path[0][1], second.path[0][1]
    return any(
        _ACTING.search(call.func.rpartition(".")[2])
        and set(call.names).intersection(name.partition(".")[0] for name in first.arguments)
        for call in where.file.calls[min(start, end) + 1 : max(start, end)]
    )


def _uses(where: Where, function: Function, depth: int) -> Iterator[Use]:
    distances = _distances(where)
    if distances.get((where.index, function.number), depth + 2) > depth + 1:
        return
    fixed = _fixed_names(where, function)
    for site in where.program.sites_of((where.index, function.number)):
        call = site.call
        for target in site.targets:
            if target in distances:
                yield from _through(where, call, target, fixed, depth)


def _through(
    where: Where, call: Call, target: FunctionId, fixed: Mapping[str, str], depth: int
) -> Iterator[Use]:
    facts = where.program.function(target)
    if facts is None:
        return
    here = (where.index, call.number)
    branch = next(where.around(call.block, *_BRANCHES), None)
    leaves = branch is not None and any(
        jump.block == branch.number and jump.kind in {"return", "raise", "continue"}
        for jump in where.file.jumps
    )
    given = _given(call, facts, fixed)
    if _distances(where)[target] == 0:
        if given is not None and given and call.use != "statement":
            arguments = tuple(given[name] for name in sorted(given))
            yield Use(target, arguments, here, (here,), branch.kind if branch else "", leaves)
        return
    if depth == 0 or given is None:
        return
    view = where.sibling(target[0])
    for inner in _uses(view, facts, depth - 1):
        passed = [_as_given(argument, given) for argument in inner.arguments]
        if all(passed):
            yield Use(
                inner.getter,
                tuple(passed),
                inner.leaf,
                (here, *inner.path),
                branch.kind if branch else inner.branch,
                leaves,
            )


def _as_given(argument: str, given: Mapping[str, str]) -> str:
    """Return what the caller calls ``update.effective_user.id``, "" when it has no name for it."""
    base, dot, rest = argument.partition(".")
    return f"{given[base]}{dot}{rest}" if base in given else ""


def _given(call: Call, function: Function, fixed: Mapping[str, str]) -> dict[str, str] | None:
    """Return which names of the caller reach which parameters; None when it cannot be told."""
    params = [param.name for param in function.params if param.kind in {"plain", "keyword"}]
    if params and params[0] in {"self", "cls"}:
        params = params[1:]
    if len(call.args) > len(params):
        return None
    pairs = [*zip(params, call.args, strict=False), *call.keywords]
    found: dict[str, str] = {}
    for name, value in pairs:
        text = _text(value, fixed)
        if text:
            found[name] = text
    return found


def _text(value: Value, fixed: Mapping[str, str]) -> str:
    """Return what is passed, in parameters and locals of the caller; "" when it may change."""
    base, dot, rest = value.ref.partition(".")
    if value.kind != "ref" or base not in fixed or "[]" in rest:
        return ""
    if rest and base in {"self", "cls"}:
        return ""  # any method may have changed it
    return f"{fixed[base]}{dot}{rest}"


def _fixed_names(where: Where, function: Function) -> dict[str, str]:
    """Return parameters and locals that hold one value throughout the function.

    Each with what it stands for: ``user = update.effective_user`` is ``update.effective_user``.
    """
    times: dict[str, int] = {param.name: 1 for param in function.params}
    meant = {param.name: param.name for param in function.params}
    blocks = where.file.blocks
    for assign in where.file.assigns:
        if blocks[assign.block].function == function.number and assign.op != ":":
            base, dot, _ = assign.target.partition(".")
            times[base] = times.get(base, 0) + (2 if dot else 1)
            meant[base] = _alias(assign, meant) or base
    return {name: meant[name] for name, count in times.items() if count == 1}


def _alias(assign: Assign, meant: Mapping[str, str]) -> str:
    """Return the attribute of a parameter that a local is another name for, "" for all else."""
    base, dot, rest = assign.value.ref.partition(".")
    plain = assign.op == "=" and assign.value.kind == "ref" and "[]" not in rest
    return f"{meant[base]}{dot}{rest}" if plain and dot and base in meant else ""


def _distances(where: Where) -> dict[FunctionId, int]:
    """Return, for functions that reach a getter, over how many calls they do; a getter has 0."""
    return where.program.once(_reaching)


def _reaching(program: Program) -> dict[FunctionId, int]:
    getters: Sequence[FunctionId] = program.survey(_getters)
    found = dict.fromkeys(getters, 0)
    queue = deque(found)
    while queue:
        function = queue.popleft()
        if found[function] <= _DEPTH:
            for site in program.callers.get(function, ()):
                caller = program.function_of(site)
                if caller not in found:
                    found[caller] = found[function] + 1
                    queue.append(caller)
    return found


def _all_of(parts: Sequence[Sequence[int]]) -> Sequence[FunctionId]:
    return [(file, number) for file, part in enumerate(parts) for number in part]


@survey(_all_of)
def _getters(where: Where) -> tuple[int, ...]:
    asking = {
        where.block(call.block).function
        for call in where.file.calls
        if (effect := where.effect(call)) is not None and effect.cost in _REMOTE
    }
    return tuple([number for number in sorted(asking) if is_getter((where.index, number), where)])


def is_getter(function: FunctionId, where: Where) -> bool:
    """Tell whether a scanned function asks a server for something that does not soon change."""
    program, facts = where.program, where.program.function(function)
    if facts is None or _CHANGING.search(facts.name) or _ACTING.search(facts.name):
        return False
    where = where.sibling(function[0])
    remote = [
        site.call
        for site in program.sites_of(function)
        if site.effect is not None and site.effect.cost in _REMOTE
    ]
    if not remote or is_cached(function, where):
        return False
    blocks = where.file.blocks
    returns = [
        jump
        for jump in where.file.jumps
        if jump.kind == "return" and blocks[jump.block].function == facts.number and jump.value
    ]
    first = remote[0].place[0]
    if any(jump.place[0] < first and _remembers(jump.value) for jump in returns):
        return False  # what it remembers is returned before it asks
    return any(jump.value is not None and jump.value.kind != "const" for jump in returns)


def _remembers(value: Value | None) -> bool:
    return value is not None and value.kind != "const"
