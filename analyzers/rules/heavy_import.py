"""PS1301: a large library loaded at start-up for one function that seldom runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import FileFacts, Function, Import
from perfscan.analyzers.import_cost import LOADED
from perfscan.analyzers.import_graph import loading
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.project import Program
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.survey import survey
from perfscan.analyzers.usage import users

_COMMAND = re.compile(r"(^|\.)(\w+_)?(Command(Handler)?|command)$")
"""What registers a chat command: ``CommandHandler``, ``bot.command``, ``slash_command``."""

_MANY = 10


@rule("PS1301", "heavy-import", Severity.LOW, on=FileFacts)
def heavy_import(file: FileFacts, where: Where) -> Iterator[Hit]:
    """Report large libraries imported at the top for a single function that seldom runs.

    What it does:
        Looks for imports of pandas, matplotlib, torch, sklearn, rich and their likes at the top of
        modules that the start of the program loads, when one function alone uses the name, no loop
        or handler runs that function, and nothing else in the program needs the library at start.
        The handler of one chat command among ten or more counts as seldom run.

    Why it costs a bot:
        pandas takes half a second to import, torch and transformers several, and tens to hundreds
        of megabytes stay in memory. The bot pays at each restart, in the minutes when it is most
        needed, for a chart that somebody may never ask for.

    Example:
        import matplotlib.pyplot as plt

        def daily_report(prices):
            plt.plot(prices)
            plt.savefig("report.png")

    Use instead:
        def daily_report(prices):
            import matplotlib.pyplot as plt

            plt.plot(prices)
            plt.savefig("report.png")

    When it is fine:
        When the library is used at import or all over the module, when something else loads it
        anyway, and when the bot never restarts.
    """
    imports = where.once(_heavy_imports)
    if not imports or not loading(where).at_start:
        return
    for library, entries in imports.items():
        function = _only_user(entries, where)
        if function is None or library in _needed(where):
            continue
        name = function.qualname
        yield Hit(
            entries[0].place,
            0,
            message=f"{library}{LOADED}, and only {name}() uses it",
            fix=f"Import it in {name}(); for annotations alone, under if TYPE_CHECKING.",
            confidence=Confidence.PROBABLE,
        )


def _heavy_imports(where: Where) -> dict[str, list[Import]]:
    """Return what a file imports of large libraries when it is loaded itself."""
    found: dict[str, list[Import]] = {}
    for entry in where.file.imports:
        library = entry.module.partition(".")[0]
        at_once = entry.block == 0 and entry.bound and not entry.level
        if at_once and "heavy_import" in where.knowledge.roles(library):
            found.setdefault(library, []).append(entry)
    return found


def _only_user(entries: Sequence[Import], where: Where) -> Function | None:
    """Return the one cold function that uses what was imported, None when there is none such."""
    table, functions = where.once(users), where.file.functions
    found = {function for entry in entries for function in table.get(entry.bound, ())}
    while any(index >= 0 and functions[index].parent >= 0 for index in found):
        found = {functions[i].parent if i >= 0 and functions[i].parent >= 0 else i for i in found}
    if len(found) != 1 or -1 in found:
        return None
    function = functions[found.pop()]
    seldom = where.hot(function.block) is None or _is_one_command_of_many(function, where)
    return function if seldom else None


def _is_one_command_of_many(function: Function, where: Where) -> bool:
    """Tell whether people run a function by one chat command, and have many others."""
    here = where.program.registrations.get((where.index, function.number), ())
    if not here or not all(_COMMAND.search(entry.name) for entry in here):
        return False
    return where.program.once(_commands) >= _MANY


def _commands(program: Program) -> int:
    """Return how many functions of the program are chat commands."""
    return sum(
        any(_COMMAND.search(entry.name) for entry in entries)
        for entries in program.registrations.values()
    )


def _merge(parts: Sequence[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*parts)


@survey(_merge)
def _needed(where: Where) -> frozenset[str]:
    """Return the large libraries that a file needs while the program starts."""
    imports = where.once(_heavy_imports)
    return frozenset(
        library for library, entries in imports.items() if _only_user(entries, where) is None
    )
