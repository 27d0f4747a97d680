"""The same bots under other circumstances: faults, other traffic, other settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from perfscan.replay.model.emulation import Fault


@dataclass(frozen=True, slots=True)
class Change:
    """What a variant changes about one side."""

    command: tuple[str, ...] = ()
    """Empty for the usual one."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Beside the usual one, or instead of parts of it."""

    def __bool__(self) -> bool:
        return bool(self.command or self.environment)


@dataclass(frozen=True, slots=True)
class Variant:
    """What is otherwise than the scenario says."""

    name: str
    title: str
    faults: tuple[Fault, ...] = ()
    """Beside those of the scenario."""
    recording: Path | None = None
    """Played instead of the scenario's."""
    load: float = 1.0
    """Factor by which the items are multiplied."""
    original: Change = Change()
    optimized: Change = Change()
