"""``perfscan traffic``: look at recordings, check, convert and redact them, play them."""

from __future__ import annotations

import math
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perfscan.cli.options import Faults
from perfscan.cli.status import Status
from perfscan.errors import InputError

if TYPE_CHECKING:
    from perfscan.replay.model import Recording

app = typer.Typer(
    help="Show, check, convert, redact and serve recordings.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Format(StrEnum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "json"


RecordingFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="Recording in any known format.")
]
Target = Annotated[
    Path,
    typer.Option("--output", "-o", help="The new recording; .jsonl, .jsonl.gz, .jsonl.zst, .har."),
]
TargetFormat = Annotated[
    str | None, typer.Option("--to", help="jsonl or har, where the name does not tell.")
]
KeepSecrets = Annotated[bool, typer.Option("--no-redact", help="Keep secrets in the copy.")]


@app.command()
def show(
    file: RecordingFile,
    format_: Annotated[Format, typer.Option("--format", help="text or json.")] = Format.TEXT,
) -> int:
    """Say what a recording holds: hosts, endpoints, WebSockets, connections, redactions.

    Example: perfscan traffic show traffic.jsonl
    """
    from perfscan.cli import traffic_view
    from perfscan.replay.recording import read_recording
    from perfscan.replay.summary import summarise

    recording = read_recording(file)
    render = traffic_view.as_json if format_ is Format.JSON else traffic_view.as_text
    typer.echo(render(recording, summarise(recording)))
    return Status.OK


@app.command()
def check(
    file: RecordingFile,
    format_: Annotated[Format, typer.Option("--format", help="text or json.")] = Format.TEXT,
) -> int:
    """Say whether a recording can be replayed, what is wrong with it and what it is good for.

    Reads everything and names every problem with its line and its remedy, not only the first. Exit
    2 when it cannot be replayed as it is.

    Example: perfscan traffic check traffic.jsonl
    """
    from perfscan.cli import traffic_check
    from perfscan.replay.recording import read_what_can_be_read
    from perfscan.replay.soundness import examine

    reading = read_what_can_be_read(file)
    found = examine(reading)
    render = traffic_check.as_json if format_ is Format.JSON else traffic_check.as_text
    typer.echo(render(reading.recording, found))
    return Status.OK if found.replayable else Status.BAD_INPUT


@app.command()
def convert(
    file: RecordingFile,
    output: Target,
    to: TargetFormat = None,
    no_redact: KeepSecrets = False,
) -> int:
    """Write a recording of any known format as JSON Lines or HAR, secrets taken out.

    Example: perfscan traffic convert browser.har -o traffic.jsonl
    """
    from perfscan.replay import exporters
    from perfscan.replay.recording import read_recording

    exporter = exporters.choose(output, to)
    recording = read_recording(file)
    _refuse_empty(recording, file)
    if no_redact:
        typer.echo("warning: secrets are kept in the copy; do not share it", err=True)
    exporter.write(recording if no_redact else _redacted(recording), output)
    typer.echo(f"wrote {len(recording.events):,} events to {output}", err=True)
    return Status.OK


@app.command()
def redact(file: RecordingFile, output: Target, to: TargetFormat = None) -> int:
    """Write a copy without secrets, those of the present environment included.

    Example: perfscan traffic redact old.jsonl -o clean.jsonl
    """
    return convert(file, output, to)


@app.command()
def serve(
    file: RecordingFile,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    speed: Annotated[float, typer.Option(help="Divide recorded waits by this.")] = 1.0,
    fault: Faults = None,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 1,
) -> int:
    """Play a recording to any client on this machine, as a mock server, until Ctrl-C.

    Plain HTTP and WebSocket; requests are matched as in a replay, whatever host they name. Each
    WebSocket plays its session from the beginning. Nothing is ever fetched from the real services.
    A recording of requests that came to a program (GoReplay) is played in that program's place.

    Example: perfscan traffic serve traffic.jsonl --port 8000 --fault status=503:5%
    """
    from perfscan.replay.exchanges import outbound, turned
    from perfscan.replay.faults import read_faults
    from perfscan.replay.model import Emulated
    from perfscan.replay.recording_store import open_recording
    from perfscan.replay.server.mock import play_mock
    from perfscan.replay.server.playback import Settings

    if not 0 < speed < math.inf:
        raise InputError(
            "the speed must be a number above 0", where="--speed", remedy="give 1 or 10, say"
        )
    recording = open_recording(file)
    _refuse_empty(recording, file)
    if not outbound(recording):
        recording = turned(recording)
    emulated = Emulated(read_faults(fault or ()))
    settings = Settings(speed=speed, seed=seed, emulated=emulated)
    tally = play_mock(recording, port, settings, lambda line: typer.echo(line, err=True))
    typer.echo(
        f"{tally['hits']:,.0f} answered as recorded, {tally['extras']:,.0f} answered again, "
        f"{tally['misses']:,.0f} not in the recording, {tally['unused']:,.0f} never asked for"
        + (f", {tally['faults']:,.0f} met a fault" if emulated.faults else "")
    )
    return Status.OK


def _redacted(recording: Recording) -> Recording:
    import secrets

    from perfscan.replay.redaction import Redactor, redact_recording
    from perfscan.replay.secret_places import environment_secrets

    redactor = Redactor(environment_secrets(os.environ), secrets.token_bytes(16))
    return redact_recording(recording, redactor)


def _refuse_empty(recording: Recording, file: Path) -> None:
    if not recording.events:
        raise InputError("the recording holds no events", where=str(file), remedy="record it again")
