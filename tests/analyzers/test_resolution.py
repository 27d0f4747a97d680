"""What names mean, one fixture a topic: the marked lines block the event loop, no others do."""

import re
from collections import Counter
from pathlib import Path

import pytest

from perfscan.analyzers.engine import analyze

FIXTURES = Path(__file__).parents[2] / "fixtures" / "resolution"
MARK = re.compile(r"# (?P<ids>PS\d+(?:, PS\d+)*)$")
BLOCKING = ["PS101", "PS102", "PS103", "PS104", "PS105", "PS106", "PS107", "PS108"]
TOPICS = sorted(p for p in FIXTURES.iterdir() if p.is_dir() or p.suffix == ".py")

Lines = Counter[tuple[str, int, str]]


def marked(topic: Path) -> Lines:
    files = sorted(topic.rglob("*.py")) if topic.is_dir() else [topic]
    root = topic if topic.is_dir() else topic.parent
    return Counter(
        (file.relative_to(root).as_posix(), number, rule)
        for file in files
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1)
        if (mark := MARK.search(line))
        for rule in mark["ids"].split(", ")
    )


def found(topic: Path) -> Lines:
    root = topic if topic.is_dir() else topic.parent
    scan = analyze([topic], root=root, select=BLOCKING)
    assert scan.errors == ()
    return Counter((f.path, f.span.line, f.rule) for f in scan.findings)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.stem)
def test_exactly_the_marked_lines_block(topic: Path) -> None:
    expected = marked(topic)
    assert expected, f"{topic} marks nothing"
    assert found(topic) == expected
