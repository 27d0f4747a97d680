from __future__ import annotations

from pathlib import Path

import pytest

from perfscan.analyzers.path_patterns import matcher


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("scripts/", "/srv/scripts/a.py", True),
        ("scripts/", "/srv/bot/scripts/a.py", True),
        ("/scripts", "/srv/bot/scripts/a.py", False),
        ("tests/**", "/srv/tests/unit/a.py", True),
        ("*.py", "/elsewhere/a.py", False),
        ("bot.py", "/srv/robot.py", False),
    ],
)
def test_patterns_count_from_the_folder(pattern: str, path: str, expected: bool) -> None:
    assert matcher([pattern], Path("/srv"))(Path(path)) is expected


def test_the_last_pattern_wins_and_none_match_nothing() -> None:
    both = matcher(["*.py", "!bot.py"], Path("/srv"))
    assert (both(Path("/srv/a.py")), both(Path("/srv/bot.py"))) == (True, False)
    assert not matcher([], Path("/srv"))(Path("/srv/a.py"))
