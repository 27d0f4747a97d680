"""``perfscan demo``: the whole loop on a bundled bot, no arguments needed."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from perfscan.cli.bench_output import status_of, write_text
from perfscan.cli.options import QUICK_PAIRS
from perfscan.cli.status import Status
from perfscan.errors import InputError, MissingExtraError

NEEDED = ("aiohttp", "redis", "requests", "websocket")


def demo(
    bot: Annotated[str, typer.Argument(help="A bundled bot.")] = "pool_alerts",
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for report.md and run.json.")
    ] = Path("perfscan-demo"),
    pairs: Annotated[int, typer.Option(min=1, help="Paired runs.")] = QUICK_PAIRS,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Scan a bundled bot, replay its traffic before and after, write the report.

    Example: perfscan demo pool_alerts
    """
    scenario = bundled(bot)
    try:
        from perfscan.cli.bench_run import Order, run
    except ModuleNotFoundError as error:
        raise MissingExtraError("perfscan demo", "demo") from error
    _require_libraries()
    from perfscan.reports.run_markdown import render_markdown
    from perfscan.reports.run_terminal import render_terminal

    _make_folder(output)
    typer.echo(f"1/3 scanning {bot}/original", err=True)
    typer.echo(_findings(scenario.parent / "original"))
    typer.echo(f"2/3 replaying recorded traffic to both sides of {bot}", err=True)
    result = run(Order(scenario=scenario, output=output / "run.json", pairs=pairs, quiet=quiet))
    write_text(output / "report.md", render_markdown(result))
    typer.echo(render_terminal(result))
    typer.echo(f"3/3 wrote {output / 'report.md'} and {output / 'run.json'}", err=True)
    status = status_of(result, None)
    # A claim that proves untrue is what a demo is for, not a failure of it.
    raise typer.Exit(Status.OK if status is Status.FINDINGS else status)


def bundled(bot: str) -> Path:
    """Return the scenario of a bundled bot. Raises InputError with the names that there are."""
    bots = Path(str(files("perfscan.fixtures"))) / "bots"
    scenario = bots / bot / "scenario.yaml"
    if not scenario.is_file():
        known = ", ".join(sorted(path.parent.name for path in bots.glob("*/scenario.yaml")))
        raise InputError(f"there is no bundled bot {bot!r}", remedy=f"choose one of: {known}")
    return scenario


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make this folder: {error.strerror}",
            where=str(folder),
            remedy="name another one with -o",
        ) from error


def _findings(folder: Path) -> str:
    """Scan ``folder`` and return what ``perfscan analyze`` prints."""
    from time import perf_counter

    from perfscan.analyzers.engine import analyze
    from perfscan.reports.findings_text import Detail, Style, render

    started = perf_counter()
    analysis = analyze([folder], root=folder)
    return render(
        analysis,
        seconds=perf_counter() - started,
        detail=Detail.NORMAL,
        style=Style(),
    )


def _require_libraries() -> None:
    from importlib.util import find_spec

    if not all(find_spec(name) for name in NEEDED):
        raise MissingExtraError("perfscan demo", "demo")
