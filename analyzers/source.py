"""Source text in, syntax tree or one clear reason out."""

from __future__ import annotations

import ast
import io
import os
import stat
import sys
import tokenize
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, overload


class Parsed(NamedTuple):
    """A file that Python can read."""

    tree: ast.Module
    lines: int
    comments: bool
    """The text contains ``perfscan:``, so there may be suppression comments."""


class Unreadable(NamedTuple):
    """Why a file cannot be scanned, and the line when one is to blame."""

    message: str
    line: int | None


AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
"""How to open what may have become a pipe in the meantime: without waiting for a writer."""

LARGEST = 5_000_000
"""Bytes. Nobody writes a program this long by hand, and its tree takes thirty times the memory."""


def read(path: Path) -> bytes | Unreadable:
    """Return the bytes of ``path``, or why they cannot be had."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            folder = stat.S_ISDIR(status.st_mode)
            what = "a folder" if folder else "a pipe, socket or device"
            return Unreadable(f"is {what} and not a file", None)
        if status.st_size > LARGEST:
            return Unreadable(f"is larger than {LARGEST // 1_000_000} MB: data, no program", None)
        with os.fdopen(os.open(path, AT_ONCE), "rb", buffering=0) as stream:
            return stream.read()
    except (OSError, ValueError) as error:
        return Unreadable(f"cannot be read: {getattr(error, 'strerror', None) or error}", None)


def decode(data: bytes) -> str | Unreadable:
    """Return the text by Python's own rules: byte order mark, coding cookie, else UTF-8."""
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        return Unreadable("contains NUL bytes, so it is not Python source", line)
    encoding = "utf-8"
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        with _quiet():
            return data.decode(encoding)
    except UnicodeError as error:
        line = data[: getattr(error, "start", 0)].count(b"\n") + 1
        return Unreadable(f"is not valid {encoding}: {getattr(error, 'reason', error)}", line)
    except (SyntaxError, LookupError) as error:
        return Unreadable(f"declares an unknown encoding: {error}", 1)


def parse(data: bytes) -> Parsed | Unreadable:
    """Parse ``data``; a syntax error, a NUL byte or absurd nesting is an ``Unreadable``."""
    text = decode(data)
    if isinstance(text, Unreadable):
        return text
    tree = _syntax(text, "exec")
    if isinstance(tree, Unreadable):
        return tree
    ends = text.count("\n") + text.count("\r") - text.count("\r\n")
    lines = ends + (not text.endswith(("\n", "\r")) and text != "")
    return Parsed(tree, lines, "perfscan:" in text)


def parse_expression(text: str) -> ast.expr | Unreadable:
    """Parse one expression, such as an annotation that is written as a string."""
    tree = _syntax(text.strip(), "eval")
    return tree if isinstance(tree, Unreadable) else tree.body


@overload
def _syntax(text: str, mode: Literal["exec"]) -> ast.Module | Unreadable: ...


@overload
def _syntax(text: str, mode: Literal["eval"]) -> ast.Expression | Unreadable: ...


def _syntax(text: str, mode: str) -> ast.AST | Unreadable:
    try:
        with _quiet():
            return ast.parse(text, mode=mode)
    except SyntaxError as error:
        # Newer syntax than that of the Python which runs perfscan ends here, too: say which it is.
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return Unreadable(f"is not valid Python {version}: {error.msg}", error.lineno)
    except (RecursionError, MemoryError):
        return Unreadable("is nested too deeply to be parsed", None)
    except ValueError as error:
        return Unreadable(f"is not valid Python source: {error}", None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Python's warnings to itself: invalid escapes in the user's code are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
