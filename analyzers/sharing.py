"""What occurs again and again in the facts of a file, kept once: a quarter of the memory.

Equal values become the same object, so pickle writes each of them once, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perfscan.analyzers.facts import Value

Names = tuple[str, ...]

_MANY = 8
"""Values that are joined pair by pair; the names of a longer table of data are collected first."""

_BITS = 256
"""Whole numbers beyond are nobody's limit or pause; Python would refuse to print some of them."""


class _References(dict[str, Value]):
    """The last value with each spelling; asked for a plain name, it makes the value."""

    def __missing__(self, name: str) -> Value:
        value = self[name] = Value("ref", name, None, (), (name,))
        return value


class _Joined(dict[tuple[Names, Names], Names]):
    """The names of two expressions, once each."""

    def __missing__(self, pair: tuple[Names, Names]) -> Names:
        names = self[pair] = tuple(dict.fromkeys(pair[0] + pair[1]))
        return names


class Shared:
    """The values of one file; sharing them among files costs more time than it saves memory."""

    def __init__(self) -> None:
        self.refs = _References()
        self._constants: dict[tuple[type, object], Value] = {}
        self._joined = _Joined()

    def ref(self, ref: str, names: Names) -> Value:
        """Return a reference without items."""
        value = self.refs.get(ref)
        if value is None or value.names != names:
            value = self.refs[ref] = Value("ref", ref, None, (), names)
        return value

    def constant(self, constant: Any) -> Value:
        """Return the value of a literal."""
        key = (type(constant), constant)  # 1, 1.0 and True are equal
        value = self._constants.get(key)
        if value is None:
            value = self._constants[key] = _constant(constant)
        return value

    def names(self, values: Sequence[Value]) -> Names:
        """Return every name that ``values`` read, once each, in order."""
        if len(values) > _MANY:
            found = dict.fromkeys([value.names for value in values])
            return tuple(dict.fromkeys([name for names in found for name in names]))
        names: Names = ()
        for value in values:
            more = value.names
            if more and more != names:
                names = self._joined[names, more] if names else more
        return names


def _constant(constant: Any) -> Value:
    if isinstance(constant, int) and constant.bit_length() > _BITS:
        return Value("other", "$int")
    return Value("const", "", constant)
