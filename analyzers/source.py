"""Source text in, syntax tree or one clear reason out."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
import warnings
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


def read(path: Path) -> bytes | Unreadable:
    """Return the bytes of ``path``, or why they cannot be had."""
    try:
        return path.read_bytes()
    except OSError as error:
        return Unreadable(f"cannot be read: {error.strerror or error}", None)


def decode(data: bytes) -> str | Unreadable:
    """Return the text by Python's own rules: byte order mark, coding cookie, else UTF-8."""
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        return Unreadable("contains NUL bytes, so it is not Python source", line)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return Unreadable(f"is not valid {error.encoding}: {error.reason}", line)
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
    lines = text.count("\n") + (not text.endswith("\n") and text != "")
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in the user's code are not ours
            return ast.parse(text, mode=mode)
    except SyntaxError as error:
        # Newer syntax than that of the Python which runs perfscan ends here, too: say which it is.
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return Unreadable(f"is not valid Python {version}: {error.msg}", error.lineno)
    except (RecursionError, MemoryError):
        return Unreadable("is nested too deeply to be parsed", None)
    except ValueError as error:
        return Unreadable(f"is not valid Python source: {error}", None)
