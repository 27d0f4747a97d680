"""What one scan is asked for: the project's configuration with the options of the command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from perfscan.errors import InputError

if TYPE_CHECKING:
    from perfscan.analyzers.configuration import Configuration
    from perfscan.analyzers.knowledge import Knowledge


class Effort(NamedTuple):
    """How a scan goes about its work; what it finds does not depend on that."""

    jobs: int
    """Processes that share the work."""
    cache: Path | None
    """The folder for what the next scan need not do again."""


def effort_of(jobs: int | None, *, no_cache: bool) -> Effort:
    """Return what the options ask for: by default one process for each CPU, and a cache."""
    from perfscan.analyzers.cache import cache_folder

    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Effort(jobs or cpus or 1, None if no_cache else cache_folder())


def configured(
    cwd: Path,
    file: Path | None,
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    exclude: Sequence[str] = (),
    fail_on: str = "",
    baseline: Path | None = None,
) -> Configuration:
    """Read ``file``, or the configuration nearest to ``cwd``; what an option says goes before it.

    Patterns given with ``exclude`` are added to the configured ones. Raises InputError.
    """
    from perfscan.analyzers.configuration import (
        Configuration,
        find_configuration,
        read_configuration,
    )

    if file is not None and not file.is_file():
        raise InputError("no such file", where=str(file), remedy="check --config")
    found = file or find_configuration(cwd)
    base = read_configuration(found.absolute()) if found else Configuration(folder=cwd)
    return replace(
        base,
        select=_ids(select) or base.select,
        ignore=_ids(ignore) or base.ignore,
        exclude=(*base.exclude, *exclude),
        fail_on=fail_on or base.fail_on or "high",
        baseline=cwd / baseline if baseline else base.baseline,
    )


def own_knowledge(configuration: Configuration) -> Knowledge | None:
    """Return the knowledge base with the project's additions; None when there are none."""
    if not configuration.knowledge and not configuration.blocking:
        return None
    from perfscan.analyzers.knowledge import load_knowledge

    return load_knowledge(configuration.knowledge, configuration.blocking)


def _ids(entries: Sequence[str]) -> tuple[str, ...]:
    return tuple(part.strip() for entry in entries for part in entry.split(",") if part.strip())
