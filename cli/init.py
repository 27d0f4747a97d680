"""``perfscan init``: begin a scenario for a bot."""

from __future__ import annotations

import os.path
import shlex
from pathlib import Path
from typing import Annotated

import typer

from perfscan.cli.status import Status
from perfscan.errors import InputError, MissingExtraError

FILE = "scenario.yaml"


def init(
    folder: Annotated[Path, typer.Argument(help="Where scenario.yaml is written.")] = Path(),
    recording: Annotated[
        Path | None, typer.Option(help="Recorded traffic, from which items are guessed.")
    ] = None,
    original: Annotated[Path, typer.Option(help="Folder of the bot as it is.")] = Path("original"),
    optimized: Annotated[Path, typer.Option(help="Folder of the changed bot.")] = Path("optimized"),
    command: Annotated[str, typer.Option(help="What starts the bot.")] = "python bot.py",
) -> int:
    """Write a first scenario.yaml with comments; guesses are marked, nothing is overwritten.

    Example: perfscan init --recording traffic.jsonl --original . --optimized ../faster
    """
    try:
        from perfscan.replay.proposal import propose
        from perfscan.replay.recording import read_recording
        from perfscan.replay.scenario.template import Draft, write_scenario
    except ModuleNotFoundError as error:
        raise MissingExtraError("perfscan init", "bench") from error
    file = folder / FILE
    proposal = propose(read_recording(recording)) if recording else None
    draft = Draft(
        name=folder.resolve().name,
        recording=_relative(recording, folder) if recording else "traffic.jsonl",
        original=_relative(original, folder),
        optimized=_relative(optimized, folder),
        command=tuple(shlex.split(command)),
        proposal=proposal,
    )
    _write(file, write_scenario(draft))
    typer.echo(f"wrote {file}")
    if recording is None:
        typer.echo(f"next: perfscan record -o {folder / 'traffic.jsonl'} -- {command}")
    elif proposal is None:
        typer.echo("next: say in it what begins and what ends one item; it could not be guessed")
    else:
        typer.echo(
            f"guessed an item: a message of {proposal.stream}, then {proposal.effect} "
            f"({proposal.joined} found in the recording)\n"
            f"next: check the guess, then perfscan bench replay {file} --quick"
        )
    return Status.OK


def _relative(path: Path, folder: Path) -> str:
    """Return ``path`` as seen from the scenario's folder."""
    return Path(os.path.relpath(path, folder)).as_posix()


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError as error:
        raise InputError(
            "this file exists already", where=str(file), remedy="remove it, or name another folder"
        ) from error
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=str(file)) from error
