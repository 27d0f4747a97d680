"""Finds which topic a pushed message belongs to: the words that tell subscriptions apart recur.

``{"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]}`` is answered by messages that say
``"topic": "orderbook.50.BTCUSDT"``, ``{"pair": ["XBT/USD"], "subscription": {"name": "trade"}}`` by
``[.., "trade", "XBT/USD"]``, ``btcusdt@depth`` by ``"e": "depthUpdate"`` and ``"s": "BTCUSDT"``. So
the values of a subscription are compared with those of a message, in lower case and without
punctuation, first as a whole and then word by word; what all subscriptions share says nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perfscan.replay.items import values_at
from perfscan.replay.model import MatchRules
from perfscan.replay.server.subscriptions import is_verb, payload_of

_NUMERIC = "0123456789+-.:eETZ "
"""What numbers and times are made of."""
_STRING = r'[^"\\]*+(?:\\.[^"\\]*+)*+'
_VALUES = re.compile(rf'"{_STRING}"\s*+:|"({_STRING})"')
"""Strings of a JSON text; keys match without a group."""
_WORDED = re.compile(rf'"[{re.escape(_NUMERIC)}]*+"|{_VALUES.pattern}')
"""The same, and numbers in quotes match without a group too: most of an order book."""
_WORD = re.compile(r"[^\W_]+")
_INSIDE = 4
"""Words of so many letters count also inside others, as ``depth`` in ``depthUpdate``."""
_LONGEST = 100
"""No topic is longer; what a message says beyond is prose or data."""
_REMEMBERED = 50_000

Signature = frozenset[str]
"""Which of the words that matter a message holds; those of whole values begin with ``=``."""


@dataclass(frozen=True, slots=True)
class Case:
    """All that decides to whom a message belongs; a stream of millions has few of them."""

    active: frozenset[str]
    """The units that the bot had subscribed to when it came."""
    signature: Signature = frozenset()


@dataclass(frozen=True, slots=True)
class _Words:
    whole: frozenset[str]
    parts: frozenset[str]

    def without(self, other: _Words) -> _Words:
        return _Words(self.whole - other.whole, self.parts - other.parts)


class Vocabulary:
    """The words of the subscriptions so far."""

    def __init__(self, rules: MatchRules) -> None:
        self._paths = [rule.message for rule in rules.topics]
        self.units: set[str] = set()
        self._whole: set[str] = set()
        self._parts: set[str] = set()
        self._inside: list[str] = []
        self._known: dict[str, Signature] = {}
        self._strings = _WORDED

    def learn(self, units: Iterable[str]) -> None:
        """Add the words of what was subscribed to."""
        new = set(units) - self.units
        if not new:
            return
        self.units |= new
        for unit in new:
            words = _words_of(unit)
            self._whole |= words.whole
            self._parts |= words.parts
        self._inside = [part for part in self._parts if len(part) >= _INSIDE]
        self._known.clear()
        if not all(whole.strip(_NUMERIC) for whole in self._whole):
            self._strings = _VALUES

    def signature(self, data: str | bytes) -> Signature:
        """Return the known words among the values of a JSON text."""
        if isinstance(data, bytes) or not self.units:
            return frozenset()
        if self._paths and (declared := self._declared(data)):
            return declared
        found: set[str] = set()
        known = self._known
        for value in set(self._strings.findall(data)):
            words = known.get(value)
            if words is None:
                words = self._look(value)
            if words:
                found |= words
        return frozenset(found)

    def _declared(self, data: str) -> Signature:
        payload = payload_of(data)
        values = (value for path in self._paths for value in values_at(path, payload))
        whole = (_squashed(str(value)) for value in values)
        return frozenset(f"={one}" for one in whole if one in self._whole)

    def _look(self, value: str) -> Signature:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        words: set[str] = set()
        if not value.strip(_NUMERIC):
            words.update([f"={value}"] if value in self._whole else [])
        elif len(value) <= _LONGEST:
            parts = _WORD.findall(value.lower())
            whole = "".join(parts)
            if whole in self._whole:
                words.add(f"={whole}")
            words.update(self._parts.intersection(parts))
            words.update([part for part in self._inside if part in whole])
        self._known[value] = found = frozenset(words)
        return found


def gates(cases: Sequence[Case], units: Collection[str]) -> list[frozenset[str] | None]:
    """Return for each case the units that it belongs to; None where nothing tells.

    Of the units that were active, those whose words the message holds most of. Where several are
    equally likely, one that other messages name in full is not meant by one that names it in part.
    """
    telling = _telling(units)
    full = {
        unit
        for case in cases
        for unit in case.active
        if unit in telling and _is_full(telling[unit], case.signature)
    }
    return [_gate(case, telling, full) for case in cases]


def _gate(case: Case, telling: Mapping[str, _Words], full: set[str]) -> frozenset[str] | None:
    if len(case.active) <= 1:
        return case.active
    scores = {
        unit: _score(telling[unit], case.signature) for unit in case.active if unit in telling
    }
    best = max(scores.values(), default=(0, 0))
    if best == (0, 0):
        return None
    likely = {unit for unit, score in scores.items() if score == best}
    meant = {unit for unit in likely if unit not in full or _is_full(telling[unit], case.signature)}
    return frozenset(meant or likely)


def says_all(unit: str, data: str | bytes) -> bool:
    """Tell whether a message repeats every value of a subscription."""
    words = _words_of(unit).whole
    return bool(words) and words <= set(map(_squashed, _values(payload_of(data))))


def recurs(unit: str, data: str | bytes) -> bool:
    """Tell whether a message repeats a value of a subscription or of an address."""
    words = _words_of(unit).whole
    if isinstance(data, bytes):
        return False
    return not words.isdisjoint(map(_squashed, filter(None, _VALUES.findall(data))))


def _telling(units: Collection[str]) -> dict[str, _Words]:
    """Return the words of each unit that not all of them share."""
    words = {unit: _words_of(unit) for unit in units}
    if len(words) < 2:
        return words
    shared = _Words(
        frozenset.intersection(*(one.whole for one in words.values())),
        frozenset.intersection(*(one.parts for one in words.values())),
    )
    return {unit: one.without(shared) for unit, one in words.items()}


def _score(words: _Words, signature: Signature) -> tuple[int, int]:
    whole = sum(f"={word}" in signature for word in words.whole)
    return whole, sum(word in signature for word in words.parts)


def _is_full(words: _Words, signature: Signature) -> bool:
    whole, parts = _score(words, signature)
    return bool(words.parts) and (whole == len(words.whole) or parts == len(words.parts))


def _words_of(unit: str) -> _Words:
    payload = payload_of(unit)
    values = list(_values(payload)) if isinstance(payload, dict | list) else _of_text(unit)
    return _Words(
        frozenset(filter(None, map(_squashed, values))),
        frozenset(part for value in values for part in _parts(value)),
    )


def _of_text(unit: str) -> list[str]:
    """Return the values of an address, or the topic that a scenario's path found."""
    if unit.startswith("/"):
        path, _, query = unit.partition("?")
        return [pair.partition("=")[2] for pair in query.split("&") if query] or [
            path.rpartition("/")[2]
        ]
    return [str(payload_of(unit.partition(" ")[2]) or unit)]


def _values(payload: Any) -> Iterator[str]:
    if isinstance(payload, dict):
        for name, value in payload.items():
            if not is_verb(name, value):
                yield from _values(value)
    elif isinstance(payload, list):
        for value in payload:
            yield from _values(value)
    elif isinstance(payload, str):
        yield payload
    elif isinstance(payload, int | float) and not isinstance(payload, bool):
        yield json.dumps(payload)


def _squashed(value: str) -> str:
    return "".join(_WORD.findall(value.lower()))


def _parts(value: str) -> frozenset[str]:
    return frozenset(_WORD.findall(value.lower()))
