"""Exit codes: what a shell or a CI job learns from a command."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """The exit codes of every command."""

    OK = 0
    """Clean, or all gates hold."""
    FINDINGS = 1
    """Findings at or above ``--fail-on``, a target proven missed, a regression."""
    BAD_INPUT = 2
    """Wrong use, bad input or bad configuration."""
    INCONCLUSIVE = 3
    """Inconclusive or not measurable: too noisy, too few pairs, a bot that crashed."""
    DIFFERENT_WORK = 4
    """The two sides did different work, so speed is not reported."""
    BUG = 70
    """A defect of perfscan itself."""
    INTERRUPTED = 130
    """Stopped by the user; finished runs are kept."""
