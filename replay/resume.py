"""Going on with a bench that was interrupted: what is kept, and what must be as it was."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from perfscan.errors import InputError
from perfscan.replay.model import Result, Run

_ENVIRONMENT = ("machine", "cpus", "python", "platform")
_METHOD = (
    "pairs",
    "lanes",
    "speed",
    "load",
    "until_s",
    "seed",
    "faults",
    "after",
    "only",
    "variant",
    "agent",
    "interpreter",
    "pinned",
    "spinners",
)


def finished_pairs(runs: Sequence[Run], sides: int) -> tuple[Run, ...]:
    """Return the runs of all pairs that came to their end, well or not.

    A pair of which one run is missing or was stopped is made again as a whole, since its runs
    must be close in time. A run that failed by itself counts: it is a result.
    """
    ended = Counter(run.pair for run in runs if run.problem != "interrupted")
    return tuple(run for run in runs if ended[run.pair] == sides)


def demand_same(saved: Result, now: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise InputError that names the first thing which is not as it was.

    ``now`` holds ``scenario``, ``recording``, ``environment`` and ``method`` as a new bench would
    save them.
    """
    was = {
        "recording": {"sha256": saved.recording.get("sha256")},
        "scenario": saved.scenario,
        "environment": {name: saved.environment.get(name) for name in _ENVIRONMENT},
        "method": {name: saved.method.get(name) for name in _METHOD},
    }
    for part, old in was.items():
        new = {name: now[part].get(name) for name in old if name != "path"}
        kept = {name: value for name, value in old.items() if name != "path"}
        for place, before, after in _differences(part, _plain(kept), _plain(new)):
            raise InputError(
                f"cannot go on with this result: {place} was {_brief(before)}, "
                f"now it is {_brief(after)}",
                remedy="start a new bench, or restore what it was",
            )


def _differences(place: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            yield from _differences(f"{place}.{name}", old.get(name), new.get(name))
    elif old != new:
        yield place, old, new


def _plain(value: Any) -> Any:
    """Return ``value`` as it reads after being saved: tuples become lists."""
    return json.loads(json.dumps(value))


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
