"""``perfscan bench history``: one metric over all benches of a scenario, and where it changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perfscan.errors import InputError
from perfscan.replay.schedule import SIDES

if TYPE_CHECKING:
    from perfscan.replay.change_points import ChangePoint
    from perfscan.replay.history import Entry, History
    from perfscan.replay.model import Side

LEAST_CHANGE = 0.05


def history(
    scenario: Annotated[
        str | None, typer.Argument(help="A scenario.yaml or its name.", show_default=False)
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Metric; default: the scenario's primary one, or p95.")
    ] = None,
    side: Annotated[str, typer.Option(help="'original' or 'optimized'.")] = "optimized",
    form: Annotated[str, typer.Option("--format", help="'text' or 'json'.")] = "text",
    file: Annotated[
        Path | None, typer.Option("--history-file", help="Where the history is.")
    ] = None,
) -> None:
    """Show one metric over all benches of a scenario, and where it changed for good.

    Example: perfscan bench history scenario.yaml --metric item_latency_ms.p95
    """
    from perfscan.cli.bench_output import side_of
    from perfscan.replay.history import History, default_file

    wanted_side = side_of(side) or "optimized"
    if form not in ("text", "json"):
        raise InputError(f"--format cannot be {form!r}", remedy="use 'text' or 'json'")
    path = file or default_file()
    if not path.exists():
        raise InputError("there is no history yet", where=str(path), remedy="run a bench first")
    with History(path) as opened:
        if scenario is None:
            typer.echo(_scenarios(opened, form))
            return
        key = Path(scenario) if Path(scenario).is_file() else scenario
        name = metric or _primary(key)
        entries = opened.entries(key, name, wanted_side)
        if not entries:
            raise InputError(
                f"no bench of {scenario} with {name} of the {side} side",
                remedy=_known(opened, key, scenario, wanted_side),
            )
    series = _latest_series(entries)
    typer.echo(_render(series, _changes(series), name, side, form))


def _primary(scenario: Path | str) -> str:
    if isinstance(scenario, str):
        return "item_latency_ms.p95"
    from perfscan.replay.scenario import read_bench

    return read_bench(scenario).primary


def _known(opened: History, key: Path | str, name: str, side: Side) -> str:
    if metrics := opened.metrics(key, side):
        return f"it has {', '.join(metrics)}"
    if any(opened.metrics(key, other) for other in SIDES):
        return "choose the other --side"
    names = ", ".join(dict.fromkeys(row[0] for row in opened.scenarios()))
    return f"there are benches of {names}" if names else f"run perfscan bench replay {name}"


def _latest_series(entries: Sequence[Entry]) -> list[Entry]:
    """Keep what can be compared with the newest bench: same recording, manner and machine."""
    keys = [(one.recording, one.manner, one.machine) for one in entries]
    return [one for one, key in zip(entries, keys, strict=True) if key == keys[-1]]


def _changes(series: Sequence[Entry]) -> tuple[ChangePoint, ...]:
    """Find lasting changes beyond the threshold and beyond the intervals of the figures."""
    from perfscan.replay.change_points import change_points

    widths = sorted((one.high - one.low) / (2 * one.value) for one in series if one.value > 0)
    noise = widths[len(widths) // 2] if widths else 0.0
    return change_points([one.value for one in series], least_change=max(noise, LEAST_CHANGE))


def _render(
    series: Sequence[Entry], changes: Sequence[ChangePoint], metric: str, side: str, form: str
) -> str:
    if form == "json":
        document = {
            "schema": "perfscan.history/1",
            "metric": metric,
            "side": side,
            "benches": [asdict(one) for one in series],
            "changes": [asdict(one) for one in changes],
        }
        return json.dumps(document, indent=1, ensure_ascii=False)
    from perfscan.quantities import change, quantity
    from perfscan.reports.table import plain_table, wrapped

    at = {one.index: one for one in changes}
    rows = [
        (
            one.started_at[:16].replace("T", " "),
            (one.commit[:10] or "-") + ("+" if one.changed else ""),
            quantity(one.value, one.unit),
            f"{quantity(one.low, one.unit)} to {quantity(one.high, one.unit)}",
            str(one.runs),
            f"changed here: {change(at[index].ratio)}" if index in at else "",
        )
        for index, one in enumerate(series)
    ]
    newest = series[-1]
    told = (newest.scenario, f"{metric} of the {side} side", newest.machine, newest.manner)
    table = plain_table(
        ("date (UTC)", "commit", "median", "interval", "runs", ""),
        ("left", "left", "right", "left", "right", "left"),
        rows,
    )
    return "\n".join([*wrapped(" · ".join(filter(None, told)), first=""), "", *table])


def _scenarios(opened: History, form: str) -> str:
    found = opened.scenarios()
    if form == "json":
        rows = [{"scenario": name, "path": path, "benches": number} for name, path, number in found]
        return json.dumps({"schema": "perfscan.history/1", "scenarios": rows}, indent=1)
    from perfscan.reports.run_words import plural

    return "\n".join(
        f"{name}  {path}  {number} {plural('bench', number)}" for name, path, number in found
    )
