"""Files beside the Python sources that say something of the program: SQL, lists of requirements."""

from __future__ import annotations

import codecs
import re
from pathlib import PurePath
from typing import NamedTuple

_REQUIREMENTS = re.compile(r"(.*[-_.])?(requirements?|constraints?)([-_.].*)?\.(txt|in)", re.I)
_REQUIREMENT_FOLDER = re.compile(r"requirements?|constraints?", re.I)
_SQL = re.compile(r"\.sql(\.(postgres|sqlite|mysql))?$", re.IGNORECASE)
_PROJECT_FILES = frozenset({"pyproject.toml", "setup.cfg"})
TEXT_ENDINGS = (".sql", ".postgres", ".sqlite", ".mysql", ".txt", ".in", ".toml", ".cfg")
"""What their names end in, in small letters: the first and quick question."""

_MAX_BYTES = 1_000_000
"""Larger SQL files are dumps of data, larger lists of requirements do not exist."""


class TextFile(NamedTuple):
    """One such file, read."""

    path: str
    """Relative to the root, forward slashes."""
    text: str


def is_text(place: PurePath) -> bool:
    """Tell from its name and folder whether a file is one of these."""
    return is_sql(place) or is_requirements(place) or place.name in _PROJECT_FILES


def is_sql(place: PurePath) -> bool:
    """Tell whether a file is an SQL script, ``schema.sql.postgres`` for one dialect included."""
    return _SQL.search(place.name) is not None


def is_requirements(place: PurePath) -> bool:
    """Tell whether a file is a list of requirements or constraints as pip reads them."""
    return _REQUIREMENTS.fullmatch(place.name) is not None or (
        place.suffix in {".txt", ".in"}
        and _REQUIREMENT_FOLDER.fullmatch(place.parent.name) is not None
    )


def decode_text(data: bytes) -> str:
    """Return the text with Unix line ends; "" for what is too large to be written by hand.

    ``pip freeze > requirements.txt`` gives UTF-16 in some Windows shells, so a mark is heeded.
    """
    if len(data) > _MAX_BYTES:
        return ""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if utf16 else "utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
