"""Findings that a project has accepted for now, kept in a file that reviews can read."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from perfscan.analyzers.model import Finding
from perfscan.errors import InputError

SCHEMA = "perfscan.baseline/1"


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted finding; only the fingerprint decides, the rest is for people and diffs."""

    fingerprint: str
    rule: str
    path: str
    symbol: str
    message: str


def baseline_text(findings: Sequence[Finding]) -> str:
    """Return the file's content, one entry a line in a stable order, so that diffs are small."""
    entries = sorted(map(_entry, findings), key=lambda e: (e.path, e.rule, e.symbol, e.fingerprint))
    lines = ",\n".join(
        "  " + json.dumps({name: getattr(entry, name) for name in Entry.__slots__})
        for entry in entries
    )
    body = f"[\n{lines}\n ]" if lines else "[]"
    return f'{{\n "schema": "{SCHEMA}",\n "findings": {body}\n}}\n'


def read_baseline(file: Path) -> tuple[Entry, ...]:
    """Read a baseline. Raises InputError when it is missing or is none."""
    try:
        document = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror or error}",
            where=str(file),
            remedy="make it with --write-baseline",
        ) from error
    except ValueError as error:
        raise InputError(f"is not JSON: {error}", where=str(file), remedy=_REMAKE) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(f"is not a {SCHEMA} file", where=str(file), remedy=_REMAKE)
    records = document.get("findings")
    if not isinstance(records, list):
        raise InputError("holds no list of findings", where=str(file), remedy=_REMAKE)
    return tuple(_read(record, number, file) for number, record in enumerate(records))


_REMAKE = "make it anew with --write-baseline"


def stale_entries(
    findings: Sequence[Finding],
    entries: Sequence[Entry],
    *,
    ran: Collection[str],
    scanned: Collection[str],
) -> tuple[Entry, ...]:
    """Return the entries that a scan looked for and did not find: repaired, or rewritten.

    Looked for were those whose rule is in ``ran`` and whose file is, or lies below, one of the
    ``scanned`` paths (relative to the root; ``.`` is the root).
    """
    present = {finding.fingerprint for finding in findings}
    return tuple(
        entry
        for entry in entries
        if entry.fingerprint not in present
        and entry.rule in ran
        and any(PurePosixPath(entry.path).is_relative_to(path) for path in scanned)
    )


def _entry(finding: Finding) -> Entry:
    return Entry(finding.fingerprint, finding.rule, finding.path, finding.symbol, finding.message)


def _read(record: Any, number: int, file: Path) -> Entry:
    fields = record if isinstance(record, dict) else {}
    values = [value for name in Entry.__slots__ if isinstance(value := fields.get(name), str)]
    if len(values) < len(Entry.__slots__):
        wanted = ", ".join(Entry.__slots__)
        raise InputError(f"needs {wanted}", where=f"{file}: findings[{number}]", remedy=_REMAKE)
    return Entry(*values)
