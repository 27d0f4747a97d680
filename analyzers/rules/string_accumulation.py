"""PS703: text that grows by += in a loop."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, FileFacts
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.sequences import is_made_inside, sort_of_name


@rule("PS703", "string-accumulation", Severity.LOW, on=FileFacts)
def string_accumulation(file: FileFacts, where: Where) -> Iterator[Hit]:
    r"""Report text that a loop over data puts together with `+=`.

    What it does:
        Looks for `text += ...` in loops whose number of turns depends on data, when everything that
        binds the name is text and no turn starts it anew.

    Why it costs a bot:
        Strings cannot grow: as soon as anything else refers to the text (an attribute always does),
        each turn copies all of it. A report of 10,000 lines copies 5,000 times its own length.

    Example:
        def report(rows):
            text = ""
            for row in rows:
                text += f"{row.name}: {row.price}\n"
            return text

    Use instead:
        def report(rows):
            return "".join(f"{row.name}: {row.price}\n" for row in rows)

    When it is fine:
        For a few lines. CPython often grows a local string in place, so that outside of the bot's
        loops and handlers local text is informational.
    """
    reported: set[tuple[int, str]] = set()
    for assign in file.assigns:
        key = (file.blocks[assign.block].function, assign.target)
        if assign.op != "Add=" or key in reported or not _grows_in_loop(assign, where):
            continue
        reported.add(key)
        kept = "." in assign.target or where.hot(assign.block) is not None
        yield Hit(
            assign.place,
            assign.block,
            message=f"{where.name(assign.block)} copies {assign.target} for each piece it adds",
            fix='Append the pieces to a list and "".join() them after the loop.',
            severity=None if kept else Severity.INFO,
            confidence=Confidence.PROBABLE,
        )


def _grows_in_loop(assign: Assign, where: Where) -> bool:
    if not assign.target.removeprefix("self.").isidentifier():
        return False
    loop = next(where.around(assign.block, "for", "while"), None)
    if loop is None or where.is_constant(loop) or is_made_inside(assign.target, loop.number, where):
        return False
    return sort_of_name(assign.target, assign.block, where) == "str"
