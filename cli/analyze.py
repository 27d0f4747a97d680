"""``perfscan analyze``: scan sources and report what makes a bot slow."""

from __future__ import annotations

import os
import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perfscan.cli.status import Status
from perfscan.errors import InputError

if TYPE_CHECKING:
    from perfscan.analyzers.model import Analysis
    from perfscan.reports.findings_text import Detail, Style


class Format(StrEnum):
    """Output formats of a scan."""

    TEXT = "text"
    JSON = "json"


class FailOn(StrEnum):
    """The lowest severity that makes the command exit with 1."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"
    NEVER = "never"


def analyze(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files or folders; default: this folder.", show_default=False),
    ] = None,
    format: Annotated[Format, typer.Option(help="How to report.")] = Format.TEXT,
    output: Annotated[
        str, typer.Option("-o", "--output", help="File to write; - is standard output.")
    ] = "-",
    select: Annotated[
        list[str] | None,
        typer.Option(help="Only these rules: PS101, blocking-sleep, or PS1 for all PS1xx."),
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="All but these rules.")] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit with 1 for findings of this severity or worse.")
    ] = FailOn.HIGH,
    statistics: Annotated[bool, typer.Option("--statistics", help="Only counts by rule.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Every finding with its source, informational ones too.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="One line a finding.")] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="All, with symbol, confidence, fingerprint.")
    ] = False,
    show_possible: Annotated[
        bool, typer.Option("--show-possible", help="Also findings for which only a name speaks.")
    ] = False,
) -> int:
    """Scan Python sources for what makes a bot slow. Nothing is run.

    Virtual environments, caches, vendored and generated code and what .gitignore hides are left
    out unless they are named. Findings in tests count as informational.

    Example: perfscan analyze bot/ --select PS1,PS301 --fail-on critical

    Exit status: 0 clean, 1 findings at or above --fail-on, 2 wrong use or an unreadable file.
    """
    from time import perf_counter

    from perfscan.analyzers.engine import analyze as scan
    from perfscan.reports import findings_text

    started = perf_counter()
    analysis = scan(
        paths or [Path()],
        root=Path.cwd(),
        select=_ids(select),
        ignore=_ids(ignore),
        possible=True,
    )
    kept, hidden = (analysis, 0) if show_possible else _without_possible(analysis)
    seconds = perf_counter() - started
    if format is Format.JSON:
        from perfscan import __version__
        from perfscan.reports import findings_json

        text = findings_json.render(kept, version=__version__, seconds=seconds)
    else:
        text = findings_text.render(
            kept,
            seconds=seconds,
            detail=_detail(statistics=statistics, quiet=quiet, verbose=verbose, all_=everything),
            style=_style(output),
            hidden_possible=hidden,
        )
    _complain(kept)
    _write(text, output)
    return _status(kept, fail_on)


def _ids(entries: list[str] | None) -> list[str]:
    return [part.strip() for entry in entries or () for part in entry.split(",") if part.strip()]


def _without_possible(analysis: Analysis) -> tuple[Analysis, int]:
    from dataclasses import replace

    from perfscan.analyzers.model import Confidence

    kept = tuple(f for f in analysis.findings if f.confidence is not Confidence.POSSIBLE)
    return replace(analysis, findings=kept), len(analysis.findings) - len(kept)


def _detail(*, statistics: bool, quiet: bool, verbose: bool, all_: bool) -> Detail:
    from perfscan.reports.findings_text import Detail

    wanted = (
        (statistics, Detail.STATISTICS),
        (quiet, Detail.CONCISE),
        (verbose, Detail.VERBOSE),
        (all_, Detail.ALL),
    )
    return next((detail for asked, detail in wanted if asked), Detail.NORMAL)


def _style(output: str) -> Style:
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


def _complain(analysis: Analysis) -> None:
    """Say on stderr what was not scanned, one line each, and what to do."""
    from perfscan.reports.excerpt import inert

    for error in analysis.errors:
        place = error.path if error.line is None else f"{error.path}:{error.line}"
        label = "error" if error.named else "warning"
        typer.echo(f"{label}: {inert(f'{place}: {error.message}')}", err=True)
    if any(error.named for error in analysis.errors):
        typer.echo("  help: repair the file or leave it out of the command", err=True)
    if not analysis.files and not analysis.errors:
        typer.echo("warning: there is no Python file to scan here", err=True)
        typer.echo("  help: name the files; folders skip what .gitignore hides", err=True)


def _write(text: str, output: str) -> None:
    if output == "-":
        encoding = getattr(sys.stdout, "encoding", None) or "ascii"
        typer.echo(text.encode(encoding, "backslashreplace").decode(encoding), nl=False)
        return
    try:
        Path(output).write_text(text, "utf-8")
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror or error}",
            where=output,
            remedy="choose another file with -o",
        ) from error


def _status(analysis: Analysis, fail_on: FailOn) -> int:
    from perfscan.analyzers.model import Severity

    if any(error.named for error in analysis.errors):
        return Status.BAD_INPUT
    if fail_on is FailOn.NEVER:
        return Status.OK
    limit = Severity[fail_on.name]
    reached = any(finding.severity >= limit for finding in analysis.findings)
    return Status.FINDINGS if reached else Status.OK
