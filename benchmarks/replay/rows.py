"""What a benchmark tells: a figure beside its goal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    figure: str
    """As it is to be read, such as ``3.4x`` or ``1.2 % [0.4, 1.9]``."""
    goal: str = ""
    """What it is held against, such as ``at least 3x``; empty for a figure that only informs."""
    holds: bool | None = None
    """Whether the goal is reached; None without a goal."""
