"""Write the table of rules into README.md, between its ``<!-- rules -->`` marks."""

from __future__ import annotations

import sys
from pathlib import Path

from perfscan.analyzers.registry import all_rules

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- rules -->\n", "<!-- /rules -->"


def table() -> str:
    """Return one row per rule, in the order of their numbers."""
    return "".join(
        f"| `{rule.id}` {rule.name} | {rule.severity} | {rule.manual.summary.rstrip('.')} |\n"
        for rule in sorted(all_rules(), key=lambda rule: (len(rule.id), rule.id))
    )


def with_table(text: str) -> str:
    """Return ``text`` with the rows between its marks replaced."""
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        sys.exit(f"README.md has no {END!r}")
    return before + BEGIN + table() + mark + after


if __name__ == "__main__":
    README.write_text(with_table(README.read_text("utf-8")), "utf-8")
