"""``perfscan bench calibrate``: one side against itself, and what that says of later benches."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perfscan.cli.status import Status
from perfscan.errors import MissingExtraError, NotMeasurableError

if TYPE_CHECKING:
    from perfscan.cli.bench_run import Order
    from perfscan.replay.calibration import Calibration, SizeCalibration
    from perfscan.replay.model import Side

GOAL = 0.05


def calibrate(
    scenario: Annotated[Path, typer.Argument(help="A scenario.yaml.", show_default=False)],
    side: Annotated[str, typer.Option(help="Which side to run against itself.")] = "original",
    pairs: Annotated[int, typer.Option(min=6, help="Pairs of runs to make.")] = 20,
    comparisons: Annotated[
        int, typer.Option(min=40, help="Benches to form from them, for each number of pairs.")
    ] = 200,
    lanes: Annotated[
        int | None, typer.Option(min=1, help="Pairs side by side; default: what the scenario says.")
    ] = None,
    until: Annotated[
        float | None, typer.Option(min=1, help="Play only the first seconds of the streams.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 1,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Default: calibration.json beside the scenario."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the file, not the table.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Run one side against itself: false alarms, noise, and the smallest change that shows.

    Benches of 6, 12 and 20 pairs are formed from the pairs that were run, under random names. The
    file is quoted in later reports of the same recording on the same machine.

    Example: perfscan bench calibrate scenario.yaml --pairs 20
    """
    try:
        from perfscan.cli.bench_run import Order
        from perfscan.replay.calibration import FILE, dump_calibration
    except ModuleNotFoundError as error:
        raise MissingExtraError("perfscan bench calibrate", "bench") from error
    from perfscan.cli.bench_output import side_of, write_text
    from perfscan.replay.scratch import scratch_folder

    chosen = side_of(side) or "original"
    target = output or scenario.parent / FILE
    with scratch_folder("perfscan-calibrate-") as folder:
        order = Order(
            scenario=scenario,
            output=folder / "run.json",
            pairs=pairs,
            lanes=lanes,
            until_s=until,
            seed=seed,
            scan=False,
            quiet=quiet,
        )
        found = _measure(order, chosen, comparisons)
    text = dump_calibration(found)
    written = write_text(target, text)
    typer.echo(text if as_json else _table(found), nl=not as_json)
    for name in written:
        typer.echo(f"wrote {name}", err=True)
    raise typer.Exit(Status.OK if _within_goal(found) else Status.INCONCLUSIVE)


def _measure(order: Order, side: Side, comparisons: int) -> Calibration:
    from perfscan.cli.bench_run import one_side_twice, run
    from perfscan.replay.calibration import Calibration, calibrate
    from perfscan.replay.manner import manner
    from perfscan.replay.scenario import read_scenario

    scenario = one_side_twice(read_scenario(order.scenario), side)
    result = run(order, scenario)
    if result.interrupted:
        raise KeyboardInterrupt
    if result.comparison.pairs < 6:
        doubt = result.comparison.doubts[0]
        raise NotMeasurableError(
            f"too few pairs for a calibration: {doubt.what}", remedy=doubt.remedy
        )
    if not result.comparison.equivalence.same:
        raise NotMeasurableError(
            f"the {side} side does not do the same work twice, so nothing can be compared",
            remedy="see which items differ with perfscan bench replay --after original",
        )
    seen = result.environment
    return Calibration(
        scenario=scenario.name,
        primary=scenario.primary,
        threshold=scenario.threshold,
        recording=str(result.recording["sha256"]),
        machine=str(seen["machine"]),
        cpus=seen["cpus"],
        side=side,
        pairs=result.comparison.pairs,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        sizes=calibrate(result.runs, scenario, comparisons=comparisons, seed=order.seed),
        manner=manner(result.method),
    )


def _within_goal(found: Calibration) -> bool:
    return all(
        size.false_alarms <= GOAL * size.comparisons for size in found.sizes if size.comparisons
    )


def _table(found: Calibration) -> str:
    from perfscan.quantities import percent
    from perfscan.reports.table import plain_table, wrapped

    primary = found.primary
    rows = [
        (
            str(size.pairs),
            _rate(size, size.false_alarms),
            _rate(size, size.other_false_alarms),
            percent(size.noise[primary]) if primary in size.noise else "-",
            percent(size.detectable[primary]) if primary in size.detectable else "-",
        )
        for size in found.sizes
    ]
    table = plain_table(
        ("pairs", "false alarms", "any other metric", "noise", "smallest change seen"),
        ("right", "right", "right", "right", "right"),
        rows,
    )
    return "\n".join(
        [
            f"{found.scenario}: the {found.side} side against itself, {found.pairs} pairs",
            f"primary metric: {primary}",
            "",
            *table,
            "",
            *wrapped(
                f"Benches are formed at random from the {found.pairs} pairs; no run is used twice "
                "in one, but they share runs among each other: their number makes the rate finer, "
                "not surer. Lines without false alarms are extrapolated by the square root of the "
                "pairs.",
                first="",
                rest="",
            ),
            "",
            *_smallest(found),
        ]
    )


def _rate(size: SizeCalibration, number: int) -> str:
    return f"{number} of {size.comparisons}" if size.comparisons else "-"


def _smallest(found: Calibration) -> list[str]:
    from perfscan.quantities import percent
    from perfscan.reports.table import plain_table

    largest = [size for size in found.sizes if size.comparisons][-1]
    rows = [
        (name, percent(largest.noise[name]) if name in largest.noise else "-", percent(share))
        for name, share in sorted(largest.detectable.items())
        if "_all_ms" not in name and "_per_item" not in name
    ]
    head = f"Smallest change seen with {largest.pairs} pairs, every metric:"
    table = plain_table(("metric", "noise", "smallest change"), ("left", "right", "right"), rows)
    return [head, *table]
