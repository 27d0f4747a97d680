"""What every ``perfscan bench`` command does with a result: files, exit status."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer

from perfscan.cli.status import Status
from perfscan.errors import InputError
from perfscan.replay.model import Side
from perfscan.replay.schedule import SIDES

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)?")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(text: str) -> float:
    """Read a duration such as ``90s``, ``10m`` or ``1.5h``. Raises InputError for another word."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise InputError(f"not a duration: {text!r}", remedy="write 90s, 10m or 2h")
    return float(found[1]) * _SECONDS[found[2] or "s"]


def side_of(name: str | None) -> Side | None:
    """Read the name of a side. Raises InputError for another word."""
    if name is None:
        return None
    for side in SIDES:
        if side == name:
            return side
    raise InputError(f"there is no side {name!r}", remedy=f"use {' or '.join(map(repr, SIDES))}")


def check_inconclusive(word: str | None) -> None:
    """Raise InputError unless ``word`` says how a bench ends that decides nothing."""
    if word not in (None, "pass", "fail"):
        raise InputError(f"--inconclusive cannot be {word!r}", remedy="use 'pass' or 'fail'")


def remember(result: Any, file: Path | None) -> None:
    """Add a result to the history; a history that cannot be written costs a line, no result."""
    from perfscan.replay.history import History, default_file

    try:
        with History(file or default_file()) as history:
            history.add(result)
    except InputError as error:
        typer.echo(f"warning: {error.where}: {error.what}; {error.remedy}", err=True)


def status_of(result: Any, inconclusive: str | None) -> Status:
    """Return the exit status of a finished or interrupted bench.

    Where one side ran alone there is nothing to compare: targets decide, and runs that failed.
    """
    comparison = result.comparison
    if result.interrupted:
        return Status.INTERRUPTED
    undecided = {"pass": Status.OK, "fail": Status.FINDINGS}
    if result.method.get("only"):
        if any(figure.target_met == "missed" for figure in result.figures):
            return Status.FINDINGS
        if result.figures and all(run.ok for run in result.runs):
            return Status.OK
        return undecided.get(inconclusive or "", Status.INCONCLUSIVE)
    judged = (comparison, *(variant.comparison for variant in result.variants))
    if any(one.verdict == "replies differ" for one in judged):
        return Status.DIFFERENT_WORK
    if comparison.verdict == "inconclusive":
        return undecided.get(inconclusive or "", Status.INCONCLUSIVE)
    missed = any(metric.target_met == "missed" for metric in comparison.metrics)
    worse = comparison.verdict in ("slower", "mixed")
    return Status.FINDINGS if missed or worse else Status.OK


def kept_folder(keep: Path) -> Path:
    """Return the folder in which the user wants to keep the files of the runs."""
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot keep runs here: {error.strerror}", where=str(keep)) from error
    if any(keep.iterdir()):
        raise InputError(
            "this folder holds something already", where=str(keep), remedy="name a new one"
        )
    return keep.resolve()


def next_free(path: Path) -> Path:
    """Return ``path``, or ``run-2.json``, ``run-3.json`` ... so that no earlier result is lost."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


def write_text(path: Path, text: str) -> list[str]:
    """Write a report, ``-`` being standard output; return the names of files that were written.

    Raises InputError where that is not possible.
    """
    if str(path) == "-":
        typer.echo(text, nl=False)
        return []
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot write the report: {error.strerror}",
            where=str(path),
            remedy="name a file in a folder that exists",
        ) from error
    return [str(path)]
