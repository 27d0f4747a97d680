"""``perfscan init``: begin a scenario for a bot."""

from __future__ import annotations

import os.path
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perfscan.cli.status import Status
from perfscan.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from perfscan.replay.proposal import Proposal

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
        from perfscan.replay.proposal import propose, untimed
        from perfscan.replay.recording import read_recording
        from perfscan.replay.scenario.template import Draft, write_scenario
    except ModuleNotFoundError as error:
        raise MissingExtraError("perfscan init", "bench") from error
    file = folder / FILE
    words = _words(command)
    recorded = read_recording(recording) if recording else None
    proposal = propose(recorded) if recorded else None
    draft = Draft(
        name=folder.resolve().name,
        recording=_relative(recording, folder) if recording else "traffic.jsonl",
        original=_relative(original, folder),
        optimized=_relative(optimized, folder),
        command=words,
        proposal=proposal,
        untimed=untimed(recorded) if recorded else (),
    )
    _write(file, write_scenario(draft))
    typer.echo(f"wrote {file}")
    if recording is None:
        typer.echo(f"next: perfscan record -o {folder / 'traffic.jsonl'} -- {command}")
    elif proposal is None:
        typer.echo("next: say in it what begins and what ends one item; it could not be guessed")
    else:
        typer.echo(f"guessed an item: {_sentence(proposal)}")
        if draft.untimed:
            typer.echo("the recording has no times: say under latency: what the services take")
        typer.echo(f"next: check the guess, then perfscan bench replay {file} --quick")
    return Status.OK


def _sentence(proposal: Proposal) -> str:
    from perfscan.replay.model import PushStimulus, RequestEffect, UpdateStimulus

    match proposal.stimulus:
        case PushStimulus(websocket=url):
            begins = f"a message of {url}"
        case UpdateStimulus(poll=poll):
            begins = f"an update from {poll}"
        case inbound:
            begins = f"{inbound.inbound} to the bot"
    effect = proposal.effect
    ends = " or ".join(effect.request) if isinstance(effect, RequestEffect) else "its answer"
    return f"{begins}, then {ends} ({proposal.joined} found in the recording)"


def _words(command: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise InputError(
            f"not a command: {error}", where="--command", remedy="close every quotation mark"
        ) from error
    if not words:
        raise InputError("no command", where="--command", remedy="give one such as 'python bot.py'")
    return words


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
        raise InputError(
            f"cannot be written: {error.strerror}",
            where=str(file),
            remedy="name a folder that exists and can be written to",
        ) from error
