"""Refusals: one sentence for the bot's log, one line for the report of the replay."""

from __future__ import annotations

import os

from . import where

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .config import Config


def unknown_name(config: Config, name: str, port: int) -> OSError:
    """Return the error of a failed look-up, after reporting it."""
    import socket

    return socket.gaierror(socket.EAI_NONAME, _explain(config, name, port))


def unknown_address(config: Config, name: str, port: int) -> OSError:
    """Return the error of an unreachable network, after reporting it."""
    import errno

    return OSError(errno.ENETUNREACH, _explain(config, f"{name}:{port}", port))


def unguarded_process(config: Config, program: str, reason: str) -> OSError:
    """Return the error of a program that the hooks could not guard."""
    import errno

    line, program = where.calling_line(), os.path.basename(program)
    _report(config, f"process {program}", 0, line)
    return PermissionError(
        errno.EACCES,
        f"perfscan: {program} is not started: {reason}, so without a network namespace "
        f"nothing keeps it from real services ({line})",
    )


def _explain(config: Config, name: str, port: int) -> str:
    line = where.calling_line()
    _report(config, name, port, line)
    return (
        f"perfscan: {name} is not in the recording; a replay never reaches real services ({line})"
    )


def _report(config: Config, host: str, port: int, line: str) -> None:
    write_line(config, {"host": host, "port": port, "where": line, "pid": os.getpid()})


def write_line(config: Config, entry: dict[str, object]) -> None:
    """Append ``entry`` to the report, as one line of JSON; a failure never reaches the bot."""
    import json

    if not config.report:
        return
    try:
        file = os.open(config.report, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, f"{json.dumps(entry)}\n".encode())
        finally:
            os.close(file)
    except OSError:
        return  # the refusal itself must reach the bot
