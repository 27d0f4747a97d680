"""``perfscan bench``: measure an original and an optimized bot on the same recorded traffic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perfscan.cli.bench_calibrate import calibrate
from perfscan.cli.bench_compare import compare
from perfscan.cli.bench_history import history
from perfscan.cli.bench_output import (
    check_inconclusive,
    next_free,
    remember,
    seconds_of,
    side_of,
    status_of,
    write_text,
)
from perfscan.cli.options import PAIRS, QUICK_PAIRS, AsJson, Faults, Inconclusive, Report
from perfscan.errors import MissingExtraError

bench = typer.Typer(
    help="Measure an original and an optimized bot on the same recorded traffic.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@bench.callback()
def _bench() -> None:
    """Measure an original and an optimized bot on the same recorded traffic."""


bench.command("calibrate")(calibrate)
bench.command("compare")(compare)
bench.command("history")(history)


@bench.command("replay")
def replay(
    scenario: Annotated[Path, typer.Argument(help="A scenario.yaml.", show_default=False)],
    pairs: Annotated[
        int, typer.Option(min=1, help="Paired runs; 6 is the least that shows.")
    ] = PAIRS,
    quick: Annotated[bool, typer.Option("--quick", help="6 pairs.")] = False,
    lanes: Annotated[
        int | None,
        typer.Option(min=1, help="Pairs side by side; default: what the scenario says."),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, help="Divide recorded waits by this.")] = 1.0,
    load: Annotated[
        str, typer.Option(help="Multiply the items, as in 10x; below 1 leaves some out.")
    ] = "1",
    until: Annotated[
        float | None, typer.Option(min=1, help="Play only the first seconds of the streams.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 1,
    fault: Faults = None,
    after: Annotated[
        str, typer.Option(help="Side to run as the changed one; 'original' compares it to itself.")
    ] = "optimized",
    only: Annotated[
        str | None,
        typer.Option(help="Run 'original' or 'optimized' alone: figures, nothing compared."),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Begin no pair that would end later, such as 10m.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the interrupted bench of this result file.")
    ] = None,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Then switch each optimisation off, and on, alone.")
    ] = False,
    switches: Annotated[
        str | None, typer.Option(help="Ablate only these, by name: cache,pooling.")
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help="Run this variant of the scenario instead of it.")
    ] = None,
    variants: Annotated[
        bool, typer.Option("--variants", help="Then run every variant of the scenario, too.")
    ] = False,
    variant_pairs: Annotated[
        int | None,
        typer.Option(min=1, help="Pairs of each variant; says --variants.", show_default="2"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Result file; default: the next free run.json."),
    ] = None,
    report: Report = None,
    as_json: AsJson = False,
    inconclusive: Inconclusive = None,
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
    spin: Annotated[
        bool | None,
        typer.Option(help="Keep idle processors awake; default: where the machine is quiet."),
    ] = None,
    pin: Annotated[
        bool | None,
        typer.Option(help="Processors of their own for server and bot; default: where quiet."),
    ] = None,
    past: Annotated[
        bool, typer.Option("--history/--no-history", help="Remember this result.")
    ] = True,
    past_file: Annotated[
        Path | None,
        typer.Option("--history-file", help="Where; default: the user's state folder."),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Replay recorded traffic to both sides of a scenario and report the difference.

    Example: perfscan bench replay scenario.yaml --quick --report report.md
    """
    check_inconclusive(inconclusive)
    try:
        from perfscan.cli.bench_run import Order, run
    except ModuleNotFoundError as error:
        raise MissingExtraError("perfscan bench", "bench") from error

    from perfscan.replay.load import parse_factor
    from perfscan.replay.result import dump_result
    from perfscan.replay.variants import PAIRS as VARIANT_PAIRS
    from perfscan.reports.run_markdown import render_markdown
    from perfscan.reports.run_terminal import render_terminal

    if str(output) == "-":
        output, as_json = None, True
    order = Order(
        scenario=scenario,
        output=output or resume or next_free(Path("run.json")),
        pairs=QUICK_PAIRS if quick else pairs,
        lanes=lanes,
        speed=speed,
        load=parse_factor(load),
        until_s=until,
        seed=seed,
        after=after,
        only=side_of(only),
        budget_s=seconds_of(budget) if budget else None,
        resume=resume,
        ablate=tuple(filter(None, (switches or "").split(","))) if ablate or switches else None,
        variant=variant,
        variant_pairs=variant_pairs or (VARIANT_PAIRS if variants else None),
        python=python,
        keep=keep,
        scan=scan,
        vitals=vitals,
        faults=tuple(fault or ()),
        spin=spin,
        pin=pin,
        quiet=quiet,
    )
    result = run(order)
    typer.echo(dump_result(result) if as_json else render_terminal(result), nl=not as_json)
    written = [str(order.output)]
    if report is not None:
        written += write_text(report, render_markdown(result))
    typer.echo(f"wrote {', '.join(written)}", err=True)
    if past:
        remember(result, past_file)
    raise typer.Exit(status_of(result, inconclusive))
