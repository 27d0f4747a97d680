"""``perfscan bench``: measure an original and an optimized bot on the same recorded traffic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from perfscan.cli.options import Faults
from perfscan.cli.status import Status
from perfscan.errors import InputError, MissingExtraError

bench = typer.Typer(
    help="Measure an original and an optimized bot on the same recorded traffic.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

QUICK_PAIRS = 6


@bench.callback()
def _bench() -> None:
    """Measure an original and an optimized bot on the same recorded traffic."""


@bench.command("replay")
def replay(
    scenario: Annotated[Path, typer.Argument(help="A scenario.yaml.", show_default=False)],
    pairs: Annotated[int, typer.Option(min=1, help="Paired runs; 6 is the least that shows.")] = 12,
    quick: Annotated[bool, typer.Option("--quick", help="6 pairs.")] = False,
    lanes: Annotated[
        int | None,
        typer.Option(min=1, help="Pairs side by side; default: what the scenario says."),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, help="Divide recorded waits by this.")] = 1.0,
    until: Annotated[
        float | None, typer.Option(min=1, help="Play only the first seconds of the streams.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 1,
    fault: Faults = None,
    after: Annotated[
        str, typer.Option(help="Side to run as the changed one; 'original' compares it to itself.")
    ] = "optimized",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Result file; default: the next free run.json."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Also write the Markdown report to this file.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result file instead of the summary.")
    ] = False,
    inconclusive: Annotated[
        str | None,
        typer.Option(help="'pass' or 'fail': the exit code where nothing could be decided."),
    ] = None,
    python: Annotated[
        Path | None, typer.Option(help="Interpreter of the bots; default: the one of perfscan.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Keep logs and journals of all runs in this folder.")
    ] = None,
    scan: Annotated[bool, typer.Option(help="Also scan both sides and show what changed.")] = True,
    vitals: Annotated[
        bool, typer.Option(help="Watch the event loops of the bots from inside.")
    ] = True,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Replay recorded traffic to both sides of a scenario and report the difference.

    Example: perfscan bench replay scenario.yaml --quick --report report.md
    """
    if inconclusive not in (None, "pass", "fail"):
        raise InputError(
            f"--inconclusive cannot be {inconclusive!r}", remedy="use 'pass' or 'fail'"
        )
    try:
        from perfscan.cli.bench_run import Order, run
    except ModuleNotFoundError as error:
        raise MissingExtraError("perfscan bench", "bench") from error

    from perfscan.replay.result import dump_result
    from perfscan.reports.run_markdown import render_markdown
    from perfscan.reports.run_terminal import render_terminal

    order = Order(
        scenario=scenario,
        pairs=QUICK_PAIRS if quick else pairs,
        lanes=lanes,
        speed=speed,
        until_s=until,
        seed=seed,
        after=after,
        output=output or next_free(Path("run.json")),
        python=python,
        keep=keep,
        scan=scan,
        vitals=vitals,
        faults=tuple(fault or ()),
        quiet=quiet,
    )
    result = run(order)
    typer.echo(dump_result(result) if as_json else render_terminal(result), nl=not as_json)
    written = [str(order.output)]
    if report is not None:
        write_text(report, render_markdown(result))
        written.append(str(report))
    typer.echo(f"wrote {', '.join(written)}", err=True)
    raise typer.Exit(status_of(result, inconclusive))


def status_of(result: Any, inconclusive: str | None) -> Status:
    """Return the exit status of a finished or interrupted bench."""
    comparison = result.comparison
    if result.interrupted:
        return Status.INTERRUPTED
    if comparison.verdict == "replies differ":
        return Status.DIFFERENT_WORK
    if comparison.verdict == "inconclusive":
        undecided = {"pass": Status.OK, "fail": Status.FINDINGS}
        return undecided.get(inconclusive or "", Status.INCONCLUSIVE)
    missed = any(metric.target_met == "missed" for metric in comparison.metrics)
    worse = comparison.verdict in ("slower", "mixed")
    return Status.FINDINGS if missed or worse else Status.OK


def next_free(path: Path) -> Path:
    """Return ``path``, or ``run-2.json``, ``run-3.json`` ... so that no earlier result is lost."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


def write_text(path: Path, text: str) -> None:
    """Write a report. Raises InputError where that is not possible."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot write the report: {error.strerror}",
            where=str(path),
            remedy="name a file in a folder that exists",
        ) from error
