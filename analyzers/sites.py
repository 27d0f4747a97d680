"""Resolved calls, and the ids of functions and calls across the program."""

from __future__ import annotations

from typing import NamedTuple

from perfscan.analyzers.facts import Call, FileFacts, Function, Value
from perfscan.analyzers.knowledge import Effect
from perfscan.analyzers.model import Confidence
from perfscan.analyzers.things import Things

FunctionId = tuple[int, int]
"""File and function; function -1 is the module's own code."""

SiteId = tuple[int, int]
"""File and call. Reads, subscripts and blocks, which may run code, too, go on counting."""


class Site(NamedTuple):
    """One call, resolved."""

    file: int
    call: Call
    things: Things
    targets: tuple[FunctionId, ...]
    """Scanned functions that it runs: functions, ``__init__``, ``__call__``."""
    effect: Effect | None
    """What a library call does; None for everything else."""
    confidence: Confidence


def first_block(facts: FileFacts) -> int:
    """Return the number from which on blocks are counted."""
    return len(facts.calls) + len(facts.reads) + len(facts.subscripts)


def use_at(facts: FileFacts, number: int) -> Call:
    """Return a call, or what runs code like one: reading a property, ``with``, ``for``."""
    if number < len(facts.calls):
        return facts.calls[number]
    if number < first_block(facts):
        rest = number - len(facts.calls) - len(facts.reads)
        read = facts.reads[rest] if rest < 0 else facts.subscripts[rest]
        return Call(number, read.block, read.ref, (), (), read.span, "read", -1, False, ())
    block = facts.blocks[number - first_block(facts)]
    ref = block.value.ref if block.value is not None else ""
    if ref.startswith("@") and ref[1:].isdigit():
        ref = facts.calls[int(ref[1:])].func
    return Call(number, block.parent, ref, (), (), block.span, block.kind, -1, False, ())


def argument_of(call: Call, facts: Function, position: int, name: str) -> Value | None:
    """Return what a call passes for one parameter, None when it is not written out."""
    for keyword, value in call.keywords:
        if keyword == name:
            return value
    bound = facts.owner >= 0 and not any(d.ref == "staticmethod" for d in facts.decorators)
    index = position - 1 if bound else position
    args = call.args
    if 0 <= index < len(args) and not any(value.kind == "star" for value in args[: index + 1]):
        return args[index]
    return None
