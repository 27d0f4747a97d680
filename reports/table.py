"""Tables and quoted text, for GitHub's Markdown and for a terminal of 80 columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Literal

from perfscan.reports.excerpt import inert

Align = Literal["left", "right", "centre"]
_RULES: dict[Align, str] = {"left": ":--", "right": "--:", "centre": ":-:"}
_SPECIAL = re.compile(r"[\\`*<\[|~$&]|(?<![^\W_])_|_(?![^\W_])")
_REFERENCE = re.compile(r"@(?=\w)|#(?=\d)|(?<=:)(?=//)|(?<=www)(?=\.)")


def escape(text: str) -> str:
    """Return somebody's text so that Markdown shows it as it is: no markup, links or mentions."""
    flat = inert(" ".join(text.split()))
    return _REFERENCE.sub("\\g<0>\u200b", _SPECIAL.sub(r"\\\g<0>", flat))


def code(text: str) -> str:
    """Return somebody's text as inline code, also within a table."""
    flat = inert(" ".join(text.split())).replace("|", r"\|")
    if not flat:
        return ""
    longest = max((len(run) for run in re.findall("`+", flat)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if flat[0] == "`" or flat[-1] == "`" else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def fenced(text: str, language: str = "") -> str:
    """Return a block of code whose fence is longer than any within."""
    lines = [inert(line) for line in text.splitlines()]
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([fence + language, *lines, fence])


def markdown_table(
    header: Sequence[str], align: Sequence[Align], rows: Sequence[Sequence[str]]
) -> str:
    """Return a table; cells are Markdown already, so text of others must be escaped before."""
    lines = [header, [_RULES[side] for side in align], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plain_table(
    header: Sequence[str], align: Sequence[Align], rows: Sequence[Sequence[str]], indent: int = 2
) -> list[str]:
    """Return lines with columns two spaces apart."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return [
        (
            " " * indent
            + "  ".join(
                cell.rjust(width) if side == "right" else cell.ljust(width)
                for cell, width, side in zip(line, widths, align, strict=True)
            )
        ).rstrip()
        for line in lines
    ]


def wrapped(text: str, width: int = 80, first: str = "  ", rest: str = "  ") -> list[str]:
    """Return lines of at most ``width`` columns; control characters become visible escapes."""
    flat = inert(" ".join(text.split()))
    return textwrap.wrap(
        flat, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )
