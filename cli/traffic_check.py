"""How ``perfscan traffic check`` prints what it found: text of 80 columns, or JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from perfscan.quantities import count
from perfscan.replay.model import Recording
from perfscan.replay.soundness import Problem, Soundness
from perfscan.reports.excerpt import inert
from perfscan.reports.table import plain_table, wrapped

WIDTH = 80


def as_json(recording: Recording, found: Soundness) -> str:
    """Return everything as one JSON object."""
    document = {
        "schema": "perfscan.traffic-check/1",
        "file": str(recording.path),
        "format": recording.format,
        "events": len(recording.events),
        "truncated": recording.truncated,
        "replayable": found.replayable,
        "problems": [asdict(problem) for problem in found.problems],
        "uses": [asdict(use) for use in found.uses],
        "notes": list(recording.header.notes),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def as_text(recording: Recording, found: Soundness) -> str:
    """Return a verdict, the problems with their remedies, and what it can be used for."""
    lines = [inert(f"{recording.path}: {_verdict(recording, found)}")]
    lines += [
        line
        for note in recording.header.notes
        for line in wrapped(f"note: {note}", WIDTH, rest="    ")
    ]
    if found.problems:
        lines += ["", "Problems"]
    for problem in found.problems:
        lines += wrapped(_line(problem), WIDTH, rest="    ")
        lines += [inert(f"    {place}") for place in problem.places]
        lines += wrapped(f"help: {problem.remedy}", WIDTH, first="    ", rest="    ")
    rows = [(use.use, use.answer, use.why) for use in found.uses]
    lines += ["", *plain_table(("can be used for", "", ""), ("left", "left", "left"), rows)]
    return "\n".join(lines)


def _verdict(recording: Recording, found: Soundness) -> str:
    size = f"{count(len(recording.events))} events, {recording.format}"
    if not found.replayable:
        return f"cannot be replayed as it is, {size}"
    return f"usable, but cut off at its end, {size}" if recording.truncated else f"complete, {size}"


def _line(problem: Problem) -> str:
    times = f" ({count(problem.count)} times)" if problem.count > 1 else ""
    return f"{problem.severity}: {problem.what}{times}"
