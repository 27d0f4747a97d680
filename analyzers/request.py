"""What a scan is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perfscan.analyzers.discover import Discovery

if TYPE_CHECKING:
    from perfscan.analyzers.knowledge import Knowledge
    from perfscan.analyzers.registry import Thresholds

Progress = Callable[[int, int], None]
"""Told how many files are done, of how many."""


@dataclass(frozen=True, slots=True)
class Request:
    """One scan, before any file is read."""

    named: tuple[str, ...]
    """The paths that the user named."""

    found: Discovery
    select: tuple[str, ...]
    ignore: tuple[str, ...]
    possible: bool
    thresholds: Thresholds
    knowledge: Knowledge | None
    """None: what perfscan ships."""
    jobs: int
    progress: Progress | None

    @property
    def options(self) -> object:
        """All that decides, beside the files, what is found."""
        more = self.knowledge
        knowledge = (more.libraries, more.callback_entries) if more is not None else None
        limits = sorted(self.thresholds.items())
        return (self.select, self.ignore, self.possible, limits, knowledge)
