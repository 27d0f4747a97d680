"""Every rule against its fixture, line by line, and against the examples of its own manual."""

import re
from collections import Counter
from pathlib import Path

import pytest

import perfscan.analyzers.rules
from perfscan.analyzers.engine import analyze
from perfscan.analyzers.registry import Rule, all_rules

FIXTURES = Path(__file__).parents[2] / "fixtures" / "rules"
RULES = Path(perfscan.analyzers.rules.__file__).parent
REPEATED = re.compile(r"^(.*)  # and (\d+) lines like this$", re.MULTILINE)
"""How a manual spells out what is too long for one."""
MARK = re.compile(r"# (?P<ids>PS\d+(?:, PS\d+)*)$")


def fixture_of(rule: Rule) -> Path:
    name = rule.name.replace("-", "_")
    folder = FIXTURES / name
    return folder if folder.is_dir() else folder.with_suffix(".py")


def expected_lines(place: Path, rule_id: str) -> Counter[tuple[str, int]]:
    files = sorted(filter(Path.is_file, place.rglob("*.*"))) if place.is_dir() else [place]
    root = place if place.is_dir() else place.parent
    return Counter(
        (file.relative_to(root).as_posix(), number)
        for file in files
        if file.suffix != ".pyc"
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1)
        if (mark := MARK.search(line)) and rule_id in mark["ids"].split(", ")
    )


def found_lines(place: Path, rule_id: str) -> Counter[tuple[str, int]]:
    root = place if place.is_dir() else place.parent
    scan = analyze([place], root=root, select=[rule_id])
    assert scan.errors == ()
    return Counter((finding.path, finding.span.line) for finding in scan.findings)


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.id)
def test_fixture_yields_exactly_the_marked_lines(rule: Rule) -> None:
    place = fixture_of(rule)
    expected = expected_lines(place, rule.id)
    assert expected, f"{place} marks no line with {rule.id}"
    assert found_lines(place, rule.id) == expected


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.id)
@pytest.mark.parametrize("side", ["bad", "good"])
def test_manual_examples(rule: Rule, side: str, tmp_path: Path) -> None:
    example = tmp_path / "example.py"
    text = REPEATED.sub(lambda m: f"{m[1]}\n" * (int(m[2]) + 1), getattr(rule.manual, side))
    example.write_text(text + "\n", "utf-8")
    found = found_lines(example, rule.id)
    assert bool(found) == (side == "bad")


def test_module_rule_and_fixture_share_one_name() -> None:
    modules = {path.stem for path in RULES.glob("*.py")} - {"__init__"}
    fixtures = {path.stem for path in FIXTURES.iterdir() if not path.name.startswith((".", "_"))}
    named = {rule.name.replace("-", "_") for rule in all_rules()}
    assert modules == named
    assert fixtures == named


def test_rules_never_import_each_other() -> None:
    for path in RULES.glob("*.py"):
        assert "perfscan.analyzers.rules" not in path.read_text("utf-8")
