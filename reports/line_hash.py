"""The hash by which GitHub recognises a line that has moved (``primaryLocationLineHash``).

A rolling hash, base 37 and modulo 2**64, over the hundred UTF-16 units that begin with the line:
blanks and tabs do not count, every line end is one LF, and the text is followed by 0xFFFF and then
zeros. Equal hashes are numbered. Described by github/codeql-action, whose test values it gives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

_WINDOW = 100
_BASE = 37
_MASK = (1 << 64) - 1
_TOP = pow(_BASE, _WINDOW, 1 << 64)
_END = 0xFFFF
_SKIPPED = {0x20, 0x09}


def line_hashes(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the hash of each line; ``lines`` come without their ends, in order."""
    units: list[int] = []
    starts: list[int] = []
    for number, line in enumerate(lines):
        starts.append(len(units))
        units += [unit for unit in _utf16(line) if unit not in _SKIPPED]
        if number < len(lines) - 1:
            units.append(0x0A)
    units.append(_END)
    units += [0] * _WINDOW
    seen: Counter[int] = Counter()
    hashes: list[str] = []
    for value in _windows(units, starts):
        seen[value] += 1
        hashes.append(f"{value:x}:{seen[value]}")
    return tuple(hashes)


def _utf16(line: str) -> memoryview[int]:
    # Lone surrogates stand for bytes that were no text; they are units like any other.
    return memoryview(line.encode("utf-16-le", "surrogatepass")).cast("H")


def _windows(units: Sequence[int], starts: Sequence[int]) -> list[int]:
    """Return the hash of the window that begins at each of ``starts`` (ascending)."""
    value = 0
    for unit in units[:_WINDOW]:
        value = (value * _BASE + unit) & _MASK
    found: list[int] = []
    at = 0
    for start in starts:
        while at < start:
            value = (value * _BASE + units[at + _WINDOW] - units[at] * _TOP) & _MASK
            at += 1
        found.append(value)
    return found
