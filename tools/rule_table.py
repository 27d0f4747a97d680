"""Write the table of rules into README.md, between its ``<!-- rules -->`` marks."""

from __future__ import annotations

import sys
from pathlib import Path

from perfscan.analyzers.registry import all_rules

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- rules -->\n", "<!-- /rules -->"
HEAD = "| Rule | Severity | What |\n|:--|:--|:--|\n"


def table() -> str:
    """Return one row per rule, in the order of their numbers."""
    return HEAD + "".join(
        f"| `{rule.id}` {rule.name} | {rule.severity} | {_noun(rule.manual.summary)} |\n"
        for rule in sorted(all_rules(), key=lambda rule: (len(rule.id), rule.id))
    )


def _noun(summary: str) -> str:
    """Turn ``Report sleeps that ...`` into ``Sleeps that ...``: a table needs no verb."""
    text = summary.rstrip(".").removeprefix("Report ").removeprefix("a ").removeprefix("an ")
    return text[:1].upper() + text[1:]


def with_table(text: str) -> str:
    """Return ``text`` with the rows between its marks replaced."""
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        sys.exit(f"README.md has no {END!r}")
    return before + BEGIN + table() + mark + after


if __name__ == "__main__":
    README.write_text(with_table(README.read_text("utf-8")), "utf-8")
