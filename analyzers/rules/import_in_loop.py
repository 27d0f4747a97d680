"""PS1303: an import statement that runs again and again."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Import
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, rule


@rule("PS1303", "import-in-loop", Severity.LOW, on=Import, fixable="safe")
def import_in_loop(entry: Import, where: Where) -> Iterator[Hit]:
    """Report imports inside loops and message handlers.

    What it does:
        Looks for `import` statements in loops over data and in endless loops, and for those of the
        standard library in functions that a framework runs for each message.

    Why it costs a bot:
        Each run looks the module up and binds the name again, about a microsecond; the first one
        loads the module, up to seconds, while the message that asked for it waits.

    Example:
        def decode(messages):
            rows = []
            for message in messages:
                import json
                rows.append(json.loads(message))
            return rows

    Use instead:
        import json

        def decode(messages):
            return [json.loads(message) for message in messages]

    When it is fine:
        Under `TYPE_CHECKING`, in `try` for a module that may be missing, behind a condition that
        is seldom true, for modules of the project itself that would import each other in a circle,
        and for other libraries outside of loops: loading them when they are needed keeps the start
        short.
    """
    if entry.block == 0 or not entry.bound:
        return
    if next(where.around(entry.block, "try", "except", "if", "else", "case"), None) is not None:
        return
    driver = _driver(entry, where)
    if driver is None or _is_own(entry, where):
        return
    module = entry.module or "." * entry.level
    yield Hit(
        entry.place,
        entry.block,
        message=f"{module} is imported again in each run of the {driver}",
        fix="Move the import to the top of the module.",
        # Of others it is not known whether they are installed everywhere.
        fixable="safe" if entry.module.partition(".")[0] in sys.stdlib_module_names else "unsafe",
    )


def _driver(entry: Import, where: Where) -> str | None:
    """Return what runs the statement again and again: a loop around it, or a message."""
    loop = next(iter(where.data_loops(entry.block)), None)
    if loop is not None:
        return _label(loop, where)
    heat = where.hot(entry.block)
    if heat is None or heat.via:
        return None
    cheap = entry.module.partition(".")[0] in sys.stdlib_module_names
    return heat.label if cheap or heat.block >= 0 else None


def _label(loop: Block, where: Where) -> str:
    return f"loop at line {loop.place[0]} in {where.name(loop.number)}"


def _is_own(entry: Import, where: Where) -> bool:
    """Tell whether the module is a part of the scanned program."""
    if entry.level:
        return True
    return where.program.modules.absolute(where.index, entry.module) is not None
