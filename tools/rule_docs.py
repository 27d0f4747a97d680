"""Write the rules into the documents: docs/rules.md whole, README.md's table between its marks."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from perfscan.analyzers.registry import Rule, all_rules
from perfscan.analyzers.selection import FAMILIES, family_of

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
MANUAL = ROOT / "docs" / "rules.md"
BEGIN, END = "<!-- rules -->\n", "<!-- /rules -->"


def table() -> str:
    """Return one row per family, linked to its part of the manual."""
    rows = [
        f"| [{family}xx](docs/rules.md#{_anchor(family)}) {FAMILIES[family]} "
        f"| {', '.join(f'{rule.id[2:]} {rule.name}' for rule in rules)} |\n"
        for family, rules in _families()
    ]
    return "| Family | Rules |\n|:--|:--|\n" + "".join(rows)


def manual() -> str:
    """Return every rule's docstring as a document."""
    head = (
        "# The rules\n\n"
        "Written by `make docs` from the rules' own docstrings; `perfscan rules PS101` prints one\n"
        "of these pages. Severity says how much a finding can cost a running bot. Findings in\n"
        "tests and in code that only runs at start-up are informational.\n"
    )
    parts = [head]
    for family, rules in _families():
        parts.append(f"\n## {family}xx {FAMILIES[family]}\n")
        parts += [_page(rule) for rule in rules]
    return "".join(parts)


def _families() -> list[tuple[str, list[Rule]]]:
    return [(family, list(rules)) for family, rules in groupby(all_rules(), key=family_of)]


def _anchor(family: str) -> str:
    words = FAMILIES[family].lower().replace(" ", "-")
    return f"{family.lower()}xx-{words}"


def _page(rule: Rule) -> str:
    manual = rule.manual
    limits = "".join(
        f"\nLimit `thresholds: {{{rule.name}: {{{name}: ...}}}}`, otherwise {value}.\n"
        for name, value in rule.thresholds.items()
    )
    return (
        f"\n### {rule.id} {rule.name}\n\n"
        f"Severity {rule.severity}, fix: {rule.fixable}. {manual.what}\n{limits}\n"
        f"**Why it costs a bot.** {manual.why}\n\n"
        f"```python\n{manual.bad}\n```\n\n"
        f"Use instead:\n\n```python\n{manual.good}\n```\n\n"
        f"**When it is fine.** {manual.fine}\n"
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
    MANUAL.parent.mkdir(exist_ok=True)
    MANUAL.write_text(manual(), "utf-8")
