"""``perfscan analyze``: scan sources and report what makes a bot slow."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perfscan.cli.findings_output import Format, rendered, style_for, write
from perfscan.cli.scan_settings import Effort, configured, effort_of, own_knowledge
from perfscan.cli.status import Status
from perfscan.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection

    from perfscan.analyzers.configuration import Configuration
    from perfscan.analyzers.model import Analysis
    from perfscan.reports.findings_text import Detail


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
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Leave out paths that match, as a line of .gitignore would."),
    ] = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(
            help="Exit with 1 for findings of this severity or worse; default: high.",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Report only what this file does not accept.")
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(help="Accept today's findings: write them to this file.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="GITREF", help="Report only what came since this branch or commit."),
    ] = None,
    traffic: Annotated[
        Path | None,
        typer.Option(help="Recording to estimate from what each finding costs, dearest first."),
    ] = None,
    measure_imports: Annotated[
        Path | None,
        typer.Option(
            metavar="PYTHON",
            help="Import the heavy libraries found, alone, with this Python; say what each takes.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that share the work; default: one for each CPU."),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither use nor keep results of other scans.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(help="Configuration; default: perfscan.yaml or pyproject.toml above here."),
    ] = None,
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

    started = perf_counter()
    cwd = Path.cwd()
    configuration = configured(
        cwd,
        config,
        select=select or (),
        ignore=ignore or (),
        exclude=exclude or (),
        fail_on=fail_on or "",
        baseline=baseline,
    )
    named = paths or [Path()]
    effort = effort_of(jobs, no_cache=no_cache)
    analysis = _scan(named, cwd, configuration, effort, show_possible=show_possible)
    if since is not None:
        analysis = _since(analysis, since, named, cwd, configuration, effort)
    analysis = _estimated(analysis, traffic)
    if measure_imports is not None:
        analysis = _with_imports(analysis, measure_imports)
    if write_baseline is not None:
        _write_baseline(analysis, write_baseline)
    elif configuration.baseline is not None:
        analysis = _compare(analysis, configuration.baseline, named, cwd, configuration)
    detail = _detail(statistics=statistics, quiet=quiet, verbose=verbose, all_=everything)
    seconds = perf_counter() - started
    text = rendered(analysis, format, seconds=seconds, detail=detail, style=style_for(output))
    _complain(analysis)
    write(text, output)
    limit = FailOn.NEVER if write_baseline else FailOn(configuration.fail_on)
    return _status(analysis, limit)


def _scan(
    paths: list[Path],
    cwd: Path,
    configuration: Configuration,
    effort: Effort,
    *,
    show_possible: bool,
) -> Analysis:
    from perfscan.analyzers.engine import analyze as scan
    from perfscan.analyzers.path_patterns import matcher
    from perfscan.analyzers.withhold import without_ignored_paths, without_possible

    analysis = scan(
        paths,
        root=cwd,
        knowledge=own_knowledge(configuration),
        select=configuration.select,
        ignore=configuration.ignore,
        possible=True,
        thresholds=configuration.thresholds,
        exclude=matcher(configuration.exclude, configuration.folder),
        jobs=effort.jobs,
        cache=effort.cache,
    )
    shown = analysis if show_possible else without_possible(analysis)
    return without_ignored_paths(shown, configuration.per_path_ignores, configuration.folder)


def _since(
    analysis: Analysis,
    revision: str,
    paths: list[Path],
    cwd: Path,
    configuration: Configuration,
    effort: Effort,
) -> Analysis:
    """Leave out what the same scan finds in the sources as they were at ``revision``."""
    from perfscan.analyzers.git_tree import tree_at
    from perfscan.analyzers.withhold import without_known

    with tree_at(revision, cwd) as tree:
        then = tree.then(cwd.resolve())
        places = [tree.then((cwd / path).resolve()) for path in paths]
        existing = [place for place in places if place.exists()]
        if not existing:
            return analysis
        # The folder is a new one each time: nothing that is kept of it could be used again.
        once = effort._replace(cache=None)
        before = _scan(existing, then, configuration, once, show_possible=True)
    return without_known(analysis, "old", {finding.fingerprint for finding in before.findings})


def _estimated(analysis: Analysis, recording: Path | None) -> Analysis:
    """Give findings what their calls took in the recording; without one, their cost class."""
    from perfscan.reports.estimates import Timed, with_estimates

    if recording is None:
        return with_estimates(analysis, ())
    from perfscan.replay.exchanges import exchanges
    from perfscan.replay.recording import read_recording

    traffic = read_recording(recording)
    if traffic.header.latency != "recorded":
        raise InputError(
            "this recording holds no times",
            where=str(recording),
            remedy="record the traffic with perfscan record",
        )
    timed = [
        Timed(exchange.url.partition("?")[0], exchange.service_ns / 1e6)
        for exchange in exchanges(traffic)
        if exchange.service_ns is not None and not exchange.is_websocket
    ]
    return with_estimates(analysis, timed)


def _with_imports(analysis: Analysis, interpreter: Path) -> Analysis:
    """Measure what the imports take that findings call heavy; warn of those that fail."""
    from perfscan.analyzers.import_cost import library_of, measure_imports
    from perfscan.reports.estimates import with_imports

    libraries = {one.fingerprint: name for one in analysis.findings if (name := library_of(one))}
    costs = measure_imports(libraries.values(), interpreter)
    for name in (name for name, cost in costs.items() if cost is None):
        typer.echo(f"warning: {interpreter} cannot import {name}, so it was not measured", err=True)
    ms = {name: cost.microseconds / 1000 for name, cost in costs.items() if cost is not None}
    return with_imports(analysis, libraries, ms, str(interpreter))


def _write_baseline(analysis: Analysis, file: Path) -> None:
    from perfscan.analyzers.baseline import baseline_text

    write(baseline_text(analysis.findings), str(file))
    accepted = len(analysis.findings)
    noun = "finding" if accepted == 1 else "findings"
    typer.echo(f"{file}: {accepted} {noun} accepted", err=True)


def _compare(
    analysis: Analysis, file: Path, paths: list[Path], cwd: Path, configuration: Configuration
) -> Analysis:
    """Leave out what the baseline accepts; say on stderr which of its entries are stale."""
    from perfscan.analyzers.baseline import read_baseline, stale_entries
    from perfscan.analyzers.registry import all_rules
    from perfscan.analyzers.selection import choose
    from perfscan.analyzers.withhold import without_known

    entries = read_baseline(file)
    ran = {rule.id for rule in choose(all_rules(), configuration.select, configuration.ignore)}
    scanned = [_below(cwd / path, Path(analysis.root)) for path in paths]
    stale = stale_entries(analysis.findings, entries, ran=ran, scanned=scanned)
    for entry in stale:
        typer.echo(f"stale: {entry.path}: {entry.rule} in {entry.symbol} is gone", err=True)
    if stale:
        noun = "entry" if len(stale) == 1 else "entries"
        typer.echo(f"warning: {file}: {len(stale)} stale {noun}", err=True)
        typer.echo(f"  help: perfscan analyze --write-baseline {file}", err=True)
    return without_known(analysis, "baseline", {entry.fingerprint for entry in entries})


def _below(path: Path, root: Path) -> str:
    import os

    place = Path(os.path.normpath(path))
    return place.relative_to(root).as_posix() if place.is_relative_to(root) else place.as_posix()


def _detail(*, statistics: bool, quiet: bool, verbose: bool, all_: bool) -> Detail:
    from perfscan.reports.findings_text import Detail

    wanted = (
        (statistics, Detail.STATISTICS),
        (quiet, Detail.CONCISE),
        (verbose, Detail.VERBOSE),
        (all_, Detail.ALL),
    )
    return next((detail for asked, detail in wanted if asked), Detail.NORMAL)


def _complain(analysis: Analysis) -> None:
    """Say on stderr what was not scanned and which comments are idle, one line each."""
    from perfscan.reports.excerpt import inert

    for error in analysis.errors:
        place = error.path if error.line is None else f"{error.path}:{error.line}"
        label = "error" if error.named else "warning"
        typer.echo(f"{label}: {inert(f'{place}: {error.message}')}", err=True)
    for unused in analysis.unused_ignores:
        comment = f"perfscan: ignore{_bracketed(unused.rules)}"
        place = inert(f"{unused.path}:{unused.line}")
        typer.echo(f"warning: {place}: `{comment}` silences nothing; remove it", err=True)
    if any(error.named for error in analysis.errors):
        typer.echo("  help: repair the file or leave it out of the command", err=True)
    if not analysis.files and not analysis.errors:
        typer.echo("warning: there is no Python file to scan here", err=True)
        typer.echo("  help: name the files; folders skip what .gitignore hides", err=True)


def _bracketed(rules: Collection[str]) -> str:
    return f"[{', '.join(rules)}]" if rules else ""


def _status(analysis: Analysis, fail_on: FailOn) -> int:
    from perfscan.analyzers.model import Severity

    if any(error.named for error in analysis.errors):
        return Status.BAD_INPUT
    if fail_on is FailOn.NEVER:
        return Status.OK
    limit = Severity[fail_on.name]
    reached = any(finding.severity >= limit for finding in analysis.findings)
    return Status.FINDINGS if reached else Status.OK
