"""What importing a library costs, measured on request with ``python -X importtime``.

Nothing of the scanned program is imported: each library is loaded by itself, in a process of its
own, by the interpreter that the user names, from an empty folder.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from perfscan.analyzers.model import Finding
from perfscan.errors import InputError

LOADED = " is loaded at start-up"
"""What the findings say that name a library to measure, behind its name."""

_TIMEOUT = 120.0
"""Seconds. The largest libraries take about ten on a slow disk."""

Run = Callable[[str, str], str | None]
"""(interpreter, module) to what ``-X importtime`` says; None when the import failed."""


@dataclass(frozen=True, slots=True)
class ImportCost:
    """One measured import."""

    module: str
    microseconds: int
    """For the module and all that it loads, in a fresh interpreter, caches of the disk warm."""


def library_of(finding: Finding) -> str:
    """Return the library that a finding calls heavy, "" for a finding of something else."""
    library, loaded, _ = finding.message.partition(LOADED)
    return library if loaded else ""


def measure_imports(
    modules: Iterable[str], interpreter: Path, run: Run | None = None
) -> Mapping[str, ImportCost | None]:
    """Import each top-level module twice and take the quicker time; None where that fails.

    The first time fills the caches of the disk, so what counts is the cost of a restart. Raises
    InputError for a name that no import statement could hold and for a wrong interpreter.
    """
    start = run or _run
    found: dict[str, ImportCost | None] = {}
    for module in sorted(set(modules)):
        if not is_module_name(module):
            raise InputError(f"{module!r} is not the name of a module")
        times = [
            time
            for _ in range(2)
            if (text := start(str(interpreter), module)) is not None
            and (time := cumulative(text, module)) is not None
        ]
        found[module] = ImportCost(module, min(times)) if times else None
    return found


def is_module_name(name: str) -> bool:
    """Tell whether a dotted name may stand in an import statement, so that no code hides in it."""
    parts = name.split(".")
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in parts)


def cumulative(text: str, module: str) -> int | None:
    """Return the microseconds that ``-X importtime`` reports for a module and all below it."""
    for line in text.splitlines():
        own, _, rest = line.removeprefix("import time:").partition("|")
        total, _, name = rest.partition("|")
        if line.startswith("import time:") and name.strip() == module and own.strip().isdigit():
            return int(total)
    return None


def _run(interpreter: str, module: str) -> str | None:
    """Import one module in a process of its own. Raises InputError for a wrong interpreter."""
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory() as empty:
        try:
            done = subprocess.run(
                # Without PYTHONPATH, which may lead to the scanned program.
                [interpreter, "-E", "-X", "importtime", "-c", f"import {module}"],
                cwd=empty,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        except OSError as error:
            raise InputError(
                f"cannot be started: {error.strerror or error}",
                where=interpreter,
                remedy="name the Python interpreter in which the bot's libraries are installed",
            ) from error
    return done.stderr if done.returncode == 0 else None
