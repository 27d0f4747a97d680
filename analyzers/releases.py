"""Which major version of a package a project asks for, as far as its requirements say."""

from __future__ import annotations

import re

from perfscan.analyzers.project import Program

_BOUND = re.compile(r"(===?|~=|<=?|>=?)\s*v?(\d+)")


def majors(program: Program, package: str) -> tuple[int | None, int | None]:
    """Return the lowest and highest major version that is allowed; None where nothing is said."""
    asks = re.compile(
        rf"(?:^|[\"'\s]){re.escape(package)}(?:\[[^\]]*\])?\s*(?P<bounds>[<>=~][^#;\"'\n]*)",
        re.IGNORECASE | re.MULTILINE,
    )
    low: int | None = None
    high: int | None = None
    for file in program.texts:
        match = asks.search(file.text)
        for sign, number in _BOUND.findall(match["bounds"]) if match else ():
            major = int(number)
            if sign in {"==", "===", "~="}:
                return major, major
            if sign.startswith(">"):
                low = major
            else:
                high = major - 1 if sign == "<" else major
    return low, high
