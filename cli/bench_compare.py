"""``perfscan bench compare``: two stored results, or one scenario at two commits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perfscan.cli.options import PAIRS, QUICK_PAIRS, AsJson, Inconclusive, Report
from perfscan.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from perfscan.replay.model import Result, Side


def compare(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Two results, the earlier first; with --commits a scenario.", show_default=False
        ),
    ],
    commits: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Run the scenario at these two commits in turn.", metavar="A B"),
    ] = None,
    side: Annotated[str, typer.Option(help="Which side of both to compare.")] = "optimized",
    pairs: Annotated[int, typer.Option(min=1, help="With --commits: paired runs.")] = PAIRS,
    quick: Annotated[bool, typer.Option("--quick", help="With --commits: 6 pairs.")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Also save the comparison as a result.")
    ] = None,
    report: Report = None,
    as_json: AsJson = False,
    inconclusive: Inconclusive = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Compare two stored results of one scenario, or the scenario at two commits.

    Stored results were not made in turn, so their comparison keeps a reserve for that; with
    --commits both are run in turn, as bench replay does.

    Example: perfscan bench compare --commits main HEAD scenario.yaml --quick
    """
    from perfscan.cli.bench_output import check_inconclusive, side_of, status_of, write_text

    check_inconclusive(inconclusive)
    chosen = side_of(side) or "optimized"
    try:
        result = (
            _commits(files, commits, chosen, QUICK_PAIRS if quick else pairs, quiet)
            if commits
            else _sessions(files, chosen)
        )
    except ModuleNotFoundError as error:
        raise MissingExtraError("perfscan bench", "bench") from error
    from perfscan.replay.result import dump_result, write_result
    from perfscan.reports.run_markdown import render_markdown
    from perfscan.reports.run_terminal import render_terminal

    typer.echo(dump_result(result) if as_json else render_terminal(result), nl=not as_json)
    if output is not None:
        write_result(result, output)
    if report is not None:
        write_text(report, render_markdown(result))
    raise typer.Exit(status_of(result, inconclusive))


def _sessions(files: list[Path], side: Side) -> Result:
    from perfscan.replay.result import read_result
    from perfscan.replay.sessions import Session, compare_sessions

    if len(files) != 2:
        raise InputError(
            f"two results are needed, {len(files)} given",
            remedy="perfscan bench compare A.json B.json, or --commits A B scenario.yaml",
        )
    earlier, later = (Session(str(file), read_result(file)) for file in files)
    return compare_sessions(earlier, later, side)


def _commits(
    files: list[Path], commits: tuple[str, str], side: Side, pairs: int, quiet: bool
) -> Result:
    from perfscan.cli.bench_run import Order, run
    from perfscan.replay.commits import check_out, join_commits
    from perfscan.replay.scratch import scratch_folder

    if len(files) != 1:
        raise InputError(
            f"--commits takes one scenario, {len(files)} given",
            remedy="perfscan bench compare --commits A B scenario.yaml",
        )
    with scratch_folder("perfscan-commits-") as folder:
        earlier, later = (
            check_out(files[0], commit, folder / name)
            for name, commit in zip(("earlier", "later"), commits, strict=True)
        )
        order = Order(
            scenario=files[0],
            output=folder / "run.json",
            pairs=pairs,
            scan=False,
            quiet=quiet,
        )
        result = run(order, join_commits(earlier, later, side), commits=commits)
    return replace(
        result,
        scenario={**result.scenario, "path": files[0].as_posix()},
        method={**result.method, "side": side},
    )
