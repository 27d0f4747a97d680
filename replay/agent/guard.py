"""The guard of a replay without a network namespace: an audit hook that refuses ways out.

It sees everything that goes through Python's own socket and process functions, in every thread,
and uvloop through its loop class. Programs that are not Python are not started at all. It does not
see what else opens sockets outside of Python: C extensions (pycurl, gRPC, database drivers),
``ctypes``, and a process that is asked through a Unix socket. So the namespace comes first.
"""

from __future__ import annotations

import os
import sys

from . import names, refusal
from .config import VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .config import Config

NOT_PYTHON = "it is not Python"


def install(config: Config) -> None:
    """Refuse connections, datagrams and programs that could leave this machine."""

    def check_socket(arguments: tuple[Any, ...]) -> None:
        names.check_address(config, arguments[1])

    def check_popen(arguments: tuple[Any, ...]) -> None:
        executable, command, _, environment = arguments
        words = [command] if isinstance(command, str | bytes) else list(command)
        check_process(config, [executable or words[0], *words[1:]], environment)

    def check_exec(arguments: tuple[Any, ...]) -> None:
        path, words, environment = arguments
        check_process(config, [path, *words[1:]], environment)

    def check_system(arguments: tuple[Any, ...]) -> None:
        raise refusal.unguarded_process(config, f"shell command {arguments[0]!r}", NOT_PYTHON)

    checks = {
        "socket.connect": check_socket,
        "socket.sendto": check_socket,
        "socket.sendmsg": check_socket,
        "subprocess.Popen": check_popen,
        "os.exec": check_exec,
        "os.posix_spawn": check_exec,
        "os.system": check_system,
    }

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        check = checks.get(event)
        if check is not None:
            check(arguments)

    sys.addaudithook(hook)


def check_process(
    config: Config, words: Sequence[Any], environment: Mapping[Any, Any] | None
) -> None:
    """Refuse a program into which the agent would not be loaded."""
    line = [os.fsdecode(word) for word in words]
    reason = unguarded(line)
    if reason is None and environment is not None:
        known = {os.fsdecode(name) for name in environment}
        if not {VARIABLE, "PYTHONPATH"} <= known:
            reason = "its environment leaves out perfscan's hooks"
    if reason is not None:
        raise refusal.unguarded_process(config, line[0], reason)


def unguarded(words: Sequence[str]) -> str | None:
    """Return why the agent cannot guard the command ``words``, or None when it can."""
    program = os.path.basename(words[0])
    if not (program.startswith("python") and not program[6:].strip("0123456789.")):
        return NOT_PYTHON
    options = iter(words[1:])
    for word in options:
        if not word.startswith("-") or word in ("-", "--"):
            break
        if word == "--check-hash-based-pycs":
            next(options, None)
        flags = "" if word.startswith("--") else word[1:]
        for place, flag in enumerate(flags, start=1):
            if flag in "IES":
                return f"{word} keeps perfscan's hooks out of Python"
            if flag in "cm":  # the program follows
                return None
            if flag in "WX":  # the rest of the word is its value, or else the next word
                if place == len(flags):
                    next(options, None)
                break
    return None
