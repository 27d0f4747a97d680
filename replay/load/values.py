"""New values in place of recorded ones: of the same shape, never met before, the same each time."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b

from perfscan.replay.model import Message, Request, Response

LONG = 16
"""A value so long means the same wherever it stands; shorter ones must stand alone."""
_HEX = re.compile(r"(0x)?(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{6,}")
_ATTEMPTS = 64


class Stand:
    """Makes up values; ``known`` are those that must not be met again."""

    def __init__(self, seed: int, known: Iterable[str]) -> None:
        self._seed = seed
        self._known = set(known)
        self._made: dict[tuple[str, int], str] = {}

    def value(self, recorded: str, copy: int) -> str:
        """Return what stands for ``recorded`` in the given copy."""
        place = (recorded, copy)
        if place not in self._made:
            self._made[place] = self._new(recorded, copy)
            self._known.add(self._made[place])
        return self._made[place]

    def _new(self, recorded: str, copy: int) -> str:
        for attempt in range(_ATTEMPTS):
            made = _like(recorded, f"{self._seed}/{copy}/{attempt}/")
            if made not in self._known:
                return made
        return f"{recorded}{copy}"  # so short a value has too few of its kind


def _like(recorded: str, salt: str) -> str:
    """Return a text with a digit for a digit and a letter for a letter."""
    is_hex = _HEX.fullmatch(recorded) is not None
    made, drawn = [], _draws(salt + recorded)
    for place, character in enumerate(recorded):
        kind = _kind(character, is_hex and not (place == 1 and character == "x"))
        if character == "0" and place == 0:
            kind = "0"  # as in 0x, and a number does not begin to
        elif place == 0 and kind == string.digits:
            kind = "123456789"
        made.append(kind[next(drawn) % len(kind)])
    return "".join(made)


def _kind(character: str, hexadecimal: bool) -> str:
    if hexadecimal and character in "0123456789abcdef":
        return "0123456789abcdef"
    for kind in (string.digits, string.ascii_lowercase, string.ascii_uppercase):
        if character in kind:
            return kind
    return character


def _draws(text: str) -> Iterator[int]:
    block = 0
    while True:
        yield from blake2b(f"{block}/{text}".encode("utf-8", "backslashreplace")).digest()
        block += 1


class Exchanging:
    """Puts new values in place of recorded ones, in all at once."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        ordered = sorted(values, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_standing, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """Return ``text`` with the new values."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._values[found[0]], text)

    def data(self, data: bytes) -> bytes:
        """Return ``data`` with the new values; what is not UTF-8 stays as it is."""
        try:
            return self.text(data.decode()).encode()
        except UnicodeDecodeError:
            return data


def _standing(value: str) -> str:
    if len(value) >= LONG:
        return re.escape(value)
    return f"(?<![0-9A-Za-z]){re.escape(value)}(?![0-9A-Za-z])"


def texts(event: object) -> tuple[str, ...]:
    """Return what an event says, as far as it is text."""
    match event:
        case Request():
            return (event.target, event.body.decode("utf-8", "ignore"))
        case Response():
            return (event.body.decode("utf-8", "ignore"),)
        case Message():
            data = event.data
            return (data if isinstance(data, str) else data.decode("utf-8", "ignore"),)
    return ()


def matches(patterns: Iterable[str], found: Iterable[str]) -> set[str]:
    """Return all that the patterns find in texts."""
    expressions = [re.compile(pattern) for pattern in patterns]
    return {
        match[1] if match.re.groups else match[0]
        for text in found
        for expression in expressions
        for match in expression.finditer(text)
    }
