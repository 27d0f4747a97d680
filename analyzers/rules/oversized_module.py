"""PS1403: a module that holds the whole bot, and functions as long as modules."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import NOWHERE, FileFacts, Function
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, rule

_NAME = "oversized-module"

_LINES = 1_000
"""Where pylint draws the line, too (too-many-lines)."""

_FUNCTIONS = 20
"""Fewer make a table of data or one long class, which no import would shorten."""

_STATEMENTS = 150
"""Three times what pylint allows (too-many-statements)."""


@rule(
    "PS1403",
    _NAME,
    Severity.INFO,
    on=(FileFacts, Function),
    thresholds={"lines": _LINES, "statements": _STATEMENTS},
)
def oversized_module(fact: FileFacts | Function, where: Where) -> Iterator[Hit]:
    """Report modules of more than a thousand lines and functions of more than 150 statements.

    What it does:
        Counts lines of modules with at least twenty functions, and statements of functions,
        those of functions nested in them not included. Both limits can be configured as the
        thresholds `lines` and `statements`.

    Why it costs a bot:
        Nothing in it can be loaded later, measured by itself or exchanged for a faster version, so
        every optimisation touches the file that everything depends on. It costs no time by itself.

    Example:
        class Bot:
            def on_start(self, update): return self.reply(update)  # and 1600 lines like this

    Use instead:
        from bot.menus import Menus
        from bot.tickets import Tickets

        class Bot:
            def __init__(self, client):
                self.menus = Menus(client)
                self.tickets = Tickets(client)

    When it is fine:
        Generated code and tables of data.
    """
    if isinstance(fact, FileFacts):
        functions = sum(function.name != "<lambda>" for function in fact.functions)
        if fact.lines > where.threshold(_NAME, "lines") and functions >= _FUNCTIONS:
            yield Hit(
                NOWHERE,
                0,
                message=f"this module has {fact.lines:,} lines and {functions} functions",
                fix="Move each service, and each group of handlers, to a module of its own.",
            )
    elif fact.statements > where.threshold(_NAME, "statements"):
        yield Hit(
            fact.place,
            fact.block,
            message=f"{fact.qualname}() has {fact.statements} statements",
            fix="Split it into functions that can be measured and replaced one by one.",
        )
