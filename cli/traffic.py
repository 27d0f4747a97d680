"""``perfscan traffic``: look at recordings, check them, change their format, redact them."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perfscan.cli.status import Status
from perfscan.errors import InputError

if TYPE_CHECKING:
    from perfscan.replay.model import Recording

app = typer.Typer(
    help="Show, check, convert and redact recordings.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Format(StrEnum):
    """How a summary is printed."""

    TEXT = "text"
    JSON = "json"


RecordingFile = Annotated[Path, typer.Argument(metavar="FILE", help="Recording: JSONL or HAR.")]
Target = Annotated[
    Path, typer.Option("--output", "-o", help="The new recording; .jsonl or .jsonl.gz.")
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
def check(file: RecordingFile) -> int:
    """Read a recording completely and say whether it can be replayed; exit 2 when it cannot.

    Example: perfscan traffic check traffic.jsonl
    """
    from perfscan.replay.recording import read_recording

    recording = read_recording(file)
    _refuse_empty(recording, file)
    state = "usable, but cut off at its end" if recording.truncated else "complete"
    typer.echo(f"{file}: {state}, {len(recording.events):,} events")
    return Status.OK


@app.command()
def convert(file: RecordingFile, output: Target, no_redact: KeepSecrets = False) -> int:
    """Write a recording of any known format as JSON Lines, secrets taken out.

    Example: perfscan traffic convert browser.har -o traffic.jsonl
    """
    from perfscan.replay.recording import read_recording, write_recording

    recording = read_recording(file)
    _refuse_empty(recording, file)
    if ".jsonl" not in output.suffixes:
        raise InputError(
            "recordings are written as JSON Lines",
            where=str(output),
            remedy="end the name with .jsonl or .jsonl.gz",
        )
    if no_redact:
        typer.echo("warning: secrets are kept in the copy; do not share it", err=True)
    write_recording(recording if no_redact else _redacted(recording), output)
    typer.echo(f"wrote {len(recording.events):,} events to {output}", err=True)
    return Status.OK


@app.command()
def redact(file: RecordingFile, output: Target) -> int:
    """Write a copy without secrets, those of the present environment included.

    Example: perfscan traffic redact old.jsonl -o clean.jsonl
    """
    return convert(file, output)


def _redacted(recording: Recording) -> Recording:
    import secrets

    from perfscan.replay.redaction import Redactor, environment_secrets, redact_recording

    redactor = Redactor(environment_secrets(os.environ), secrets.token_bytes(16))
    return redact_recording(recording, redactor)


def _refuse_empty(recording: Recording, file: Path) -> None:
    if not recording.events:
        raise InputError("the recording holds no events", where=str(file), remedy="record it again")
