"""``perfscan record``: run a bot and write down its HTTP and WebSocket traffic."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perfscan.cli.status import Status
from perfscan.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from perfscan.replay.recorder.record import Outcome

Address = tuple[str, int]

Command = Annotated[
    list[str], typer.Argument(metavar="-- COMMAND...", help="The bot and its arguments.")
]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="The recording; .jsonl, .jsonl.gz or .jsonl.zst.")
]
Ports = Annotated[
    list[int] | None,
    typer.Option(
        "--port",
        min=1,
        max=65535,
        help="Also record this port (80, 443, 8080, 8443, 9443 always are).",
    ),
]
IncludeLocal = Annotated[
    bool, typer.Option("--include-local", help="Also record connections to localhost by name.")
]
StandIns = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="HOST[:PORT]=ADDR:PORT",
        help="Connect to ADDR:PORT instead of HOST, for a staging or simulated service.",
    ),
]
UpstreamCa = Annotated[
    Path | None, typer.Option(help="PEM file to trust for the services, beside the system's.")
]
HoldStreams = Annotated[
    bool,
    typer.Option(
        "--hold-streams",
        help="Keep WebSockets open while the bot is away; hand it later what it missed.",
    ),
]
HoldPause = Annotated[
    int, typer.Option(metavar="MS", min=0, help="With --hold-streams: pause between messages.")
]
Inbounds = Annotated[
    list[str] | None,
    typer.Option(
        "--inbound",
        metavar="[LISTEN_PORT=]BOT_PORT",
        help="Also record the bot's own users: listen, and pass on to the bot's port.",
    ),
]
NoRedact = Annotated[bool, typer.Option("--no-redact", help="Keep secrets in the recording.")]


def record(
    command: Command,
    output: Output,
    port: Ports = None,
    include_local: IncludeLocal = False,
    map_: StandIns = None,
    upstream_ca: UpstreamCa = None,
    hold_streams: HoldStreams = False,
    hold_pause: HoldPause = 100,
    inbound: Inbounds = None,
    no_redact: NoRedact = False,
) -> int:
    """Run a bot and record its HTTP and WebSocket traffic, secrets taken out.

    Hosts that the bot reaches by name are recorded, and IPv4 addresses given as numbers. The bot
    keeps its input and output. Stop it with Ctrl-C; what was recorded until then is kept.

    A bot that listens on port 8080 itself is recorded with --inbound 9000=8080: its users connect
    to port 9000.

    Example: perfscan record -o traffic.jsonl -- python bot.py
    """
    try:
        from perfscan.replay.recorder import record as recorder
        from perfscan.replay.recorder.inbound import Entrance
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("perfscan"):
            raise
        raise MissingExtraError("perfscan record", "bench") from error
    if str(output) == "-":
        raise InputError("a recording cannot go to standard output", remedy="name a file with -o")
    if no_redact:
        typer.echo("warning: secrets are kept in the recording; do not share it", err=True)
    outcome = recorder.record(
        recorder.Plan(
            output=output,
            command=command,
            environment=dict(os.environ),
            ports=(*recorder.DEFAULT_PORTS, *(port or ())),
            include_local=include_local,
            stand_ins=dict(map(_stand_in, map_ or ())),
            upstream_ca=upstream_ca,
            redact=not no_redact,
            hold_pause_s=hold_pause / 1000 if hold_streams else None,
            entrances=[Entrance(*_entrance(text)) for text in inbound or ()],
        ),
        say=lambda line: typer.echo(line, err=True),
    )
    for line in _summary(outcome, output):
        typer.echo(line, err=True)
    return Status.OK if outcome.stopped else outcome.status


def _stand_in(text: str) -> tuple[tuple[str, int | None], Address]:
    """Read ``HOST[:PORT]=ADDR:PORT``."""
    real, equals, local = text.partition("=")
    host, _, port = real.partition(":")
    address, colon, local_port = local.rpartition(":")
    ports = _is_port(local_port) and _is_port(port or "1")
    if not (equals and colon and host and address and ports):
        raise InputError(
            f"--map {text!r} is not HOST[:PORT]=ADDR:PORT",
            remedy="write for example --map api.example.com=127.0.0.1:8443",
        )
    return (host.lower(), int(port) if port else None), (address.strip("[]"), int(local_port))


def _entrance(text: str) -> tuple[int, str, int]:
    """Read ``[[ADDRESS:]LISTEN_PORT=]BOT_PORT``; without a LISTEN_PORT a free one is taken."""
    listen, _, bot_port = text.rpartition("=")
    address, _, port = listen.rpartition(":")
    if not (_is_port(bot_port) and _is_port(port or "1")):
        raise InputError(
            f"--inbound {text!r} is not [LISTEN_PORT=]BOT_PORT",
            remedy="write for example --inbound 9000=8080",
        )
    return int(bot_port), address.strip("[]") or "127.0.0.1", int(port or 0)


def _is_port(text: str) -> bool:
    return text.isdecimal() and 0 < int(text) < 65536


def _summary(outcome: Outcome, output: Path) -> list[str]:
    counts = outcome.counts
    lines = [
        f"recorded {_count(counts.get('request', 0), 'request')} and "
        f"{_count(counts.get('message', 0), 'message')} on "
        f"{_count(counts.get('open', 0), 'connection')} to {_count(len(outcome.hosts), 'host')}, "
        f"{_count(outcome.redacted, 'value')} redacted: {output}"
    ]
    lines += [f"warning: {times}x {detail}" for detail, times in outcome.failures.items()]
    if outcome.undelivered:
        lines.append(f"note: {_count(outcome.undelivered, 'held message')} never reached the bot")
    if outcome.missed:
        lines.append(
            f"warning: {_count(sum(outcome.missed.values()), 'connection')} to addresses instead "
            f"of names went past the recorder: {', '.join(sorted(outcome.missed)[:5])}"
        )
    if not counts.get("open"):
        lines.append(
            "warning: nothing was recorded; does the bot use another port (--port N), a name of "
            "this machine (--include-local), or python -I?"
        )
    if outcome.status and not outcome.stopped:
        lines.append(f"the bot failed with status {outcome.status}; its traffic is kept")
    return lines


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
