"""A process that plays a part in a run and says how it goes, seen from the runner."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from perfscan.errors import NotMeasurableError
from perfscan.replay.processes import describe_end, stop

START_LIMIT_S = 20.0


class ChildProcess:
    """A process that prints ``{"ready": true}``, then status lines; a context manager.

    ``what`` names it for people; its diagnostics go to ``log``. It inherits ``descriptors``.
    """

    def __init__(
        self,
        what: str,
        command: Sequence[str],
        log: Path,
        descriptors: Sequence[int] = (),
        start_limit_s: float = START_LIMIT_S,
    ) -> None:
        self._what = what
        self._command = command
        self._log = log
        self._descriptors = descriptors
        self._start_limit_s = start_limit_s
        self._status: Mapping[str, float] = {}
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=self._descriptors,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._wait_until_ready()
        except BaseException:  # Ctrl-C, too
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._start_limit_s
        while not self._ready.wait(0.05):
            problem = self.problem()
            if problem or time.monotonic() > deadline:
                raise NotMeasurableError(problem or f"{self._what} did not start")

    def close(self) -> None:
        """End it, which writes the rest of its journal, and wait for it."""
        stop(self._process, patience_s=10)
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def status(self) -> Mapping[str, float]:
        """Return its newest status line; empty before the first one."""
        return self._status

    def problem(self) -> str:
        """Return one line when it has stopped by itself, else an empty string."""
        code = self._process.poll()
        if code is None:
            return ""
        lines = self._log.read_text("utf-8", "replace").splitlines()
        last = f": {lines[-1]}" if lines else ""
        return f"{self._what} stopped ({describe_end(code)}){last}"

    def started(self, message: Mapping[str, Any]) -> None:
        """Note what it said when it was ready."""

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("ready"):
                self.started(message)
                self._ready.set()
            else:
                self._status = message
