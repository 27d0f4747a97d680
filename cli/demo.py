"""``perfscan demo``: the whole loop on a bundled bot, no arguments needed."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from perfscan.cli.bench_output import status_of, write_text
from perfscan.cli.options import QUICK_PAIRS
from perfscan.cli.status import Status
from perfscan.errors import InputError, MissingExtraError

_DISTRIBUTION = re.compile(r"[A-Za-z0-9][\w.-]*")


def demo(
    bot: Annotated[str, typer.Argument(help="A bundled bot; --list names them.")] = "pool_alerts",
    names: Annotated[bool, typer.Option("--list", help="Only list the bundled bots.")] = False,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for report.md and run.json.")
    ] = Path("perfscan-demo"),
    pairs: Annotated[int, typer.Option(min=1, help="Paired runs.")] = QUICK_PAIRS,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Scan a bundled bot, replay its traffic before and after, write the report.

    Example: perfscan demo pool_alerts
    """
    if names:
        typer.echo(_listing())
        return
    scenario = bundled(bot)
    try:
        from perfscan.cli.bench_run import Order, run
    except ModuleNotFoundError as error:
        raise MissingExtraError("perfscan demo", "demo") from error
    _require_libraries(scenario.parent)
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
    scenarios = _scenarios()
    if bot not in scenarios:
        known = ", ".join(scenarios)
        raise InputError(f"there is no bundled bot {bot!r}", remedy=f"choose one of: {known}")
    return scenarios[bot]


def _scenarios() -> dict[str, Path]:
    """Return the scenario of every bundled bot by its name."""
    bots = Path(str(files("perfscan.fixtures"))) / "bots"
    return {path.parent.name: path for path in sorted(bots.glob("*/scenario.yaml"))}


def _listing() -> str:
    """Return a line for each bundled bot: its name and its title."""
    from perfscan.replay.yaml_node import read_yaml

    scenarios = _scenarios()
    width = max(map(len, scenarios))
    titles = {name: read_yaml(path).mapping()["title"].text() for name, path in scenarios.items()}
    return "\n".join(f"{name:{width}}  {title}" for name, title in titles.items())


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


def _require_libraries(bot: Path) -> None:
    """Raise MissingExtraError unless what both sides of a bot require is installed."""
    needed = {
        name
        for file in sorted(bot.glob("*/requirements.txt"))
        for name in required(file.read_text("utf-8"))
    }
    if missing := sorted(filter(_is_missing, needed)):
        raise MissingExtraError(f"perfscan demo {bot.name}, which uses {missing[0]},", "demo")


def required(requirements: str) -> list[str]:
    """Return the names of the distributions that the text of a requirements.txt asks for."""
    lines = (line.strip() for line in requirements.splitlines())
    found = (_DISTRIBUTION.match(line) for line in lines if not line.startswith(("#", "-")))
    return [name[0] for name in found if name]


def _is_missing(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return True
    return False
