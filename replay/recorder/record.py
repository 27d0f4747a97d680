"""Runs a bot with its connections led through the tap, and writes what passes."""

from __future__ import annotations

import asyncio
import os
import resource
import secrets
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from perfscan.errors import InputError
from perfscan.replay.certificates import Authority
from perfscan.replay.event_loop import new_event_loop
from perfscan.replay.model import RecordingHeader
from perfscan.replay.recorder.addresses import Addresses
from perfscan.replay.recorder.capture import Capture
from perfscan.replay.recorder.held_streams import HeldStreams
from perfscan.replay.recorder.inbound import Entrance, Inbound
from perfscan.replay.recorder.proxy import proxies_of
from perfscan.replay.recorder.tap import Tap
from perfscan.replay.recorder.upstream import Dialer
from perfscan.replay.recording import RecordingWriter
from perfscan.replay.redaction import Redactor
from perfscan.replay.redirection import bot_environment, write_bundle
from perfscan.replay.scratch import scratch_folder
from perfscan.replay.secret_places import environment_secrets

DEFAULT_PORTS = (80, 443, 8080, 8443, 9443)
ADDRESSES = "addresses.jsonl"
"""File in which the agent tells which addresses the bot connected to by number."""
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HOLD_NOTE = "streams were held while the bot was away; its returns cost what the first opening did"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to record and how."""

    output: Path
    command: Sequence[str]
    environment: Mapping[str, str]
    ports: Sequence[int] = DEFAULT_PORTS
    include_local: bool = False
    stand_ins: Mapping[tuple[str, int | None], tuple[str, int]] = field(default_factory=dict)
    """(host, port or None) to the address to connect to instead of the real one."""
    upstream_ca: Path | None = None
    redact: bool = True
    hold_pause_s: float | None = None
    """Hold streams while the bot is away, with this pause between queued messages."""
    entrances: Sequence[Entrance] = ()
    """Ports at which the bot's users are recorded."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    status: int
    """Exit status of the bot; 128 + n where signal n ended it."""
    stopped: bool
    """The user ended the bot by a signal."""
    counts: Mapping[str, int]
    """Events by lower-case kind, such as ``request``."""
    hosts: tuple[str, ...]
    failures: Mapping[str, int]
    redacted: int
    undelivered: int
    """Held messages that the bot has not been given."""
    missed: Mapping[str, int]
    """Connections by ``address:port`` that could not be led past the recorder."""


def record(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Run the bot to its end and record.

    ``say`` is told where the bot's users are to connect. Raises InputError where the bot cannot be
    started and where the recording cannot be written, the bot being ended then.
    """
    if shutil.which(plan.command[0], path=plan.environment.get("PATH")) is None:
        raise InputError(
            f"there is no command {plan.command[0]!r}",
            remedy="give a command that exists after --",
        )
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_record(plan, say))


async def _record(plan: Plan, say: Callable[[str], None]) -> Outcome:
    redactor = _redactor(plan) if plan.redact else None
    dialer = Dialer.create(plan.stand_ins, plan.upstream_ca, proxies_of(plan.environment))
    with ExitStack() as stack:
        doors = [(stack.enter_context(one.listen()), one.bot_port) for one in plan.entrances]
        folder = stack.enter_context(scratch_folder("perfscan-record-"))
        authority = Authority.create(folder)
        with RecordingWriter(plan.output, _header(plan, redactor)) as writer:
            capture = Capture(writer, redactor)
            held = None
            if plan.hold_pause_s is not None:
                held = HeldStreams(capture, dialer, plan.hold_pause_s)
            addresses = Addresses(folder / ADDRESSES)
            tap = Tap(capture, dialer, authority, addresses, held)
            inbound = [Inbound(capture, listener, port) for listener, port in doors]
            for door in inbound:
                say(f"users of the bot's port {door.bot_port} connect to {door.url}")
            try:
                environment = _environment(plan, tap.port, folder, authority.ca_file)
                status, stopped = await _run(plan.command, environment, capture)
            finally:
                await asyncio.gather(tap.close(), *(door.close() for door in inbound))
            capture.finish()
            addresses.update()
    if capture.refused:
        raise capture.refused
    return Outcome(
        status,
        stopped,
        capture.counts,
        tuple(sorted(capture.hosts)),
        capture.failures,
        redactor.counts.total() if redactor else 0,
        held.undelivered if held else 0,
        addresses.missed,
    )


def _environment(plan: Plan, port: int, folder: Path, authority: Path) -> dict[str, str]:
    return bot_environment(
        plan.environment,
        mode="record",
        ca_bundle=write_bundle(authority, folder / "bundle.pem"),
        authority=authority,
        hosts=(),
        ports=dict.fromkeys(plan.ports, port),
        report=folder / ADDRESSES,
        include_local=plan.include_local,
    )


def _redactor(plan: Plan) -> Redactor:
    return Redactor(environment_secrets(plan.environment), secrets.token_bytes(16))


def _header(plan: Plan, redactor: Redactor | None) -> RecordingHeader:
    command = redactor.command(plan.command) if redactor else tuple(plan.command)
    notes = [HOLD_NOTE] if plan.hold_pause_s is not None else []
    if redactor is None:
        notes.append("secrets were not redacted")
    if plan.stand_ins:
        hosts = ", ".join(sorted({host for host, _ in plan.stand_ins}))
        notes.append(f"answered by a stand-in, not by the real service: {hosts}")
    return RecordingHeader(
        started_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        command=command,
        notes=tuple(notes),
    )


async def _run(
    command: Sequence[str], environment: Mapping[str, str], capture: Capture
) -> tuple[int, bool]:
    """Run the bot, hand signals on to it, and return its status and whether it was stopped."""
    try:
        bot = await asyncio.create_subprocess_exec(*command, env=environment)
    except OSError as error:
        raise InputError(
            f"cannot start {command[0]!r}: {error.strerror}",
            remedy="give a command that exists after --",
        ) from error
    _raise_limit_of_descriptors()
    received: list[int] = []

    def forward(number: int) -> None:
        received.append(number)
        if bot.returncode is None and not (number == signal.SIGINT and _is_foreground()):
            bot.send_signal(number)

    loop = asyncio.get_running_loop()
    for number in FORWARDED:
        loop.add_signal_handler(number, forward, number)
    try:
        code = await _wait(bot, capture)
    finally:
        for number in FORWARDED:
            loop.remove_signal_handler(number)
    return (code if code >= 0 else 128 - code), bool(received)


def _raise_limit_of_descriptors() -> None:
    """Allow for two connections per connection of the bot, which has its own limit already."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _wait(bot: asyncio.subprocess.Process, capture: Capture) -> int:
    """Wait for the bot, but do not let it run on when its traffic is not written any more."""
    ended = asyncio.create_task(bot.wait())
    while not ended.done():
        await asyncio.wait([ended], timeout=0.2)
        if capture.refused and bot.returncode is None:
            bot.terminate()
            await asyncio.wait([ended], timeout=5)
            if bot.returncode is None:
                bot.kill()
    return ended.result()


def _is_foreground() -> bool:
    """Whether Ctrl-C in the terminal reaches the bot by itself."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
