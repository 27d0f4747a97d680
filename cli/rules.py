"""``perfscan rules``: the catalogue, or one rule explained."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from perfscan.analyzers.registry import Rule


class Format(StrEnum):
    """Output formats of the catalogue."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def rules(
    rule: Annotated[
        str | None,
        typer.Argument(help="Id, name or family (PS1); default: all rules.", show_default=False),
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.TEXT,
) -> None:
    """List the rules, or explain one: what it finds, why it costs, bad and good code.

    Example: perfscan rules PS101
    """
    from perfscan.analyzers.registry import all_rules
    from perfscan.analyzers.selection import choose

    catalogue = all_rules()
    chosen = catalogue if rule is None else choose(catalogue, [rule])
    single = len(chosen) == 1
    if format is Format.JSON:
        text = _json(chosen)
    elif format is Format.MARKDOWN:
        text = _markdown_page(chosen[0]) if single else _markdown_table(chosen)
    else:
        text = _text_page(chosen[0]) if single else _text_table(chosen)
    typer.echo(text.rstrip("\n"))


def _json(chosen: tuple[Rule, ...]) -> str:
    import json

    return json.dumps(
        {"schema": "perfscan.rules/1", "rules": [_record(rule) for rule in chosen]}, indent=2
    )


def _record(rule: Rule) -> dict[str, Any]:
    manual = rule.manual
    return {
        "id": rule.id,
        "name": rule.name,
        "severity": str(rule.severity),
        "fixable": rule.fixable,
        "summary": manual.summary,
        "what": manual.what,
        "why": manual.why,
        "bad": manual.bad,
        "good": manual.good,
        "fine": manual.fine,
        "thresholds": dict(rule.thresholds),
    }


def _text_table(chosen: tuple[Rule, ...]) -> str:
    rows = [("Rule", "Severity", "Name", "Fix")]
    rows += [(rule.id, str(rule.severity), rule.name, rule.fixable) for rule in chosen]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    lines += ["", "Explain one: perfscan rules PS101"]
    return "\n".join(line.rstrip() for line in lines)


def _text_page(rule: Rule) -> str:
    from textwrap import indent

    manual = rule.manual
    parts = [
        f"{rule.id} {rule.name} ({rule.severity}, fix: {rule.fixable})",
        manual.summary,
        f"What it does\n{indent(manual.what, '  ')}",
        f"Why it costs a bot\n{indent(manual.why, '  ')}",
        f"Example\n{indent(manual.bad, '    ')}",
        f"Use instead\n{indent(manual.good, '    ')}",
        f"When it is fine\n{indent(manual.fine, '  ')}",
        *[
            f"Limit, in a configuration: thresholds: {{{rule.name}: {{{name}: {value}}}}}"
            for name, value in rule.thresholds.items()
        ],
        f"Silence it on a line: # perfscan: ignore[{rule.id}] reason",
    ]
    return "\n\n".join(parts)


def _markdown_table(chosen: tuple[Rule, ...]) -> str:
    lines = ["| Rule | Name | Severity | Fix | What |", "|:--|:--|:--|:--|:--|"]
    lines += [
        f"| {rule.id} | {rule.name} | {rule.severity} | {rule.fixable} "
        f"| {rule.manual.summary.replace('|', chr(92) + '|')} |"
        for rule in chosen
    ]
    return "\n".join(lines)


def _markdown_page(rule: Rule) -> str:
    manual = rule.manual
    parts = [
        f"# {rule.id} {rule.name}",
        f"Severity: **{rule.severity}** · Fix: {rule.fixable}",
        manual.summary,
        f"## What it does\n\n{manual.what}",
        f"## Why it costs a bot\n\n{manual.why}",
        f"## Example\n\n```python\n{manual.bad}\n```",
        f"## Use instead\n\n```python\n{manual.good}\n```",
        f"## When it is fine\n\n{manual.fine}",
    ]
    return "\n\n".join(parts)
