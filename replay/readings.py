"""What only the bot knows, read from its log or from an endpoint of its own: as the bot says.

A cache's hit rate is the usual one. From outside there is no honest figure for it: that a bot asks
less often than another may come from a cache, a batch, or from asking for less.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from perfscan.replay.catalogue import METRICS, Metric
from perfscan.replay.items import values_at
from perfscan.replay.model import ReadingRule, Take

FETCH_LIMIT_S = 5.0
_FETCH = (
    "import sys, urllib.request\n"
    f"answer = urllib.request.urlopen(sys.argv[1], timeout={FETCH_LIMIT_S})\n"
    "sys.stdout.buffer.write(answer.read())\n"
)
_TAKE: Mapping[Take, Callable[[Sequence[float]], float]] = {
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
    "sum": sum,
    "mean": fmean,
    "max": max,
    "count": len,
}


def about_readings(rules: Mapping[str, ReadingRule]) -> dict[str, Metric]:
    """Describe the metrics that ``rules`` yield; each label tells whose word it is."""
    return {
        name: Metric(f"{_label(name)} (says the bot)", rule.unit, rule.better, "traffic")
        for name, rule in rules.items()
    }


def _label(name: str) -> str:
    known = METRICS.get(name)
    return known.label if known else name.replace("_", " ").capitalize()


def from_log(rules: Mapping[str, ReadingRule], log: str) -> dict[str, float]:
    """Read the whole log of a run; what it does not say is absent."""
    found: dict[str, float] = {}
    for name, rule in rules.items():
        if rule.log is not None:
            found |= _reading(name, rule, re.findall(rule.log, log))
    return found


def from_endpoints(
    rules: Mapping[str, ReadingRule], fetch: Callable[[str], str]
) -> dict[str, float]:
    """Ask the bot while it still runs; ``fetch`` returns an empty text where it does not answer."""
    answers: dict[str, str] = {}
    found: dict[str, float] = {}
    for name, rule in rules.items():
        if rule.url is not None:
            if rule.url not in answers:
                answers[rule.url] = fetch(rule.url)
            found |= _reading(name, rule, _values(rule, answers[rule.url]))
    return found


def fetching(command: Callable[[Sequence[str]], list[str]]) -> Callable[[str], str]:
    """Return a ``fetch`` for :func:`from_endpoints` that asks inside the network of ``command``."""

    def fetch(url: str) -> str:
        asking = command([sys.executable, "-I", "-S", "-c", _FETCH, url])
        try:
            done = subprocess.run(
                asking,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=2 * FETCH_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.decode("utf-8", "replace")

    return fetch


def _values(rule: ReadingRule, answer: str) -> list[str]:
    if rule.path is None:
        return re.findall(rule.pattern or "", answer)
    try:
        payload = json.loads(answer)
    except ValueError:
        return []
    return [str(value) for value in values_at(rule.path, payload)]


def _reading(name: str, rule: ReadingRule, texts: Sequence[str]) -> dict[str, float]:
    """Return the one value of all ``texts``; nothing where none of them is a number."""
    if rule.take == "count":
        return {name: float(len(texts))}
    values = [number for text in texts if (number := _number(text)) is not None]
    return {name: _TAKE[rule.take](values) * rule.scale} if values else {}


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None
