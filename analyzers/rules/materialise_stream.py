"""PS1002: a whole list or file built to be read once."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Value
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_STOPPING = frozenset({"any", "all"})
_REDUCING = frozenset({"sum", "min", "max"})
_FILES = frozenset(
    {
        "io.TextIOWrapper()",
        "io.FileIO()",
        "gzip.open()",
        "bz2.open()",
        "lzma.open()",
        "codecs.open()",
    }
)


@rule("PS1002", "materialise-stream", Severity.LOW, on=(Call, Block), fixable="safe")
def materialise_stream(fact: Call | Block, where: Where) -> Iterator[Hit]:
    """Report lists that exist only to be reduced, and files read whole only to go through lines.

    What it does:
        Looks for `sum([...])`, `any([...])`, `all([...])`, `min([...])` and `max([...])` around a
        list comprehension over data, and for `for line in f.readlines()` and
        `f.read().splitlines()`.

    Why it costs a bot:
        The list holds all items at once where one at a time would do: a log of 500 MB becomes more
        than a gigabyte of strings. `any` and `all` also stop at the first answer when they are
        given a generator, and not when they are given a list.

    Example:
        def is_risky(holders):
            return any([holder.share > 0.2 for holder in holders])

    Use instead:
        def is_risky(holders):
            return any(holder.share > 0.2 for holder in holders)

    When it is fine:
        When the list is used again, and where the items need `await`: a generator with `await` in
        it cannot be reduced. Informational where the items call functions that may have to run for
        every item, and around `sum`, `min` and `max`, which look at all of them anyway.
    """
    hit = _reduced(fact, where) if isinstance(fact, Call) else _read_whole(fact, where)
    if hit is not None:
        yield hit


def _reduced(call: Call, where: Where) -> Hit | None:
    if call.func not in _STOPPING and call.func not in _REDUCING:
        return None
    if len(call.args) != 1 or call.args[0].kind != "comp" or call.args[0].ref != "list":
        return None
    loop = where.block(call.args[0].block)
    if (
        where.is_constant(loop)
        or _awaits(loop, where)
        or where.path(call) != f"builtins.{call.func}"
    ):
        return None
    stops = call.func in _STOPPING
    acts = stops and _may_act(loop, where)
    end = " and works out every item, also after the answer is known" if stops else ""
    return Hit(
        call.place,
        call.block,
        message=f"{call.func}([...]) builds a whole list to reduce it{end}",
        fix=f"Leave out the square brackets{', unless every call must be made' if acts else ''}.",
        severity=Severity.INFO if acts or not stops else None,
        confidence=where.confidence(call),
        fixable="unsafe" if acts else None,
    )


def _may_act(loop: Block, where: Where) -> bool:
    """Tell whether an item is worked out by calls that may do something, too: cancel an order."""
    paths = [where.path(call) for call in where.calls_in(loop.number)]
    return not all(path.startswith("builtins.") for path in paths)


def _awaits(loop: Block, where: Where) -> bool:
    inside = where.below(loop.number)
    return loop.is_async or any(one.block in inside for one in where.file.awaits)


def _read_whole(loop: Block, where: Where) -> Hit | None:
    """Report a loop over the lines of a file that are all in memory first."""
    call = where.call_of(loop.value) if loop.kind in {"for", "comp"} else None
    if call is None:
        return None
    file = _file_behind(call, where)
    if not file or not _is_open_file(file, call, where):
        return None
    return Hit(
        call.place,
        call.block,
        message=f"all lines of {file} are in memory before the first one is looked at",
        fix=f"Iterate over {file} itself.",
        confidence=Confidence.PROBABLE,
        fixable="unsafe",
    )


def _file_behind(call: Call, where: Where) -> str:
    """Return ``f`` for ``f.readlines()``, ``f.read().splitlines()`` and the like."""
    receiver, _, verb = call.func.rpartition(".")
    if verb == "readlines" and not call.args:
        return receiver
    newline = Value("const", "", "\n")
    if verb == "splitlines" or (verb == "split" and call.args == (newline,)):
        read = where.call_of(Value("ref", receiver))
        if read is not None and read.func.endswith(".read") and not read.args:
            return read.func.removesuffix(".read")
    return ""


def _is_open_file(ref: str, call: Call, where: Where) -> bool:
    things = where.program.names.resolve(where.index, ref, call.block, call.number)
    return "@" not in ref and any(thing.path in _FILES for thing in things)
