"""``perfscan report``: draw reports again from saved results."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from perfscan.cli.bench_output import write_text

report = typer.Typer(
    help="Draw reports from saved results.", no_args_is_help=True, rich_markup_mode=None
)


class Format(StrEnum):
    """What a report is drawn as."""

    MARKDOWN = "markdown"
    TEXT = "text"
    JSON = "json"


@report.callback()
def _report() -> None:
    """Draw reports from saved results."""


@report.command("build")
def build(
    runs: Annotated[
        list[Path], typer.Argument(help="Results of bench replay.", show_default=False)
    ],
    form: Annotated[
        Format, typer.Option("--format", help="What to draw; json is the result itself.")
    ] = Format.MARKDOWN,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write; default: print it.")
    ] = None,
) -> None:
    """Draw the report of one or more saved results. The same result gives the same bytes.

    Example: perfscan report build run.json -o report.md
    """
    text = draw(runs, form)
    write_text(output or Path("-"), text)


def draw(runs: list[Path], form: Format) -> str:
    """Return the text for all ``runs``; several results as JSON are a list."""
    from perfscan.replay.result import dump_result, read_result
    from perfscan.reports.run_markdown import render_markdown
    from perfscan.reports.run_terminal import render_terminal

    results = [read_result(run) for run in runs]
    match form:
        case Format.MARKDOWN:
            return "\n".join(render_markdown(result) for result in results)
        case Format.TEXT:
            return "\n".join(f"{render_terminal(result)}\n" for result in results)
    if len(results) == 1:
        return dump_result(results[0])
    return "[\n" + ",\n".join(dump_result(result).rstrip("\n") for result in results) + "\n]\n"
