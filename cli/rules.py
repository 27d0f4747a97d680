"""``perfscan rules``: the catalogue, or one rule explained."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perfscan.errors import InputError

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
        typer.Argument(help="Id or name; default: all rules.", show_default=False),
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.TEXT,
) -> None:
    """List the rules, or explain one: what it finds, why it costs, bad and good code.

    Example: perfscan rules PS101
    """
    from perfscan.analyzers.registry import all_rules

    catalogue = all_rules()
    chosen = catalogue if rule is None else (find_rule(rule, catalogue),)
    if format is Format.JSON:
        text = _json(chosen)
    elif format is Format.MARKDOWN:
        text = _markdown_table(chosen) if rule is None else _markdown_page(chosen[0])
    else:
        text = _text_table(chosen) if rule is None else _text_page(chosen[0])
    typer.echo(text.rstrip("\n"))


def find_rule(wanted: str, catalogue: tuple[Rule, ...]) -> Rule:
    """Return the rule with this id or name; raise InputError with the nearest one."""
    from difflib import get_close_matches

    by_key = {key.lower(): rule for rule in catalogue for key in (rule.id, rule.name)}
    found = by_key.get(wanted.lower())
    if found is not None:
        return found
    close = get_close_matches(wanted.lower(), sorted(by_key), n=1, cutoff=0.5)
    nearest = by_key[close[0]] if close else None
    remedy = f"did you mean {nearest.id} ({nearest.name})?" if nearest else "see perfscan rules"
    raise InputError(f"there is no rule {wanted}", remedy=remedy)


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
