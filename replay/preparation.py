"""What is done in a run's own folder before its bot starts: ``prepare`` of an implementation."""

from __future__ import annotations

import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from perfscan.errors import InputError
from perfscan.replay.model import Implementation
from perfscan.replay.processes import describe_end, stop
from perfscan.replay.redirection import with_python

LOG = "prepare.log"
LIMIT_S = 600.0
_POLL_S = 0.05
_PATIENCE_S = 5.0


def words_from(directory: Path, words: Sequence[str]) -> tuple[str, ...]:
    """Return a command for a copy of ``directory``: what leads out of it keeps its real place."""
    return tuple(
        str((directory / word).resolve())
        if word.startswith("../") and (directory / word).exists()
        else word
        for word in words
    )


def prepare_home(
    side: Implementation,
    home: Path,
    folder: Path,
    *,
    python: str,
    environment: Mapping[str, str],
    enter: Callable[[list[str]], list[str]] = list,
    interrupted: threading.Event | None = None,
    limit_s: float = LIMIT_S,
) -> None:
    """Run what ``side`` wants done in ``home``; what it prints goes into a log in ``folder``.

    ``enter`` puts a command into the run's network. Returns early once ``interrupted`` is set.
    Raises InputError where the command fails, does not start or takes longer than ``limit_s``.
    """
    if not side.prepare:
        return
    command = enter(with_python(words_from(side.directory, side.prepare), python))
    log = folder / LOG
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command,
                cwd=home,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise _failure(side, f"cannot start: {error.strerror}") from error
    if problem := _wait(process, interrupted or threading.Event(), limit_s):
        printed = log.read_text("utf-8", errors="replace").strip().splitlines()
        raise _failure(side, f"{problem}{f': {printed[-1].strip()}' if printed else ''}")


def _wait(process: subprocess.Popen[bytes], interrupted: threading.Event, limit_s: float) -> str:
    """Wait for the end; return what was wrong with it, or an empty string."""
    began = time.monotonic()
    try:
        while process.poll() is None:
            if interrupted.is_set():
                return ""
            if time.monotonic() - began > limit_s:
                return f"not done after {limit_s:.0f} s"
            time.sleep(_POLL_S)
    finally:
        stop(process, _PATIENCE_S)
    return "" if process.returncode == 0 else describe_end(process.returncode)


def _failure(side: Implementation, problem: str) -> InputError:
    return InputError(
        f"the preparation of the {side.name} bot fails: {problem}",
        where=f"implementations.{side.name}.prepare",
        remedy=f"run it by hand in a copy of {side.directory}: {shlex.join(side.prepare)}",
    )
