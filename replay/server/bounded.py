"""A memory of limited size: the oldest goes first."""

from __future__ import annotations

from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Bounded(Generic[Key, Value]):
    """Remembers values up to a total of ``limit`` bytes, each counted with some overhead."""

    OVERHEAD = 512

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._room = limit
        self._kept: dict[Key, tuple[Value, int]] = {}

    def get(self, key: Key) -> Value | None:
        """Return what is remembered for ``key``."""
        kept = self._kept.get(key)
        return None if kept is None else kept[0]

    def put(self, key: Key, value: Value, size: int) -> None:
        """Remember ``value``, which has ``size`` bytes, unless that alone is too much."""
        size += self.OVERHEAD
        if size > self._limit or key in self._kept:
            return
        self._kept[key] = value, size
        self._room -= size
        while self._room < 0:
            oldest = next(iter(self._kept))
            self._room += self._kept.pop(oldest)[1]
