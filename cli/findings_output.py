"""A scan in the format that was asked for, written to a file or to standard output."""

from __future__ import annotations

import os
import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from perfscan.errors import InputError

if TYPE_CHECKING:
    from perfscan.analyzers.model import Analysis
    from perfscan.reports.findings_text import Detail, Style


class Format(StrEnum):
    """Output formats of a scan."""

    TEXT = "text"
    CONCISE = "concise"
    JSON = "json"
    JSON_LINES = "json-lines"
    SARIF = "sarif"
    GITHUB = "github"
    GITLAB = "gitlab"
    JUNIT = "junit"
    MARKDOWN = "markdown"


def rendered(
    analysis: Analysis, format: Format, *, seconds: float, detail: Detail, style: Style
) -> str:
    """Return the whole output, newline included."""
    from perfscan import __version__

    match format:
        case Format.TEXT | Format.CONCISE:
            from perfscan.reports.findings_text import Detail, render

            wanted = Detail.CONCISE if format is Format.CONCISE else detail
            return render(analysis, seconds=seconds, detail=wanted, style=style)
        case Format.JSON:
            from perfscan.reports import findings_json

            return findings_json.render(analysis, version=__version__, seconds=seconds)
        case Format.JSON_LINES:
            from perfscan.reports import findings_json

            return findings_json.render_lines(analysis)
        case Format.SARIF:
            from perfscan.analyzers.registry import all_rules
            from perfscan.reports import sarif

            cards = [rule.card for rule in all_rules()]
            return sarif.render(
                analysis, version=__version__, rules=cards, prefix=_prefix(analysis)
            )
        case Format.GITHUB:
            from perfscan.reports import github

            return github.render(analysis, prefix=_prefix(analysis))
        case Format.GITLAB:
            from perfscan.reports import gitlab

            return gitlab.render(analysis, prefix=_prefix(analysis))
        case Format.JUNIT:
            from perfscan.reports import junit

            return junit.render(analysis)
        case Format.MARKDOWN:
            from perfscan.reports import findings_markdown

            return findings_markdown.render(analysis)


def _prefix(analysis: Analysis) -> str:
    """Return the way from the repository's top folder to the scanned root, "" for the top."""
    from perfscan.analyzers.gitignore import repository_of

    root = Path(analysis.root)
    top = repository_of(root)
    if top is None or top == root:
        return ""
    return f"{root.relative_to(top).as_posix()}/"


def style_for(output: str) -> Style:
    """Colour and width of the terminal; plain and 80 columns for files and pipes."""
    from perfscan.reports.findings_text import Style

    if output != "-":
        return Style()
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    unicode = encoding.startswith("utf")
    if not sys.stdout.isatty():
        return Style(unicode=unicode)
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    width = max(40, min(shutil.get_terminal_size((80, 24)).columns, 120))
    return Style(width=width, colour=not plain, unicode=unicode)


def write(text: str, output: str) -> None:
    """Write to the file ``output``, or to standard output for ``-``. Raises InputError."""
    if output == "-":
        encoding = getattr(sys.stdout, "encoding", None) or "ascii"
        typer.echo(text.encode(encoding, "backslashreplace").decode(encoding), nl=False)
        return
    try:
        Path(output).write_text(text, "utf-8", errors="backslashreplace")
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror or error}",
            where=output,
            remedy="choose another file",
        ) from error
