"""The ``perfscan`` command: mounts one file per command and turns errors into exit codes."""

from __future__ import annotations

import sys
import tempfile
import traceback
from typing import Annotated

import typer

from perfscan import __version__
from perfscan.cli import traffic
from perfscan.cli.analyze import analyze
from perfscan.cli.bench import bench
from perfscan.cli.demo import demo
from perfscan.cli.init import init
from perfscan.cli.record import record
from perfscan.cli.report import report
from perfscan.cli.rules import rules
from perfscan.cli.schema import schema
from perfscan.cli.status import Status
from perfscan.errors import PerfscanError

app = typer.Typer(
    name="perfscan",
    help="Find what makes a bot slow, replay its traffic before and after, prove the difference.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


app.command()(analyze)
app.command()(rules)
app.command()(record)
app.add_typer(traffic.app, name="traffic")
app.add_typer(bench, name="bench")
app.add_typer(report, name="report")
app.command()(demo)
app.command()(init)
app.command()(schema)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"perfscan {__version__}")
        raise typer.Exit


@app.callback()
def perfscan(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Find what makes a bot slow, replay its traffic before and after, prove the difference.

    Example: perfscan analyze bot/
    """


def run() -> None:
    """Run the command line and exit; every failure is one line on stderr and a status."""
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: list[str]) -> int:
    """Run the command line on ``arguments`` and return its exit status."""
    try:
        outcome = app(arguments, prog_name="perfscan", standalone_mode=False)
    except PerfscanError as error:
        return _fail(str(error.where or ""), error.what, error.remedy, error.exit_code)
    except typer.TyperException as error:
        return _fail("", error.format_message(), "see perfscan --help", Status.BAD_INPUT)
    except (KeyboardInterrupt, typer.Abort):
        return Status.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader left; Python must not complain at exit
        return Status.OK
    except Exception:
        return _report_bug()
    return outcome if isinstance(outcome, int) else Status.OK


def _fail(where: str, what: str, remedy: str | None, status: int) -> int:
    place = f"{where}: " if where else ""
    typer.echo(f"error: {place}{what}", err=True)
    if remedy:
        typer.echo(f"  help: {remedy}", err=True)
    return status


def _report_bug() -> int:
    with tempfile.NamedTemporaryFile(
        "w", prefix="perfscan-crash-", suffix=".txt", delete=False, encoding="utf-8"
    ) as crash:
        crash.write(f"perfscan {__version__}, Python {sys.version}\n{traceback.format_exc()}")
    typer.echo(f"error: perfscan failed by its own fault; details are in {crash.name}", err=True)
    return Status.BUG
