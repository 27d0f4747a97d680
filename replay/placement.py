"""Which processors the server and the bot run on, so that neither takes time from the other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placement:
    """Processors by number."""

    server: tuple[int, ...]
    bot: tuple[int, ...]


def placement(cpus: Collection[int], lanes: int) -> Placement | None:
    """Give the server one processor and the bot all others.

    None where there is but one processor, or several bots run at the same time: then the
    scheduler of the system knows better.
    """
    ordered = sorted(cpus)
    if lanes > 1 or len(ordered) < 2:
        return None
    return Placement(server=(ordered[0],), bot=tuple(ordered[1:]))


def available_cpus() -> tuple[int, ...]:
    """Return the numbers of the processors that this process may use; none where unknown."""
    if not hasattr(os, "sched_getaffinity"):
        return ()
    return tuple(sorted(os.sched_getaffinity(0)))


def pin(process: int, cpus: Collection[int]) -> None:
    """Keep a process that has just started, and all that it will start, on ``cpus``."""
    with contextlib.suppress(ProcessLookupError):  # it has ended; somebody else will tell
        os.sched_setaffinity(process, cpus)
