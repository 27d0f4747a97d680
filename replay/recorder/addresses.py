"""Which address a connection was meant for that the bot opened by number, not by name."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path


class Addresses:
    """Reads what the agent writes down in the bot; see replay/agent/literals.py."""

    def __init__(self, report: Path) -> None:
        self._report = report
        self._read = 0
        self._meant: dict[int, str] = {}
        self.missed: Counter[str] = Counter()
        """Addresses to which a connection went past the recorder."""

    def of(self, port: int) -> str:
        """Return the address that the connection from local ``port`` is meant for, or nothing."""
        self.update()
        return self._meant.pop(port, "")

    def update(self) -> None:
        """Read what is new."""
        try:
            with self._report.open("rb") as file:
                file.seek(self._read)
                new = file.read()
        except FileNotFoundError:
            return
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            entry = json.loads(line)
            if entry.get("from"):
                self._meant[entry["from"]] = entry["host"]
            elif "from" in entry:
                self.missed[f"{entry['host']}:{entry['port']}"] += 1
