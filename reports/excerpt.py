"""Lines of somebody's source, made harmless for a terminal, with carets under a span."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from perfscan.analyzers.model import Span

TAB = " " * 4


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Rows ready to print: the line before (for context), the line itself, the carets."""

    gutter: int
    """Width of the line numbers."""
    rows: tuple[tuple[str, str], ...]
    """Line number (or nothing) and text."""
    carets: str


def inert(text: str) -> str:
    """Escape what a terminal would obey or hide: control, direction and format characters.

    Tabs become spaces. What is left prints as the characters it shows.
    """
    return "".join(_cell(char) for char in text)


def excerpt(lines: Sequence[str], span: Span, room: int, ellipsis: str = "…") -> Excerpt | None:
    """Cut the excerpt for ``span`` so that no row is wider than ``room`` cells.

    Returns ``None`` when the source has no such line. A span over several lines is marked to the
    end of its first.
    """
    if not 1 <= span.line <= len(lines):
        return None
    text = lines[span.line - 1].rstrip()
    end = span.end_column - 1 if span.end_line == span.line else len(text)
    cells = [_cell(char) for char in text]
    start = sum(map(_width, cells[: span.column - 1]))
    marked = max(1, sum(map(_width, cells[span.column - 1 : end])))
    shift = 0 if start + marked <= room - 1 else max(0, start - room // 3)
    rows = [(str(span.line), _window("".join(cells), shift, room, ellipsis))]
    before = lines[span.line - 2].rstrip() if span.line >= 2 else ""
    if before:
        rows.insert(0, (str(span.line - 1), _window(inert(before), shift, room, ellipsis)))
    carets = " " * (start - shift) + "^" * min(marked, max(1, room - (start - shift) - 1))
    return Excerpt(len(str(span.line)), tuple(rows), carets)


def _cell(char: str) -> str:
    if char == "\t":
        return TAB
    if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        code = ord(char)
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    return char


def _width(cell: str) -> int:
    """Terminal columns of a cell; one code point, or an escape of several ASCII letters."""
    if len(cell) > 1:
        return len(cell)
    if unicodedata.combining(cell):
        return 0
    return 2 if unicodedata.east_asian_width(cell) in "WF" else 1


def _window(text: str, shift: int, room: int, ellipsis: str) -> str:
    """Show the columns from ``shift`` on, at most ``room`` of them, with what is cut marked."""
    column = 0
    shown: list[str] = []
    for char in text:
        if shift <= column and column + _width(char) <= shift + room:
            shown.append(char)
        column += _width(char)
    line = "".join(shown)
    if shift and line:
        line = ellipsis + line[len(ellipsis) :]
    if column > shift + room:
        line = line[: -len(ellipsis)] + ellipsis
    return line
